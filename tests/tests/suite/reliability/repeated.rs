//! The same thing again and again, under load.

use super::parallel::{Shared, each};
use dhow_tests::{Bundle, Test, for_runtimes, needs};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Runs one container as often as it is asked to, eight at once, with two more processes that only
/// burn time. One that does not return within its limit ends the test.
fn run_many(test: &Test, bundle: &Bundle, total: usize) -> Duration {
    let burn = ["sh", "-c", "while :; do :; done"];
    let endless = Duration::from_secs(7200);
    let burners = [(); 2].map(|()| test.command(&burn).limit(endless).spawn());
    let shared = Shared::of(test);
    let start = Instant::now();
    each(total, 8, |number| {
        let run = shared.runtime().args(["run", "--bundle"]);
        run.arg(bundle.path()).arg(shared.id(number)).run_silently();
    });
    drop(burners);
    start.elapsed()
}

/// No lost wake-up: a container that is gone before anybody waits for it is still noticed. The
/// long profile (`DHOW_LONG=1`) makes two thousand a hundred thousand.
fn run_true_never_hangs(test: &Test) {
    needs!(test, native);
    let is_long = std::env::var_os("DHOW_LONG").is_some();
    let total = if is_long { 100_000 } else { 2_000 };
    let elapsed = run_many(test, &test.bundle(), total);
    eprintln!("{total} runs in {elapsed:?}");
}

/// Fifty at once, each with hooks, terminal-less streams and a limit: no failure, nothing left.
fn many_with_everything(test: &Test) {
    let bundle = test.bundle_with(|config| {
        let hook = serde_json::json!({"path": "/bin/true"});
        config.add_hook("createRuntime", hook.clone());
        config.add_hook("poststop", hook);
        config["linux"]["resources"] = serde_json::json!({"pids": {"limit": 50}});
    });
    run_many(test, &bundle, 100);
}

/// Created, started, asked, killed and deleted two hundred times: nothing grows.
fn the_whole_life_two_hundred_times(test: &Test) {
    let bundle = test.bundle_running(&["sleep", "1000"]);
    for _ in 0..200 {
        let container = test.create(&bundle, "a");
        container.start();
        container.verb(&["delete", "--force"]).run_silently();
    }
}

/// Killed at any moment of a creation, one `delete --force` cleans up: the state directory here, and
/// cgroups, processes and mounts by what every test is compared with at its end.
fn killed_at_any_moment_one_delete_cleans_up(test: &Test) {
    let bundle = test.bundle_running(&["sleep", "1000"]);
    let program = test.kind().program().expect("checked before the test");
    for step in 0..120 {
        let container = test.container("k");
        let mut creation = std::process::Command::new(&program)
            .arg("--root")
            .arg(test.state_root())
            .args(["create", "--bundle"])
            .arg(bundle.path())
            .arg(test.id("k"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the runtime starts");
        std::thread::sleep(Duration::from_micros(step * 60));
        creation.kill().expect("kill");
        creation.wait().expect("wait");
        container.verb(&["delete", "--force"]).run().ok();
        assert!(
            !test.state_root().join(test.id("k")).exists(),
            "step {step}"
        );
    }
}

for_runtimes!([Dhow]; killed_at_any_moment_one_delete_cleans_up, run_true_never_hangs, many_with_everything, the_whole_life_two_hundred_times);

//! `run`: create, start, wait, delete, in one command.

use dhow_tests::{Test, for_each_runtime, for_runtimes, processes};
use rustix::process::Signal;
use std::fs;
use std::time::Duration;

fn returns_the_exit_code(test: &Test) {
    for code in [0, 1, 3, 125, 126, 127, 255] {
        let bundle = test.bundle_running(&["sh", "-c", &format!("exit {code}")]);
        test.run_bundle(&bundle).code_is(code);
    }
}

fn returns_128_plus_the_signal(test: &Test) {
    let bundle = test.bundle_running(&["sleep", "1000"]);
    let id = test.id("a");
    let running = test.run_command(&bundle, "a").spawn();
    wait_until_running(test, &id);
    test.runtime().args(["kill", &id, "KILL"]).run().ok();
    running.wait().code_is(137);
}

fn wait_until_running(test: &Test, id: &str) {
    let is_running = processes::eventually(Duration::from_secs(5), || {
        let output = test.runtime().args(["state", id]).run();
        output.code == Some(0) && output.json()["status"] == "running"
    });
    assert!(is_running, "it does not run");
}

fn connects_the_standard_streams(test: &Test) {
    let bundle = test.bundle_running(&["sh", "-c", "read a; echo out $a; echo err $a >&2"]);
    let output = test.run_command(&bundle, "a").stdin(b"word\n").run().ok();
    assert_eq!(output.stdout(), "out word\n");
    assert_eq!(output.stderr(), "err word\n");
}

fn passes_much_data_unchanged(test: &Test) {
    let bundle = test.bundle_running(&["cat"]);
    let bytes: Vec<u8> = (0..1_000_000_u32)
        .map(|n| b'a' + u8::try_from(n % 25).unwrap_or(0))
        .collect();
    let output = test.run_command(&bundle, "a").stdin(&bytes).run().ok();
    assert!(output.stdout().as_bytes() == bytes, "the data changed");
}

fn leaves_no_container(test: &Test) {
    let bundle = test.bundle();
    test.run_command(&bundle, "a").run().ok();
    let id = test.id("a");
    test.runtime().args(["state", &id]).run().fails("");
    assert!(!test.state_root().join(&id).exists());
}

fn keep_leaves_a_stopped_container(test: &Test) {
    let bundle = test.bundle();
    let id = test.id("a");
    let command = test
        .runtime()
        .args(["run", "--keep", "--bundle"])
        .arg(bundle.path());
    command.arg(&id).run().ok();
    assert_eq!(
        test.runtime().args(["state", &id]).run().ok().json()["status"],
        "stopped"
    );
    test.runtime().args(["delete", &id]).run().ok();
}

fn detach_returns_while_it_runs(test: &Test) {
    let bundle = test.bundle_running(&["sh", "-c", "sleep 0.2; echo late; sleep 1000"]);
    let id = test.id("a");
    let file = test.root().join("pid");
    let command = test
        .runtime()
        .args(["run", "--detach", "--pid-file"])
        .arg(&file);
    let output = command
        .arg("--bundle")
        .arg(bundle.path())
        .arg(&id)
        .run()
        .ok();
    let state = test.runtime().args(["state", &id]).run().ok().json();
    assert_eq!(state["status"], "running");
    assert_eq!(
        fs::read_to_string(file).expect("a pid file"),
        state["pid"].to_string()
    );
    // It keeps the streams it was given.
    assert!(processes::eventually(Duration::from_secs(5), || output
        .stdout()
        == "late\n"));
}

fn forwards_signals(test: &Test) {
    let script = "trap 'echo USR1' USR1; trap 'echo TERM; exit 9' TERM; echo ready; \
                  while :; do sleep 0.02; done";
    let bundle = test.bundle_running(&["sh", "-c", script]);
    let running = test.run_command(&bundle, "a").spawn();
    for (signal, word) in [(Signal::USR1, "ready"), (Signal::TERM, "USR1")] {
        let came =
            processes::eventually(Duration::from_secs(5), || running.stdout().contains(word));
        assert!(came, "{word} did not come: {:?}", running.stdout());
        running.signal(signal);
    }
    assert!(running.wait().code_is(9).stdout().contains("TERM"));
}

fn refuses_a_taken_id(test: &Test) {
    let container = test.sleeper("a");
    let bundle = test.bundle();
    test.run_command(&bundle, "a")
        .run()
        .code_is(1)
        .fails("exists");
    assert_eq!(container.status(), "running");
}

fn a_failed_run_leaves_nothing(test: &Test) {
    let bundle = test.bundle_with(|config| config.add_mount("nonsense", "x", "/mnt", &[]));
    test.run_bundle(&bundle)
        .code_is(1)
        .refuses(["/mnt", "/mnt", "mnt"]);
    assert_eq!(fs::read_dir(test.state_root()).expect("list").count(), 0);
}

/// The end of the first process is the end of the run, whatever else holds the streams.
fn does_not_wait_for_the_streams(test: &Test) {
    let bundle = test.bundle_with(|config| {
        config.drop_namespace("pid");
        config.args(&["sh", "-c", "sleep 1001 & exit 4"]);
    });
    test.run_bundle(&bundle).code_is(4);
}

/// Orphans inside are reaped by the container's first process or go with it; none is ours.
fn no_zombie_stays(test: &Test) {
    let script = "for i in 1 2 3 4 5; do (sleep 0.01 &) ; done; sleep 0.1; ps -o stat,comm";
    let bundle = test.bundle_running(&["sh", "-c", script]);
    let output = test.run_bundle(&bundle).ok();
    assert!(output.stdout().contains("ps"), "{output}");
}

fn relative_bundles_and_log_files_work_from_any_directory(test: &Test) {
    let bundle = test.bundle_running(&["pwd"]);
    let command = test.runtime().args(["run", "--bundle", "bundle0"]);
    let output = command.arg(test.id("a")).cwd(test.root()).run().ok();
    assert_eq!(output.stdout(), "/\n");
    drop(bundle);
}

for_each_runtime!(
    returns_the_exit_code,
    returns_128_plus_the_signal,
    connects_the_standard_streams,
    passes_much_data_unchanged,
    leaves_no_container,
    detach_returns_while_it_runs,
    forwards_signals,
    refuses_a_taken_id,
    a_failed_run_leaves_nothing,
    no_zombie_stays,
    relative_bundles_and_log_files_work_from_any_directory,
);

// crun 1.8 has no --keep, and waits for every child.
for_runtimes!([Dhow, Runc]; keep_leaves_a_stopped_container, does_not_wait_for_the_streams);

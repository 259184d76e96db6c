//! R-FORK: a fork bomb under a limit of processes, and the container beside it.

use dhow_tests::{Container, Test, for_runtimes, host, needs, processes};
use serde_json::json;
use std::fs;
use std::time::Duration;

/// So many processes may the bomb have.
const LIMIT: u64 = 150;

/// Starts a bomb, and waits until it has filled its limit.
fn bomb<'t>(test: &'t Test, name: &str, own_pids: bool) -> Container<'t> {
    let bundle = test.bundle_running(&["/bin/probe", "bomb"]);
    bundle.edit(|config| {
        config["linux"]["resources"] = json!({"pids": {"limit": LIMIT}});
        if !own_pids {
            config.drop_namespace("pid");
        }
    });
    let container = test.create(&bundle, name);
    container.start();
    let is_full = || count(&container) == LIMIT;
    assert!(
        processes::eventually(Duration::from_secs(15), is_full),
        "the bomb has {} processes",
        count(&container)
    );
    container
}

/// How many processes the kernel counts in the container's cgroup.
fn count(container: &Container<'_>) -> u64 {
    let stats = container.verb(&["events", "--stats"]).run_quietly();
    let stats = stats.ok().json();
    stats["data"]["pids"]["current"].as_u64().unwrap_or(0)
}

/// The other container answers, again and again; the host has no more than the limit of the bomb's processes.
fn assert_bounded(test: &Test, neighbour: &Container<'_>) {
    for round in 0..5 {
        let word = format!("round {round}");
        let said = neighbour.exec(&["echo", &word]).ok().stdout();
        assert_eq!(said.trim(), word);
        let bombs = bombs(test);
        assert!(bombs as u64 <= LIMIT, "{bombs} processes of the bomb");
    }
}

fn bombs(test: &Test) -> usize {
    let marked = processes::marked(test.mark());
    let is_bomb = |process: &&processes::Process| process.command.starts_with("/bin/probe bomb");
    marked.iter().filter(is_bomb).count()
}

fn assert_gone(test: &Test, id: &str) {
    assert_eq!(bombs(test), 0, "processes of the bomb are left");
    assert!(!test.state_root().join(id).exists(), "its state is left");
    for mount in host::cgroup_mounts() {
        let groups = fs::read_dir(&mount.point).into_iter().flatten().flatten();
        let left = groups.map(|group| group.path());
        let mut left = left.filter(|path| path.display().to_string().ends_with(id));
        assert_eq!(left.next(), None, "its cgroup is left");
    }
}

fn killed_then_deleted(test: &Test) {
    needs!(test, root);
    let neighbour = test.sleeper("neighbour");
    let bomb = bomb(test, "bomb", true);
    assert_bounded(test, &neighbour);
    bomb.kill("KILL").ok();
    bomb.wait_for("stopped");
    bomb.verb(&["delete"]).run().ok();
    assert_gone(test, bomb.id());
    assert_bounded(test, &neighbour);
}

fn deleted_while_it_runs(test: &Test) {
    needs!(test, root);
    let neighbour = test.sleeper("neighbour");
    for own_pids in [true, false] {
        let bomb = bomb(test, "bomb", own_pids);
        assert_bounded(test, &neighbour);
        bomb.verb(&["delete", "--force"]).run().ok();
        assert_gone(test, bomb.id());
        assert_bounded(test, &neighbour);
    }
}

/// Without a pid namespace nothing but the cgroup tells who belongs to it.
fn all_killed_without_a_pid_namespace(test: &Test) {
    needs!(test, root);
    let neighbour = test.sleeper("neighbour");
    let bomb = bomb(test, "bomb", false);
    assert_bounded(test, &neighbour);
    bomb.verb(&["kill", "--all"]).arg("KILL").run().ok();
    bomb.wait_for("stopped");
    bomb.verb(&["delete"]).run().ok();
    assert_gone(test, bomb.id());
}

/// Others may be executed in it and see its limit; one that gets no process says so.
fn exec_in_it_is_refused_by_the_limit(test: &Test) {
    needs!(test, root);
    let bomb = bomb(test, "bomb", true);
    let output = bomb.exec(&["true"]);
    if output.code != Some(0) {
        output
            .code_is(255)
            .fails("Resource temporarily unavailable");
    }
    bomb.verb(&["delete", "--force"]).run().ok();
    assert_gone(test, bomb.id());
}

for_runtimes!([Dhow];
    all_killed_without_a_pid_namespace,
    deleted_while_it_runs,
    exec_in_it_is_refused_by_the_limit,
    killed_then_deleted,
);

//! `delete`: afterwards nothing is left and the id is free.

use dhow_tests::{Test, for_each_runtime, for_runtimes, host, leak::Snapshot};
use std::fs;
use std::time::Duration;

fn removes_a_stopped_container(test: &Test) {
    let before = Snapshot::take(test.mark(), test.root());
    let container = test.sleeper("a");
    assert!(
        !before.news().is_empty(),
        "a running container leaves no trace: a blind snapshot"
    );
    container.kill("KILL").ok();
    container.wait_for("stopped");
    container.verb(&["delete"]).run().ok();
    before.assert_unchanged();
    container
        .verb(&["state"])
        .run()
        .refuses(["does not exist", "does not exist", "no such file"]);
}

fn refuses_a_running_container(test: &Test) {
    let container = test.sleeper("a");
    let output = container.verb(&["delete"]).run();
    output.refuses(["running", "is not stopped: running", "not in"]);
    assert_eq!(container.status(), "running");
}

fn force_removes_a_running_container(test: &Test) {
    let before = Snapshot::take(test.mark(), test.root());
    let container = test.sleeper("a");
    container.verb(&["delete", "--force"]).run().ok();
    before.assert_unchanged();
}

fn force_removes_a_created_container(test: &Test) {
    let before = Snapshot::take(test.mark(), test.root());
    let container = test.create(&test.bundle(), "a");
    container.verb(&["delete", "-f"]).run().ok();
    before.assert_unchanged();
}

fn force_of_nothing_is_fine(test: &Test) {
    test.runtime()
        .args(["delete", "--force", &test.id("nobody")])
        .run()
        .ok();
}

fn refuses_an_unknown_id(test: &Test) {
    let output = test.runtime().args(["delete", &test.id("nobody")]).run();
    output.refuses(["does not exist", "does not exist", "no such file"]);
}

fn force_twice_is_fine(test: &Test) {
    let container = test.sleeper("a");
    container.verb(&["delete", "--force"]).run().ok();
    container.verb(&["delete", "--force"]).run().ok();
}

fn the_id_is_free_again(test: &Test) {
    for _ in 0..3 {
        let container = test.sleeper("a");
        container.verb(&["delete", "--force"]).run().ok();
    }
}

/// A container that shares the host's processes leaves them behind when its first one ends.
fn force_ends_processes_that_outlive_the_first(test: &Test) {
    let before = Snapshot::take(test.mark(), test.root());
    let bundle = test.bundle_with(|config| {
        config.drop_namespace("pid");
        config.args(&["sh", "-c", "setsid sleep 1001 & exec sleep 1002"]);
    });
    let container = test.create(&bundle, "a");
    container.start();
    container.verb(&["delete", "--force"]).run().ok();
    before.assert_unchanged();
}

/// A cgroup made inside the container's own goes with it.
fn removes_cgroups_below_its_own(test: &Test) {
    let before = Snapshot::take(test.mark(), test.root());
    let container = test.sleeper("a");
    let mut made = 0;
    for mount in host::cgroup_mounts() {
        let own = fs::read_to_string(format!("/proc/{}/cgroup", container.pid())).expect("cgroup");
        for line in own.lines().filter_map(|line| line.splitn(3, ':').nth(2)) {
            let directory = mount.point.join(line.trim_start_matches('/'));
            if line.contains(test.mark()) && directory.is_dir() {
                let below = directory.join("below");
                made += u32::from(fs::create_dir(&below).is_ok());
            }
        }
    }
    assert!(made > 0, "the container has no cgroup of its own");
    container.verb(&["delete", "--force"]).run().ok();
    before.assert_unchanged();
}

/// runc sleeps a tenth of a second here; a pidfd needs no sleep. Generous, for loaded machines.
fn force_does_not_sleep(test: &Test) {
    let fastest = (0..5)
        .map(|_| {
            test.sleeper("a")
                .verb(&["delete", "--force"])
                .run()
                .ok()
                .elapsed
        })
        .min()
        .expect("five times");
    assert!(
        fastest < Duration::from_millis(60),
        "the fastest of five took {fastest:?}"
    );
}

/// Broken state is no reason to keep what it described.
fn force_removes_a_container_with_broken_state(test: &Test) {
    let container = test.sleeper("a");
    let pid = container.pid();
    let directory = test.state_root().join(container.id());
    let state = directory.join("state.json");
    fs::write(&state, "{").expect("break the state");
    container.verb(&["delete", "--force"]).run().ok();
    assert!(!directory.exists());
    assert!(dhow_tests::processes::describe(pid).is_none_or(|process| process.state == 'Z'));
}

/// A bit or two of damage make the name of one container's cgroup that of another.
fn force_with_a_damaged_state_spares_the_neighbour(test: &Test) {
    let (container, neighbour) = (test.sleeper("a"), test.sleeper("c"));
    let pid = container.pid();
    let directory = test.state_root().join(container.id());
    let state = directory.join("state.json");
    let text = fs::read_to_string(&state).expect("the state");
    let damaged = text.replace(
        &format!("dhow-{}\"", container.id()),
        &format!("dhow-{}\"", neighbour.id()),
    );
    assert_ne!(text, damaged, "the state names its cgroup");
    fs::write(&state, damaged).expect("damage the state");
    let refused = container.verb(&["kill"]).arg("TERM").run();
    refused.fails("state.json: is damaged (its checksum differs)");
    container.verb(&["delete", "--force"]).run().ok();
    assert!(!directory.exists());
    assert!(dhow_tests::processes::describe(pid).is_none_or(|process| process.state == 'Z'));
    assert_eq!(neighbour.status(), "running");
}

for_each_runtime!(
    removes_a_stopped_container,
    refuses_a_running_container,
    force_removes_a_running_container,
    force_removes_a_created_container,
    force_of_nothing_is_fine,
    refuses_an_unknown_id,
    force_twice_is_fine,
    the_id_is_free_again,
    force_ends_processes_that_outlive_the_first,
    removes_cgroups_below_its_own,
);

// runc sleeps; the rivals cannot delete without their state.
for_runtimes!([Dhow]; force_does_not_sleep, force_removes_a_container_with_broken_state, force_with_a_damaged_state_spares_the_neighbour);

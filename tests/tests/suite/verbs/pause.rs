//! `pause` and `resume`, and what the other verbs do with a paused container.

use super::kill::two_sleepers;
use dhow_tests::{Container, Test, for_each_runtime, for_runtimes, host, processes};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// How long a process is watched that must not move.
const WHILE: Duration = Duration::from_millis(150);

fn pause(container: &Container<'_>) {
    container.verb(&["pause"]).run().ok();
}

fn resume(container: &Container<'_>) {
    container.verb(&["resume"]).run().ok();
}

/// A container whose program counts in a file, and the file.
fn counter<'a>(test: &'a Test, name: &str) -> (Container<'a>, PathBuf) {
    let script = "i=0; while :; do i=$((i+1)); echo $i >/count; sleep 0.01; done";
    let bundle = test.bundle_running(&["sh", "-c", script]);
    let container = test.create(&bundle, name);
    container.start();
    let file = bundle.rootfs().join("count");
    let counts = processes::eventually(Duration::from_secs(5), || file.exists());
    assert!(counts, "the program does not count");
    (container, file)
}

/// Whether the file changes within the time.
fn changes(file: &PathBuf, limit: Duration) -> bool {
    let read = || fs::read_to_string(file).unwrap_or_default();
    let before = read();
    processes::eventually(limit, || read() != before)
}

fn stops_the_program_and_resume_lets_it_go_on(test: &Test) {
    let (container, file) = counter(test, "a");
    pause(&container);
    assert_eq!(container.status(), "paused");
    assert!(!changes(&file, WHILE), "it goes on although it is paused");
    resume(&container);
    assert_eq!(container.status(), "running");
    assert!(
        changes(&file, Duration::from_secs(5)),
        "it does not go on although it was resumed"
    );
}

fn the_list_says_paused(test: &Test) {
    let container = test.sleeper("a");
    pause(&container);
    let list = test.runtime().arg("list").run().ok().stdout();
    let line = list.lines().find(|line| line.contains(container.id()));
    assert!(line.is_some_and(|line| line.contains("paused")), "{list}");
}

/// The kernel is asked, no file: whoever freezes the cgroup, the container is paused.
fn the_status_is_the_kernel_s(test: &Test) {
    let container = test.sleeper("a");
    pause(&container);
    let directory = freezer(&container);
    if directory.join("cgroup.freeze").exists() {
        fs::write(directory.join("cgroup.freeze"), "0").expect("thaw");
    } else {
        fs::write(directory.join("freezer.state"), "THAWED").expect("thaw");
    }
    assert_eq!(container.status(), "running");
}

/// Where the container is frozen: in the unified hierarchy, else in the freezer of v1.
fn freezer(container: &Container<'_>) -> PathBuf {
    let controller = if host::unified().is_some() {
        ""
    } else {
        "freezer"
    };
    crate::config::cgroups::directory(container, controller)
}

fn pause_refuses_a_created_container(test: &Test) {
    let container = test.create(&test.bundle(), "a");
    let output = container.verb(&["pause"]).run();
    output.refuses(["cannot pause container", "cannot pause", "not running"]);
    assert_eq!(container.status(), "created");
}

fn pause_refuses_a_paused_container(test: &Test) {
    let container = test.sleeper("a");
    pause(&container);
    let output = container.verb(&["pause"]).run();
    output.refuses(["it is paused", "not running", "is not running"]);
    assert_eq!(container.status(), "paused");
}

fn pause_refuses_a_stopped_container(test: &Test) {
    let container = stopped(test);
    container
        .verb(&["pause"])
        .run()
        .refuses(["it is stopped", "not running", ""]);
}

fn resume_refuses_a_running_container(test: &Test) {
    let container = test.sleeper("a");
    let output = container.verb(&["resume"]).run();
    output.refuses(["it is running", "not paused", "is not paused"]);
    assert_eq!(container.status(), "running");
}

fn resume_refuses_a_created_container(test: &Test) {
    let container = test.create(&test.bundle(), "a");
    let output = container.verb(&["resume"]).run();
    output.refuses(["it is created", "not paused", ""]);
    assert_eq!(container.status(), "created");
}

fn resume_refuses_a_stopped_container(test: &Test) {
    let container = stopped(test);
    container
        .verb(&["resume"])
        .run()
        .refuses(["it is stopped", "not paused", ""]);
}

fn stopped(test: &Test) -> Container<'_> {
    let container = test.sleeper("a");
    container.kill("KILL").ok();
    container.wait_for("stopped");
    container
}

fn an_unknown_id_is_refused(test: &Test) {
    let id = test.id("nobody");
    for verb in ["pause", "resume"] {
        let output = test.runtime().args([verb, &id]).run();
        output.refuses(["does not exist", "does not exist", "no such file"]);
    }
}

fn start_refuses_a_paused_container(test: &Test) {
    let container = test.sleeper("a");
    pause(&container);
    let output = container.verb(&["start"]).run();
    output.refuses(["it is paused", "cannot start", ""]);
    assert_eq!(container.status(), "paused");
}

fn exec_refuses_a_paused_container(test: &Test) {
    let container = test.sleeper("a");
    pause(&container);
    let output = container.exec(&["true"]);
    output.refuses(["--ignore-paused", "paused", "paused"]);
    resume(&container);
    container.exec(&["true"]).ok();
}

/// The process stands still like the others until the container goes on.
fn exec_with_ignore_paused_waits_for_resume(test: &Test) {
    let container = test.sleeper("a");
    pause(&container);
    let command = container.exec_command(&["--ignore-paused"], &["echo", "went on"]);
    let executed = command.spawn();
    let frozen = processes::eventually(WHILE, || executed.has_ended());
    assert!(!frozen, "it ran in a paused container");
    assert_eq!(container.status(), "paused");
    resume(&container);
    assert_eq!(executed.wait().ok().stdout(), "went on\n");
}

fn delete_refuses_a_paused_container(test: &Test) {
    let container = test.sleeper("a");
    pause(&container);
    let output = container.verb(&["delete"]).run();
    output.refuses(["it is paused", "is not stopped", "not in"]);
    assert_eq!(container.status(), "paused");
}

fn delete_force_ends_a_paused_container(test: &Test) {
    let container = test.sleeper("a");
    let pid = container.pid();
    pause(&container);
    container.verb(&["delete", "--force"]).run().ok();
    let gone = || processes::describe(pid).is_none_or(|process| process.state == 'Z');
    assert!(gone(), "{:?}", processes::describe(pid));
}

fn kill_ends_a_paused_container(test: &Test) {
    let container = test.sleeper("a");
    pause(&container);
    container.kill("KILL").ok();
    container.wait_for("stopped");
}

/// Any other signal waits until the container goes on.
fn kill_waits_with_other_signals(test: &Test) {
    let script =
        "trap 'echo got >/got; exit 0' TERM; echo ready >/ready; while :; do sleep 0.02; done";
    let bundle = test.bundle_running(&["sh", "-c", script]);
    let container = test.create(&bundle, "a");
    container.start();
    let has = |file: &str| bundle.rootfs().join(file).exists();
    assert!(processes::eventually(Duration::from_secs(5), || has(
        "ready"
    )));
    pause(&container);
    container.kill("TERM").ok();
    assert!(!processes::eventually(WHILE, || has("got")));
    resume(&container);
    container.wait_for("stopped");
    assert!(has("got"));
}

fn kill_all_ends_a_paused_container(test: &Test) {
    let (container, sleepers) = two_sleepers(test);
    pause(&container);
    container.verb(&["kill", "--all"]).arg("KILL").run().ok();
    container.wait_for("stopped");
    assert!(processes::eventually(Duration::from_secs(5), || sleepers() == 0));
}

/// While another pauses and resumes it, a container is one or the other and never broken.
fn many_times(test: &Test) {
    let (container, file) = counter(test, "a");
    for _ in 0..20 {
        pause(&container);
        assert_eq!(container.status(), "paused");
        resume(&container);
        assert_eq!(container.status(), "running");
    }
    assert!(changes(&file, Duration::from_secs(5)));
}

/// A host with v1 hierarchies alone, as far as the runtime sees.
fn the_v1_freezer_alone_works_too(test: &Test) {
    dhow_tests::needs!(test, root, cgroup1);
    let bundle = test.bundle_running(&["sleep", "1000"]);
    let script = "umount /sys/fs/cgroup/unified 2>/dev/null; exec \"$@\"";
    let words = ["unshare", "--mount", "sh", "-c", script, "sh"];
    let make = |name: &str| {
        let command = test
            .runtime_after(&words)
            .args(["run", "--detach", "--bundle"]);
        let id = test.id(name);
        command.arg(bundle.path()).arg(&id).run().ok();
        test.container(name)
    };
    let container = make("a");
    let directory = crate::config::cgroups::directory(&container, "freezer");
    let state = || fs::read_to_string(directory.join("freezer.state")).expect("read");
    pause(&container);
    assert_eq!(
        (container.status().as_str(), state().trim()),
        ("paused", "FROZEN")
    );
    resume(&container);
    assert_eq!(
        (container.status().as_str(), state().trim()),
        ("running", "THAWED")
    );
    // Here no signal arrives before the thaw.
    pause(&container);
    container.kill("KILL").ok();
    container.wait_for("stopped");
    let other = make("b");
    pause(&other);
    other.verb(&["delete", "--force"]).run().ok();
}

for_each_runtime!(
    stops_the_program_and_resume_lets_it_go_on,
    the_list_says_paused,
    pause_refuses_a_stopped_container,
    resume_refuses_a_stopped_container,
    an_unknown_id_is_refused,
    delete_refuses_a_paused_container,
    delete_force_ends_a_paused_container,
    kill_waits_with_other_signals,
    kill_all_ends_a_paused_container,
    exec_refuses_a_paused_container,
    start_refuses_a_paused_container,
);

// crun 1.8 pauses and resumes whatever there is, and its SIGKILL waits in the freezer of v1; it has no
// --ignore-paused.
for_runtimes!([Dhow, Runc];
    pause_refuses_a_paused_container,
    resume_refuses_a_running_container,
    resume_refuses_a_created_container,
    kill_ends_a_paused_container,
    exec_with_ignore_paused_waits_for_resume,
);

// crun's pause returns while a v1 freezer still freezes, and its state then says "running" now and then.
for_runtimes!([Dhow, Runc]; many_times);

// runc pauses a created container; the rivals freeze by v1 wherever it is there.
for_runtimes!([Dhow];
    pause_refuses_a_created_container,
    the_status_is_the_kernel_s,
    the_v1_freezer_alone_works_too,
);

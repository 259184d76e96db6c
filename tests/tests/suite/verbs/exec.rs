//! `exec`: a further process in a living container.

use dhow_tests::{Test, for_each_runtime, for_runtimes, processes};
use rustix::process::Signal;
use std::fs;
use std::time::Duration;

fn runs_inside(test: &Test) {
    let container = test.sleeper("a");
    let output = container
        .exec(&["sh", "-c", "hostname; ls /bin/probe; cat /proc/1/cmdline"])
        .ok();
    let text = output.stdout().replace('\0', " ");
    assert_eq!(text, "dhow-test\n/bin/probe\nsleep 1000 ");
}

fn joins_every_namespace(test: &Test) {
    let container = test.sleeper("a");
    let report = container.exec(&["probe"]).ok().json();
    for kind in ["cgroup", "ipc", "mnt", "net", "pid", "user", "uts"] {
        let path = format!("/proc/{}/ns/{kind}", container.pid());
        let own = fs::read_link(path).expect("a namespace");
        assert_eq!(
            report["namespaces"][kind],
            own.display().to_string(),
            "{kind}"
        );
    }
}

fn is_in_the_cgroup_of_the_container(test: &Test) {
    let container = test.sleeper("a");
    let executed = container.exec_command(&[], &["sleep", "1001"]).spawn();
    let find = || {
        let all = processes::marked(test.mark());
        all.into_iter().find(|p| p.command == "sleep 1001")
    };
    assert!(processes::eventually(Duration::from_secs(5), || find().is_some()));
    let cgroup = |pid: i32| fs::read_to_string(format!("/proc/{pid}/cgroup")).expect("cgroup");
    let pid = find().expect("found before").pid;
    assert_eq!(cgroup(pid), cgroup(container.pid()));
    drop(executed);
}

fn returns_the_exit_code(test: &Test) {
    let container = test.sleeper("a");
    for code in [0, 1, 7, 126, 255] {
        container
            .exec(&["probe", "exit", &code.to_string()])
            .code_is(code);
    }
}

fn returns_128_plus_the_signal(test: &Test) {
    let container = test.sleeper("a");
    container.exec(&["sh", "-c", "kill -TERM $$"]).code_is(143);
    container.exec(&["sh", "-c", "kill -KILL $$"]).code_is(137);
}

fn connects_the_standard_streams(test: &Test) {
    let container = test.sleeper("a");
    let words = ["sh", "-c", "read a; echo out $a; echo err $a >&2"];
    let output = container
        .exec_command(&[], &words)
        .stdin(b"word\n")
        .run()
        .ok();
    assert_eq!(output.stdout(), "out word\n");
    assert_eq!(output.stderr(), "err word\n");
}

fn forwards_signals(test: &Test) {
    let container = test.sleeper("a");
    let script = "trap 'echo TERM; exit 9' TERM; echo ready; while :; do sleep 0.02; done";
    let running = container.exec_command(&[], &["sh", "-c", script]).spawn();
    let is_ready = processes::eventually(Duration::from_secs(5), || running.stdout() == "ready\n");
    assert!(is_ready, "{:?}", running.stdout());
    running.signal(Signal::TERM);
    running.wait().code_is(9);
}

fn says_when_the_program_is_missing(test: &Test) {
    let container = test.sleeper("a");
    let output = container.exec(&["/bin/nothing-here"]);
    // 255 as in runc: a shell and an engine can tell it from the program's own codes.
    output.code_is(255).fails("nothing-here");
}

fn refuses_a_stopped_container(test: &Test) {
    let container = test.sleeper("a");
    container.kill("KILL").ok();
    container.wait_for("stopped");
    container
        .exec(&["true"])
        .refuses(["stopped", "stopped", "not running"]);
}

fn refuses_an_unknown_id(test: &Test) {
    let id = test.id("nobody");
    let output = test.runtime().args(["exec", &id, "true"]).run();
    output.refuses(["does not exist", "does not exist", "no such file"]);
}

/// The specification allows it: engines prepare a container this way before they start it.
fn works_before_the_start(test: &Test) {
    let container = test.create(&test.bundle(), "a");
    let output = container.exec(&["hostname"]).ok();
    assert_eq!(output.stdout(), "dhow-test\n");
    assert_eq!(container.status(), "created");
}

fn detach_returns_and_the_process_stays(test: &Test) {
    let container = test.sleeper("a");
    let file = test.root().join("pid");
    let options = ["--detach", "--pid-file", file.to_str().expect("a path")];
    container
        .exec_command(&options, &["sleep", "1001"])
        .run()
        .ok();
    let pid: i32 = fs::read_to_string(&file)
        .expect("a pid file")
        .parse()
        .expect("a number");
    let is_there = processes::eventually(Duration::from_secs(2), || {
        processes::describe(pid).is_some_and(|process| process.command == "sleep 1001")
    });
    assert!(is_there, "{:?}", processes::describe(pid));
    let parent = processes::describe(pid).expect("it lives").parent;
    assert_ne!(
        parent,
        container.pid(),
        "it is no child of the container's first process"
    );
}

fn writes_the_pid_file_in_the_foreground(test: &Test) {
    let container = test.sleeper("a");
    let file = test.root().join("pid");
    let options = ["--pid-file", file.to_str().expect("a path")];
    container.exec_command(&options, &["true"]).run().ok();
    let text = fs::read_to_string(&file).expect("a pid file");
    assert!(text.parse::<u32>().is_ok(), "{text:?}");
}

fn ends_with_the_container(test: &Test) {
    let container = test.sleeper("a");
    let running = container.exec_command(&[], &["sleep", "1001"]).spawn();
    let lives = || {
        processes::marked(test.mark())
            .iter()
            .any(|p| p.command == "sleep 1001")
    };
    assert!(processes::eventually(Duration::from_secs(5), lives));
    container.kill("KILL").ok();
    running.wait().code_is(137);
}

fn many_at_once(test: &Test) {
    let container = test.sleeper("a");
    let all: Vec<_> = (0..10_u8)
        .map(|n| {
            container
                .exec_command(&[], &["probe", "exit", &n.to_string()])
                .spawn()
        })
        .collect();
    for (code, running) in (0..).zip(all) {
        running.wait().code_is(code);
    }
}

fn refuses_no_command(test: &Test) {
    let container = test.sleeper("a");
    container.exec(&[]).refuses(["program", "", ""]);
}

for_each_runtime!(
    runs_inside,
    joins_every_namespace,
    is_in_the_cgroup_of_the_container,
    returns_the_exit_code,
    returns_128_plus_the_signal,
    connects_the_standard_streams,
    forwards_signals,
    says_when_the_program_is_missing,
    refuses_a_stopped_container,
    refuses_an_unknown_id,
    works_before_the_start,
    detach_returns_and_the_process_stays,
    writes_the_pid_file_in_the_foreground,
    ends_with_the_container,
    many_at_once,
);

// The rivals print their usage, not what is missing.
for_runtimes!([Dhow]; refuses_no_command);

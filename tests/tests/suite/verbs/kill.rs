//! `kill`: signals by name and number.

use dhow_tests::{Container, Kind, Test, for_each_runtime, for_runtimes, processes};
use std::fs;
use std::time::Duration;

/// A container that writes the name of each signal it gets, and ends on TERM.
fn listener<'a>(test: &'a Test, name: &str) -> Container<'a> {
    let script = "for s in HUP INT USR1 USR2 WINCH; do trap \"echo $s >>/got\" $s; done; \
                  trap 'echo TERM >>/got; exit 9' TERM; echo ready >>/got; \
                  while :; do sleep 0.02; done";
    let bundle = test.bundle_running(&["sh", "-c", script]);
    let container = test.create(&bundle, name);
    container.start();
    wait_for_word(test, "ready");
    container
}

fn got(test: &Test) -> String {
    fs::read_to_string(test.root().join("bundle0/rootfs/got")).unwrap_or_default()
}

fn wait_for_word(test: &Test, word: &str) {
    let came = processes::eventually(Duration::from_secs(5), || got(test).contains(word));
    assert!(came, "{word} did not come, only {:?}", got(test));
}

fn takes_names_and_numbers(test: &Test) {
    let container = listener(test, "a");
    // crun knows no lower case.
    let lower = if test.is(Kind::Crun) { "USR2" } else { "usr2" };
    for (signal, word) in [
        ("HUP", "HUP"),
        ("SIGINT", "INT"),
        ("10", "USR1"),
        (lower, "USR2"),
    ] {
        container.kill(signal).ok();
        wait_for_word(test, word);
    }
}

fn sends_term_by_default(test: &Test) {
    let container = listener(test, "a");
    container.verb(&["kill"]).run().ok();
    wait_for_word(test, "TERM");
    container.wait_for("stopped");
}

fn refuses_unknown_signals(test: &Test) {
    let container = test.sleeper("a");
    for signal in ["MOON", "SIGMOON", "0x9", "999"] {
        container.kill(signal).refuses(["signal", "signal", ""]);
    }
    assert_eq!(container.status(), "running");
}

fn refuses_a_stopped_container(test: &Test) {
    let container = test.sleeper("a");
    container.kill("KILL").ok();
    container.wait_for("stopped");
    container
        .kill("TERM")
        .refuses(["stopped", "not running", ""]);
}

fn ends_a_container_that_waits_for_start(test: &Test) {
    let container = test.create(&test.bundle(), "a");
    container.kill("KILL").ok();
    container.wait_for("stopped");
}

fn refuses_an_unknown_id(test: &Test) {
    let id = test.id("nobody");
    let output = test.runtime().args(["kill", &id, "TERM"]).run();
    output.refuses(["does not exist", "does not exist", "no such file"]);
}

/// A container without a pid namespace that has two more processes than its first; says how many of them
/// live.
pub(super) fn two_sleepers(test: &Test) -> (Container<'_>, impl Fn() -> usize) {
    let bundle = test.bundle_with(|config| {
        config.drop_namespace("pid");
        config.args(&["sh", "-c", "sleep 1001 & sleep 1002 & wait"]);
    });
    let container = test.create(&bundle, "a");
    container.start();
    let sleepers = move || {
        let all = processes::marked(test.mark());
        all.iter()
            .filter(|process| process.command.starts_with("sleep 100"))
            .count()
    };
    assert!(processes::eventually(Duration::from_secs(5), || sleepers() == 2));
    (container, sleepers)
}

/// Without a pid namespace the end of the first process ends no other; `--all` reaches them.
fn all_reaches_every_process(test: &Test) {
    let (container, sleepers) = two_sleepers(test);
    container.verb(&["kill", "--all"]).arg("KILL").run().ok();
    assert!(processes::eventually(Duration::from_secs(5), || sleepers() == 0));
}

fn all_is_accepted_for_a_stopped_container(test: &Test) {
    let container = test.sleeper("a");
    container.kill("KILL").ok();
    container.wait_for("stopped");
    // Engines do so before every delete and expect success.
    container.verb(&["kill", "--all"]).arg("KILL").run().ok();
}

fn all_takes_any_signal(test: &Test) {
    let bundle = test.bundle_with(|config| {
        let one =
            "trap 'echo got >>/got; exit 0' USR1; echo ready >>/got; while :; do sleep 0.02; done";
        let two = format!("({one}) & ({one}) & wait; while :; do sleep 0.02; done");
        config.args(&["sh", "-c", &format!("trap : USR1; {two}")]);
    });
    let container = test.create(&bundle, "a");
    container.start();
    let count = |word: &str| got(test).matches(word).count();
    let ready = || count("ready") == 2;
    assert!(processes::eventually(Duration::from_secs(5), ready));
    container.verb(&["kill", "--all"]).arg("USR1").run().ok();
    let reached = || count("got") == 2;
    assert!(
        processes::eventually(Duration::from_secs(5), reached),
        "{:?}",
        got(test)
    );
    assert_eq!(container.status(), "running");
}

for_each_runtime!(
    all_takes_any_signal,
    takes_names_and_numbers,
    refuses_a_stopped_container,
    ends_a_container_that_waits_for_start,
    refuses_an_unknown_id,
    all_reaches_every_process,
    all_is_accepted_for_a_stopped_container,
    sends_term_by_default,
);

// crun sends signal 0 when it does not know the name, and says nothing.
for_runtimes!([Dhow, Runc]; refuses_unknown_signals);

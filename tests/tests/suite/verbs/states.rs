//! The table of states and verbs in ARCHITECTURE.md, cell by cell: what it forbids is refused by the state's
//! name, and changes nothing.

use dhow_tests::{Container, Test, for_runtimes, processes};
use rustix::process::Signal;
use serde_json::json;
use std::fs;
use std::time::Duration;

/// Every verb of the table, as words around the id.
const VERBS: [(&str, &[&str], &[&str]); 8] = [
    ("start", &["start"], &[]),
    ("kill", &["kill"], &["WINCH"]),
    ("exec", &["exec"], &["true"]),
    ("pause", &["pause"], &[]),
    ("resume", &["resume"], &[]),
    ("update", &["update", "--pids-limit", "50"], &[]),
    ("events", &["events", "--stats"], &[]),
    ("delete", &["delete"], &[]),
];

/// Refuses all these verbs in this state.
fn assert_refused(container: &Container<'_>, status: &str, forbidden: &[&str]) {
    assert_eq!(container.status(), status);
    for (verb, before, after) in VERBS {
        if forbidden.contains(&verb) {
            let output = container.verb(before).args(after).run();
            output.fails(&format!("it is {status}"));
            assert_eq!(container.status(), status, "after {verb}");
        }
    }
}

/// A creation that was cut off: its runtime is killed while a hook runs.
fn creating(test: &Test) {
    let path = |name: &str| test.root().join("out").join(name).display().to_string();
    let (ready, gate) = (path("ready"), path("gate"));
    test.command(&["mkfifo", &gate]).run().ok();
    let bundle = test.bundle_with(|config| {
        let script = format!(": >{ready}; read line <{gate}");
        let hook = json!({"path": "/bin/sh", "args": ["sh", "-c", script]});
        config.add_hook("createRuntime", hook);
    });
    let container = test.container("a");
    let create = container.create_command(&bundle).spawn();
    let runs = || fs::exists(&ready).unwrap_or(false);
    assert!(processes::eventually(Duration::from_secs(10), runs));
    create.signal(Signal::KILL);
    assert_eq!(create.wait().signal, Some(9));
    // The hook may end too.
    fs::write(&gate, "go\n").expect("open the gate");
    let all = VERBS.map(|(verb, ..)| verb);
    assert_refused(&container, "creating", &all);
    container.verb(&["delete", "--force"]).run().ok();
}

fn created(test: &Test) {
    let container = test.create(&test.bundle_running(&["sleep", "1000"]), "a");
    assert_refused(&container, "created", &["pause", "resume", "delete"]);
}

fn running(test: &Test) {
    let container = test.sleeper("a");
    assert_refused(&container, "running", &["start", "resume", "delete"]);
}

fn paused(test: &Test) {
    let container = test.sleeper("a");
    container.verb(&["pause"]).run().ok();
    let forbidden = ["start", "exec", "pause", "delete"];
    assert_refused(&container, "paused", &forbidden);
}

fn stopped(test: &Test) {
    let container = test.sleeper("a");
    container.kill("KILL").ok();
    container.wait_for("stopped");
    let forbidden = [
        "start", "kill", "exec", "pause", "resume", "update", "events",
    ];
    assert_refused(&container, "stopped", &forbidden);
}

/// The other half of the table: what is allowed works, in a life that goes through all states.
fn what_is_allowed_works(test: &Test) {
    let container = test.create(&test.bundle_running(&["sleep", "1000"]), "a");
    let run = |verb: &str| {
        let (_, before, after) = VERBS
            .iter()
            .find(|(name, ..)| *name == verb)
            .expect("a verb");
        container.verb(before).args(*after).run().ok();
    };
    for verbs in [
        &["kill", "exec", "update", "events", "start"][..],
        &["kill", "exec", "update", "events", "pause"],
        &["kill", "update", "events", "resume"],
    ] {
        verbs.iter().for_each(|verb| run(verb));
    }
    container.kill("KILL").ok();
    container.wait_for("stopped");
    run("delete");
}

// The rivals allow more and say it in other words: their half is in the tests of each verb.
for_runtimes!([Dhow]; creating, created, running, paused, stopped, what_is_allowed_works);

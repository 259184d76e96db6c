//! The verbs that change a running container.

use super::verbs::{sweep_change, sweep_verb};
use dhow_tests::{Container, Output, Test, for_runtimes, needs};
use serde_json::json;

/// What is missing of a container that shall have this status.
fn is(container: &Container<'_>, status: &str) -> Result<(), String> {
    match container.status() {
        found if found == status => Ok(()),
        found => Err(format!("the container is {found}")),
    }
}

fn pause(test: &Test) {
    needs!(test, root, native);
    let container = test.container("one");
    let whole = |_: &Output| is(&container, "paused");
    let prepare = || drop(test.sleeper("one"));
    sweep_verb(test, "pause", &["pause", "ID"], prepare, whole);
}

fn resume(test: &Test) {
    needs!(test, root, native);
    let container = test.container("one");
    let whole = |_: &Output| is(&container, "running");
    let prepare = || {
        test.sleeper("one").verb(&["pause"]).run().ok();
    };
    sweep_verb(test, "resume", &["resume", "ID"], prepare, whole);
}

/// The limits are the new ones or the old ones, never some of each.
fn update(test: &Test) {
    needs!(test, root, native, cgroup1);
    let container = test.container("one");
    let limits = || {
        let stats = container.verb(&["events", "--stats"]).run().ok().json();
        let data = &stats["data"];
        (
            data["memory"]["usage"]["limit"].clone(),
            data["pids"]["limit"].clone(),
        )
    };
    const MIB: u64 = 1 << 20;
    let (old, new) = ((json!(64 * MIB), json!(100)), (json!(32 * MIB), json!(50)));
    let prepare = || {
        let resources = json!({"memory": {"limit": 64 * MIB}, "pids": {"limit": 100}});
        let bundle = test.bundle_with(|config| {
            config.args(&["sleep", "1000"]);
            config["linux"]["resources"] = resources;
        });
        let made = test.create(&bundle, "one");
        made.start();
    };
    let whole = |output: &Output| match limits() {
        found if found == new => Ok(()),
        found => Err(format!("the limits are {found:?} after {output}")),
    };
    let half = || match limits() {
        found if found == old || found == new => Vec::new(),
        found => vec![format!("limits of {found:?}")],
    };
    let words = ["update", "--memory", "32M", "--pids-limit", "50", "ID"];
    sweep_change(test, "update", &words, prepare, whole, half);
}

fn events(test: &Test) {
    needs!(test, root, native);
    let whole = |output: &Output| match output.json()["data"]["pids"]["current"].as_u64() {
        Some(1) => Ok(()),
        found => Err(format!("it counts {found:?} processes")),
    };
    let prepare = || drop(test.sleeper("one"));
    sweep_verb(
        test,
        "events --stats",
        &["events", "--stats", "ID"],
        prepare,
        whole,
    );
}

for_runtimes!([Dhow]; events, pause, resume, update);

//! The verbs that need a cgroup, by an ordinary user with a systemd of its own: in the test VM.

use super::sweep::Sweep;
use super::verbs::{self, is};
use dhow_tests::{Test, for_runtimes, needs};
use serde_json::json;

/// Why this user cannot have a scope, if it cannot.
fn refusal() -> Option<&'static str> {
    let is_root = rustix::process::geteuid().is_root();
    is_root.then_some("needs to run as an ordinary user with a systemd of its own")
}

/// Makes a container in a scope of the user's systemd.
fn in_a_scope(test: &Test) -> impl Fn() {
    let bundle = test.bundle_with(|config| {
        let path = format!("user.slice:dhowtest:{}", test.mark());
        config["linux"]["cgroupsPath"] = json!(path);
        config.args(&["sleep", "1000"]);
    });
    move || {
        let run = test.runtime().arg("--systemd-cgroup");
        let run = run.args(["run", "--detach", "--bundle"]);
        run.arg(bundle.path()).arg(test.id("one")).run().ok();
    }
}

fn pause(test: &Test) {
    needs!(test, userns, cgroup2, systemd);
    if let Some(reason) = refusal() {
        return test.skip(reason);
    }
    let _ = test.become_user();
    let sweep = Sweep::new(test, "pause, rootless");
    let whole = |_: &dhow_tests::Output| is(test, "paused");
    verbs::on_container(sweep, &["pause", "ID"], in_a_scope(test), whole);
}

fn update(test: &Test) {
    needs!(test, userns, cgroup2, systemd);
    if let Some(reason) = refusal() {
        return test.skip(reason);
    }
    let _ = test.become_user();
    let sweep = Sweep::new(test, "update, rootless");
    let whole = |_: &dhow_tests::Output| {
        let container = test.container("one");
        let stats = container.verb(&["events", "--stats"]).run().ok().json();
        match stats["data"]["pids"]["limit"].as_u64() {
            Some(17) => Ok(()),
            other => Err(format!("the limit is {other:?}")),
        }
    };
    let words = ["update", "--pids-limit", "17", "ID"];
    verbs::on_container(sweep, &words, in_a_scope(test), whole);
}

for_runtimes!([Dhow]; pause, update);

//! The verbs that need a cgroup, for an ordinary user: with one of the user's own systemd, and without.

use dhow_tests::{Test, for_runtimes, needs};
use serde_json::json;

/// What cannot be done is said, with the reason; nothing is passed over in silence.
fn without_a_cgroup_it_is_told(test: &Test) {
    needs!(test, userns);
    let _ = test.become_user();
    let container = test.sleeper("a");
    let reason = "without a delegated group";
    container.verb(&["pause"]).run().fails(reason);
    container.verb(&["events", "--stats"]).run().fails(reason);
    let update = container.verb(&["update", "--pids-limit", "5"]).run();
    update.fails("linux.resources.pids.limit");
    let all = container.verb(&["kill", "--all"]).arg("HUP").run();
    all.fails("no cgroup that tells its processes");
    assert_eq!(container.status(), "running");
    // The end of the first process of a pid namespace is the end of all.
    container.verb(&["kill", "--all"]).arg("KILL").run().ok();
    container.wait_for("stopped");
    container.verb(&["kill", "--all"]).arg("KILL").run().ok();
}

fn a_scope_of_the_user_is_paused_updated_and_measured(test: &Test) {
    needs!(test, userns, cgroup2, systemd);
    if rustix::process::geteuid().is_root() {
        test.skip("needs to run as an ordinary user with a systemd of its own");
        return;
    }
    let _ = test.become_user();
    let bundle = test.bundle_with(|config| {
        let path = format!("user.slice:dhowtest:{}", test.mark());
        config["linux"]["cgroupsPath"] = json!(path);
        config.args(&["sleep", "1000"]);
    });
    let id = test.id("a");
    let command = test.runtime().arg("--systemd-cgroup");
    let command = command.args(["run", "--detach", "--bundle"]);
    command.arg(bundle.path()).arg(&id).run().ok();
    let container = test.container("a");
    container.verb(&["pause"]).run().ok();
    assert_eq!(container.status(), "paused");
    container.verb(&["resume"]).run().ok();
    let limit = ["update", "--pids-limit", "17"];
    container.verb(&limit).run().ok();
    let stats = container.verb(&["events", "--stats"]).run().ok().json();
    assert_eq!(stats["data"]["pids"], json!({"current": 1, "limit": 17}));
    container.verb(&["delete", "--force"]).run().ok();
}

// The rivals have other words for it, or none.
for_runtimes!([Dhow]; without_a_cgroup_it_is_told, a_scope_of_the_user_is_paused_updated_and_measured);

//! What holds over the verbs of one container's life (runtime.md, Lifecycle and Operations).

use dhow_tests::{Test, for_runtimes};
use serde_json::json;

/// The document counts as it was at `create`: for the program, for `exec`, and for the hooks that come later.
fn later_changes_of_the_document_change_nothing(test: &Test) {
    let bundle = test.bundle_with(|config| {
        config.args(&["sh", "-c", "echo before >/said; exec sleep 1000"]);
        config["annotations"] = json!({"which": "before"});
        config["hostname"] = json!("before");
    });
    let container = test.create(&bundle, "a");
    bundle.edit(|config| {
        config.args(&["sh", "-c", "echo after >/said; exec sleep 1000"]);
        config["annotations"] = json!({"which": "after"});
        config["hostname"] = json!("after");
        config["process"]["user"] = json!({"uid": 5, "gid": 5});
        config.add_hook("poststop", json!({"path": "/nonexistent"}));
    });
    container.start();
    let said = container.exec(&[
        "sh",
        "-c",
        "until test -s /said; do sleep 0.05; done; cat /said; hostname; id -u",
    ]);
    assert_eq!(said.ok().stdout(), "before\nbefore\n0\n");
    assert_eq!(container.state()["annotations"], json!({"which": "before"}));
    bundle.write_text("no document at all");
    container.kill("KILL").ok();
    container.wait_for("stopped");
    container.verb(&["delete"]).run().ok();
}

/// An operation that is not told which container it is for is an error, and so is one for nobody.
fn every_operation_needs_a_container(test: &Test) {
    for verb in ["state", "create", "start", "kill", "delete"] {
        test.runtime().arg(verb).run().fails("id");
    }
    for words in [
        &["state", "nobody"] as &[&str],
        &["start", "nobody"],
        &["kill", "nobody", "TERM"],
        &["delete", "nobody"],
    ] {
        test.runtime()
            .args(words.to_vec())
            .run()
            .fails("does not exist");
    }
}

/// What is no operation of its state has no effect: the program is asked afterwards.
fn refused_operations_have_no_effect(test: &Test) {
    let bundle = test.bundle_running(&[
        "sh",
        "-c",
        "trap 'echo got' TERM; echo up; while :; do sleep 0.05; done",
    ]);
    let container = test.create(&bundle, "a");
    container.start();
    container.verb(&["start"]).run().fails("running");
    container.verb(&["delete"]).run().fails("running");
    assert_eq!(container.status(), "running");
    container.kill("KILL").ok();
    container.wait_for("stopped");
    container.verb(&["start"]).run().fails("stopped");
    container.kill("TERM").fails("stopped");
    assert_eq!(container.status(), "stopped");
}

// runc takes the user of `exec` from the document as it is then.
for_runtimes!([Dhow, Crun]; later_changes_of_the_document_change_nothing);

// The rivals say it in other words.
for_runtimes!([Dhow]; every_operation_needs_a_container, refused_operations_have_no_effect);

//! `state`: the document other tools read.

use dhow_tests::{Test, for_each_runtime, for_runtimes, schema};
use serde_json::json;
use std::path::Path;

fn follows_the_schema_in_every_status(test: &Test) {
    let bundle = test.bundle_running(&["sleep", "1000"]);
    let container = test.create(&bundle, "a");
    let check = |status: &str| {
        let state = container.state();
        schema::assert_follows(&state, "state-schema.json");
        assert_eq!(state["status"], status);
        assert_eq!(state["id"], container.id());
        assert_eq!(state["bundle"], json!(bundle.path()));
        state
    };
    let pid = check("created")["pid"].clone();
    container.start();
    assert_eq!(check("running")["pid"], pid);
    container.kill("KILL").ok();
    container.wait_for("stopped");
    assert_eq!(check("stopped")["pid"], 0);
}

fn has_what_runc_adds(test: &Test) {
    let bundle = test.bundle();
    let state = test.create(&bundle, "a").state();
    // Engines read these two, which the specification does not have.
    assert_eq!(state["rootfs"], json!(bundle.rootfs()));
    let created = state["created"].as_str().expect("a time");
    assert!(
        created.starts_with("20") && created.ends_with('Z'),
        "{created}"
    );
}

fn the_bundle_is_absolute(test: &Test) {
    let bundle = test.bundle();
    let id = test.id("a");
    let name = Path::new(bundle.path().file_name().expect("a name"));
    let command = test
        .runtime()
        .args(["create", "--bundle"])
        .arg(name)
        .arg(&id);
    command.cwd(test.root()).run().ok();
    let state = test.runtime().args(["state", &id]).run().ok().json();
    assert_eq!(state["bundle"], json!(bundle.path()));
}

fn carries_the_annotations(test: &Test) {
    let annotations = json!({"org.example.a": "1", "with space": "ü\n\"x\""});
    let bundle = test.bundle_with(|config| config["annotations"] = annotations.clone());
    assert_eq!(
        test.create(&bundle, "a").state()["annotations"],
        annotations
    );
}

fn refuses_an_unknown_id(test: &Test) {
    let id = test.id("nobody");
    let output = test.runtime().args(["state", &id]).run();
    output
        .code_is(1)
        .refuses(["does not exist", "does not exist", "no such file"]);
}

fn a_killed_process_is_stopped(test: &Test) {
    let container = test.sleeper("a");
    let pid = container.pid().to_string();
    test.command(&["kill", "-KILL", &pid]).run().ok();
    container.wait_for("stopped");
}

for_each_runtime!(
    follows_the_schema_in_every_status,
    the_bundle_is_absolute,
    carries_the_annotations,
    refuses_an_unknown_id,
    a_killed_process_is_stopped,
);

// crun prints the path of the root as config.json has it.
for_runtimes!([Dhow, Runc]; has_what_runc_adds);

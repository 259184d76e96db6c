//! What is written for another platform or another version is refused by name; what nobody knows is ignored.

use dhow_tests::{Test, for_each_runtime, for_runtimes};
use serde_json::{Value, json};

fn properties_of_other_platforms_are_refused_by_name(test: &Test) {
    let cases: [(&str, Value); 6] = [
        ("vm", json!({"kernel": {"path": "/boot/vmlinuz"}})),
        (
            "solaris",
            json!({"milestone": "svc:/milestone/container:default"}),
        ),
        ("zos", json!({})),
        ("freebsd", json!({"jail": {"host": "new"}})),
        ("process.commandLine", json!("cmd /c dir")),
        ("process.user.username", json!("containeradministrator")),
    ];
    for (path, value) in cases {
        let output = test.run_with(|config| {
            let pointer = format!("/{}", path.replace('.', "/"));
            let (parent, name) = pointer.rsplit_once('/').expect("a slash");
            config.pointer_mut(parent).expect("it is there")[name] = value;
        });
        output.fails(&format!("config.json: {path}: "));
    }
}

/// A bundle for Windows has no `linux`; with both it is Linux's that counts here.
fn a_bundle_for_windows_is_refused(test: &Test) {
    let output = test.run_with(|config| {
        config.as_object_mut().expect("an object").remove("linux");
        config["windows"] = json!({"layerFolders": ["C:\\layers"]});
    });
    output.fails("config.json: windows: ");
}

fn versions_of_the_specification(test: &Test) {
    for good in ["1.0.0", "1.0.2-dev", "1.3.0", "1.2.1+build.5"] {
        test.run_with(|config| config["ociVersion"] = json!(good))
            .ok();
    }
    for bad in ["2.0.0", "0.9.0", "1.3", "one", "", "1.03.0"] {
        let output = test.run_with(|config| config["ociVersion"] = json!(bad));
        output.fails("config.json: ociVersion: ");
    }
}

fn an_annotation_needs_a_key(test: &Test) {
    let output = test.run_with(|config| config["annotations"] = json!({"": "x"}));
    output.fails("config.json: annotations: ");
    let output = test.run_with(|config| config["annotations"] = json!({"a": 1}));
    output.fails("annotations");
    test.run_with(|config| config["annotations"] = json!({"a": ""}))
        .ok();
}

/// Unknown keys, also in the namespace of the specification, are carried and mean nothing.
fn unknown_annotations_change_nothing(test: &Test) {
    let keys = json!({
        "org.opencontainers.image.os": "linux",
        "org.opencontainers.image.architecture": "amd64",
        "org.opencontainers.moon": "full",
        "x": "y",
    });
    let bundle = test.bundle_with(|config| config["annotations"] = keys.clone());
    let container = test.create(&bundle, "a");
    assert_eq!(container.state()["annotations"], keys);
}

/// A document in which a name stands twice says two things (glossary.md, JSON).
fn text_that_is_no_json_is_refused(test: &Test) {
    let bundle = test.bundle();
    bundle.write_text("{\"ociVersion\": \"1.0.0\", \"ociVersion\": \"1.0.1\"}");
    test.run_bundle(&bundle).fails("ociVersion");
    std::fs::write(
        bundle.path().join("config.json"),
        b"{\"ociVersion\": \"1.\xff\"}",
    )
    .expect("write");
    test.run_bundle(&bundle).fails("config.json");
}

for_each_runtime!(unknown_annotations_change_nothing);

// The rivals ignore all of it.
for_runtimes!([Dhow];
    properties_of_other_platforms_are_refused_by_name,
    a_bundle_for_windows_is_refused,
    versions_of_the_specification,
    an_annotation_needs_a_key,
    text_that_is_no_json_is_refused,
);

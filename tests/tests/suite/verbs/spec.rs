//! `spec`: a template that runs.

use dhow_tests::{Bundle, Config, Kind, Test, for_each_runtime, needs, schema};
use serde_json::json;
use std::fs;

/// Writes the template into a bundle in place of its config.
fn write_template(test: &Test, options: &[&str]) -> Bundle {
    let bundle = test.bundle();
    fs::remove_file(bundle.path().join("config.json")).expect("remove");
    let command = test.runtime().arg("spec").args(options).cwd(bundle.path());
    command.run().ok();
    bundle
}

fn follows_the_schema(test: &Test) {
    for options in [&[][..], &["--rootless"]] {
        let bundle = write_template(test, options);
        let text = fs::read_to_string(bundle.path().join("config.json")).expect("it is written");
        schema::assert_follows(&Config::parse(&text), "config-schema.json");
    }
}

fn the_template_runs(test: &Test) {
    let bundle = write_template(test, &[]);
    bundle.edit(|config| {
        assert_eq!(config["process"]["terminal"], true);
        config["process"]["terminal"] = json!(false);
    });
    let output = test
        .run_command(&bundle, "a")
        .stdin(b"id -u; exit 5\n")
        .run();
    assert!(output.code_is(5).stdout().contains('0'));
}

fn the_rootless_template_runs_for_an_ordinary_user(test: &Test) {
    needs!(test, userns);
    let user = test.become_user();
    let bundle = test.bundle();
    fs::remove_file(bundle.path().join("config.json")).expect("remove");
    test.runtime()
        .args(["spec", "--rootless"])
        .cwd(bundle.path())
        .run()
        .ok();
    bundle.edit(|config| {
        // crun maps at run time what its template leaves out.
        if !test.is(Kind::Crun) {
            assert_eq!(config["linux"]["uidMappings"][0]["hostID"], user.id);
        }
        config["process"]["terminal"] = json!(false);
    });
    let output = test
        .run_command(&bundle, "a")
        .stdin(b"id -u; exit 5\n")
        .run();
    assert!(output.code_is(5).stdout().contains('0'));
}

fn takes_a_bundle_elsewhere(test: &Test) {
    let bundle = test.bundle();
    fs::remove_file(bundle.path().join("config.json")).expect("remove");
    test.runtime()
        .args(["spec", "--bundle"])
        .arg(bundle.path())
        .run()
        .ok();
    assert!(bundle.path().join("config.json").exists());
}

fn never_overwrites(test: &Test) {
    let bundle = test.bundle();
    let file = bundle.path().join("config.json");
    let before = fs::read(&file).expect("read");
    let output = test.runtime().arg("spec").cwd(bundle.path()).run();
    output.refuses(["config.json", "exists", "config.json"]);
    assert_eq!(fs::read(&file).expect("read"), before);
}

for_each_runtime!(
    follows_the_schema,
    the_template_runs,
    the_rootless_template_runs_for_an_ordinary_user,
    takes_a_bundle_elsewhere,
    never_overwrites,
);

//! `plan`: what would be done, as data, with nothing done.

use dhow_tests::{Test, for_runtimes, leak::Snapshot};
use serde_json::{Value, json};

fn plan(test: &Test, change: impl FnOnce(&mut dhow_tests::Config)) -> dhow_tests::Output {
    let bundle = test.bundle_with(change);
    test.runtime()
        .args(["plan", "--bundle"])
        .arg(bundle.path())
        .run()
}

fn prints_json_and_does_nothing(test: &Test) {
    let before = Snapshot::take(test.mark(), test.root());
    let text = plan(test, |config| config.args(&["touch", "/made"])).ok();
    assert!(text.json().is_object(), "{text}");
    before.assert_unchanged();
    assert!(!test.root().join("bundle0/rootfs/made").exists());
}

fn contains(value: &Value, text: &str) -> bool {
    value.to_string().contains(text)
}

fn changes_with_the_config(test: &Test) {
    let base = plan(test, |_| {}).ok().json();
    assert!(!contains(&base, "/somewhere"));
    let with_mount = plan(test, |config| {
        config.add_mount("tmpfs", "tmpfs", "/somewhere", &["nosuid", "size=7m"]);
    });
    let with_mount = with_mount.ok().json();
    assert!(contains(&with_mount, "/somewhere") && contains(&with_mount, "\"7m\""));
}

fn refuses_what_create_would_refuse(test: &Test) {
    plan(test, |config| config["process"]["cwd"] = json!("relative")).fails("process.cwd");
    let moon = json!({"type": "moon"});
    plan(test, |config| config["linux"]["namespaces"][0] = moon).fails("linux.namespaces[0].type");
}

for_runtimes!([Dhow];
    prints_json_and_does_nothing,
    changes_with_the_config,
    refuses_what_create_would_refuse,
);

//! `linux.intelRdt`: checked, and refused by name where the host has no resctrl.

use dhow_tests::{Test, for_runtimes};
use serde_json::{Value, json};

fn refused(test: &Test, property: Value, text: &str) {
    let output = test.run_with(|config| config["linux"]["intelRdt"] = property);
    output.fails(text);
}

/// Before anything of the host is looked at.
fn impossible_values_are_refused_by_path(test: &Test) {
    refused(
        test,
        json!({"closID": "a/b"}),
        "linux.intelRdt.closID: \"a/b\"",
    );
    refused(test, json!({"closID": ".."}), "linux.intelRdt.closID");
    refused(
        test,
        json!({"memBwSchema": "L3:0=f"}),
        "linux.intelRdt.memBwSchema",
    );
    refused(
        test,
        json!({"memBwSchema": "MB:0=20\nMB:1=20"}),
        "linux.intelRdt.memBwSchema",
    );
    refused(
        test,
        json!({"l3CacheSchema": "all"}),
        "linux.intelRdt.l3CacheSchema",
    );
    refused(
        test,
        json!({"schemata": ["L2:0=3", "L2:0=3\nL2:1=3"]}),
        "linux.intelRdt.schemata[1]",
    );
}

fn without_resctrl_it_is_refused(test: &Test) {
    if std::path::Path::new("/sys/fs/resctrl/schemata").exists() {
        test.skip("this host has resctrl");
        return;
    }
    for property in [
        json!({}),
        json!({"closID": "dhow", "schemata": ["L3:0=f"]}),
        json!({"enableMonitoring": true}),
    ] {
        refused(
            test,
            property,
            "linux.intelRdt: no resctrl filesystem is mounted",
        );
    }
}

fn update_needs_a_class(test: &Test) {
    let container = test.sleeper("a");
    for (flag, line, text) in [
        (
            "--l3-cache-schema",
            "L3:0=f",
            "created without linux.intelRdt",
        ),
        (
            "--mem-bw-schema",
            "MB:0=50",
            "created without linux.intelRdt",
        ),
        (
            "--mem-bw-schema",
            "L3:0=f",
            "--mem-bw-schema: \"L3:0=f\" does not begin with MB:",
        ),
        (
            "--l3-cache-schema",
            "much",
            "--l3-cache-schema: \"much\" does not begin with L3",
        ),
    ] {
        container.verb(&["update", flag, line]).run().fails(text);
    }
}

for_runtimes!([Dhow];
    impossible_values_are_refused_by_path,
    without_resctrl_it_is_refused,
    update_needs_a_class,
);

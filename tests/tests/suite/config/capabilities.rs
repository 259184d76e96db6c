//! `process.capabilities`: five sets, no more and no less than asked for.

use dhow_tests::{Test, for_each_runtime, for_runtimes};
use serde_json::{Value, json};

/// CAP_CHOWN 0, CAP_KILL 5, CAP_NET_RAW 13.
const CHOWN: &str = "CAP_CHOWN";
const KILL: &str = "CAP_KILL";
const NET_RAW: &str = "CAP_NET_RAW";

fn sets(test: &Test, capabilities: Value, uid: u32) -> Value {
    let report = test.probe_with(|config| {
        config["process"]["capabilities"] = capabilities;
        config["process"]["user"]["uid"] = json!(uid);
    });
    report["capabilities"].clone()
}

fn each_set_is_its_own(test: &Test) {
    let wanted = json!({
        "bounding": [CHOWN, KILL, NET_RAW], "permitted": [CHOWN, KILL, NET_RAW],
        "effective": [CHOWN, KILL], "inheritable": [CHOWN], "ambient": [CHOWN]
    });
    let sets = sets(test, wanted, 1000);
    assert_eq!(sets["bounding"], "0000000000002021");
    assert_eq!(sets["inheritable"], "0000000000000001");
    assert_eq!(sets["ambient"], "0000000000000001");
    // Ambient ones survive the execve of an ordinary user; the others do not.
    assert_eq!(sets["permitted"], "0000000000000001");
    assert_eq!(sets["effective"], "0000000000000001");
}

fn root_keeps_what_is_bounded(test: &Test) {
    let names = json!([CHOWN, KILL]);
    let wanted = json!({"bounding": names, "permitted": names, "effective": names});
    let sets = sets(test, wanted, 0);
    for set in ["bounding", "permitted", "effective"] {
        assert_eq!(sets[set], "0000000000000021", "{set}");
    }
    for set in ["inheritable", "ambient"] {
        assert_eq!(sets[set], "0000000000000000", "{set}");
    }
}

fn no_capabilities_means_none(test: &Test) {
    for empty in [
        json!({}),
        json!({"bounding": [], "permitted": [], "effective": []}),
    ] {
        let sets = sets(test, empty, 0);
        for set in [
            "bounding",
            "permitted",
            "effective",
            "inheritable",
            "ambient",
        ] {
            assert_eq!(sets[set], "0000000000000000", "{set}");
        }
    }
}

/// Engines send lists from newer kernels; what this kernel lacks is a warning, not an end.
fn an_unknown_name_is_a_warning(test: &Test) {
    let names = json!([CHOWN, "CAP_MOON"]);
    let log = test.root().join("log");
    let bundle = test.bundle_with(|config| {
        config["process"]["capabilities"] =
            json!({"bounding": names, "permitted": names, "effective": names});
        config.args(&["/bin/probe"]);
    });
    let command = test
        .runtime()
        .arg("--log")
        .arg(&log)
        .args(["run", "--bundle"]);
    let output = command.arg(bundle.path()).arg(test.id("a")).run().ok();
    assert_eq!(
        output.json()["capabilities"]["effective"],
        "0000000000000001"
    );
    let said = std::fs::read_to_string(&log).unwrap_or_default() + &output.stderr();
    assert!(said.contains("CAP_MOON"), "no word of it: {said}");
}

for_each_runtime!(
    each_set_is_its_own,
    root_keeps_what_is_bounded,
    no_capabilities_means_none
);

// crun says nothing.
for_runtimes!([Dhow, Runc]; an_unknown_name_is_a_warning);

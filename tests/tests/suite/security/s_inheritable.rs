//! S-INH (CVE-2022-29162, 24769, CVE-2025-27612 …) and S-CAPUSER (CVE-2018-10856, CVE-2021-20188):
//! capability sets that were filled by default, or kept by an ordinary user.

use dhow_tests::{Test, for_each_runtime, for_runtimes, needs};
use serde_json::{Value, json};

const NONE: &str = "0000000000000000";

fn assert_nothing_inheritable(report: &Value) {
    assert_eq!(
        report["capabilities"]["inheritable"], NONE,
        "{}",
        report["capabilities"]
    );
    assert_eq!(
        report["capabilities"]["ambient"], NONE,
        "{}",
        report["capabilities"]
    );
}

fn run_has_no_inheritable(test: &Test) {
    for uid in [0, 1000] {
        let report = test.probe_with(|c| c["process"]["user"]["uid"] = json!(uid));
        assert_nothing_inheritable(&report);
    }
}

fn exec_has_no_inheritable(test: &Test) {
    let container = test.sleeper("a");
    for options in [&[][..], &["--user", "1000:1000"], &["--cap", "CAP_NET_RAW"]] {
        let report = container
            .exec_command(options, &["probe"])
            .run()
            .ok()
            .json();
        assert_nothing_inheritable(&report);
    }
}

fn uid_1000_inside_has_none(test: &Test) {
    let user = json!({"uid": 1000, "gid": 1000});
    let report = test.probe_with(|c| c["process"]["user"] = user);
    assert_eq!(report["capabilities"]["permitted"], NONE);
    assert_eq!(report["capabilities"]["effective"], NONE);
    // AUDIT_WRITE 29, KILL 5, NET_BIND_SERVICE 10: what a set-uid program could still have.
    assert_eq!(report["capabilities"]["bounding"], "0000000020000420");
}

/// The same config keeps its promise when an ordinary user runs the container.
fn nothing_inheritable_for_an_ordinary_user(test: &Test) {
    needs!(test, userns);
    let _ = test.become_user();
    assert_nothing_inheritable(&test.probe(&test.bundle()));
}

/// A program with an inheritable file capability gains nothing from it.
fn a_file_capability_gains_nothing(test: &Test) {
    needs!(test, root);
    let Some(setcap) = dhow_tests::program::on_path("setcap") else {
        test.skip("setcap is not installed");
        return;
    };
    let bundle = test.bundle_with(|config| {
        config["process"]["user"] = json!({"uid": 1000, "gid": 1000});
        config["process"]["noNewPrivileges"] = json!(false);
    });
    test.command(&[setcap.as_os_str()])
        .arg("cap_kill,cap_net_bind_service+i")
        .arg(bundle.rootfs().join("bin/probe"))
        .run()
        .ok();
    let report = test.probe(&bundle);
    assert_eq!(report["capabilities"]["effective"], NONE);
    assert_eq!(report["capabilities"]["permitted"], NONE);
}

for_each_runtime!(
    run_has_no_inheritable,
    uid_1000_inside_has_none,
    nothing_inheritable_for_an_ordinary_user,
    a_file_capability_gains_nothing,
);

// crun 1.8 fills the inheritable set by `exec --cap`.
for_runtimes!([Dhow, Runc]; exec_has_no_inheritable);

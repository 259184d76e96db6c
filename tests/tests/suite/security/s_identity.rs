//! S-GROUPS (CVE-2022-36109 …) and S-USER (CVE-2016-3697, CVE-2024-40635 …), the numeric cases.

use dhow_tests::{Test, for_each_runtime, for_runtimes};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};

/// "Everybody but this group": the group must be among those of its member.
fn deny_by_group_denies(test: &Test) {
    let bundle = test.bundle_with(|config| {
        config["process"]["user"] = json!({"uid": 1000, "gid": 50, "additionalGids": [7]});
        config.args(&["probe", "open", "/denied", "r"]);
    });
    let file = bundle.rootfs().join("denied");
    fs::write(&file, "secret").expect("write");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o604)).expect("chmod");
    chown(&file, Some(0), Some(50)).expect("chown");
    assert_eq!(test.run_bundle(&bundle).ok().json()["errno"], 13);
}

/// None of the caller's own groups crosses.
fn groups_in_twelve_combinations(test: &Test) {
    for uid in [0_u32, 1000] {
        for gid in [0_u32, 50] {
            for groups in [&[][..], &[7], &[50, 7, 65_534]] {
                let user = json!({"uid": uid, "gid": gid, "additionalGids": groups});
                let report = test.probe_with(|c| c["process"]["user"] = user);
                let wanted = test.expected_groups(gid, groups);
                assert_eq!(report["groups"], wanted, "uid {uid} gid {gid} {groups:?}");
            }
        }
    }
}

/// A number that is none, or too large, is refused by place: it never becomes 0.
fn numbers_that_are_none_are_refused(test: &Test) {
    let bad = [
        json!(-1),
        json!(4_294_967_295_u64),
        json!(4_294_967_296_u64),
        json!(99_999_999_999_u64),
        json!("0"),
        json!("root"),
        json!("1000"),
        json!(1.5),
        json!([0]),
    ];
    for field in ["uid", "gid"] {
        for value in &bad {
            let output = test.run_with(|c| c["process"]["user"][field] = value.clone());
            output.fails(&format!("process.user.{field}"));
        }
    }
}

fn the_same_for_further_groups(test: &Test) {
    for value in [
        json!(-1),
        json!(4_294_967_296_u64),
        json!("wheel"),
        Value::Bool(true),
    ] {
        let output = test.run_with(|c| c["process"]["user"]["additionalGids"] = json!([5, value]));
        output.fails("process.user.additionalGids[1]");
    }
}

/// `exec --user` takes numbers only: a name would be looked up in files of the image.
fn exec_takes_numbers_only(test: &Test) {
    let container = test.sleeper("a");
    let passwd = "evil:x:0:0::/:/bin/sh\n1000:x:0:0::/:/bin/sh\n+1000:x:0:0::/:/bin/sh\n";
    fs::write(test.root().join("bundle0/rootfs/etc/passwd"), passwd).expect("write");
    let ask = |user: &str| container.exec_command(&["--user", user], &["probe"]).run();
    assert_eq!(ask("1000").ok().json()["uid"][0], 1000);
    assert_eq!(ask("2147483648").ok().json()["uid"][0], 2_147_483_648_u32);
    for user in [
        "evil",
        "+1000",
        "0x3e8",
        " 1000",
        "1000 ",
        "-1",
        "4294967295",
        "4294967296",
        "99999999999",
        ":5",
        "5:",
        "5:evil",
    ] {
        ask(user).fails("user");
    }
}

for_each_runtime!(groups_in_twelve_combinations);

// The rivals leave "deny by group" to the engine, speak in the words of their parsers, and crun
// takes what is no number for 0.
for_runtimes!([Dhow];
    deny_by_group_denies,
    numbers_that_are_none_are_refused,
    the_same_for_further_groups,
    exec_takes_numbers_only,
);

//! As an ordinary user (root plays one, an ordinary user is one): maps of one id by the kernel alone, ranges by newuidmap and newgidmap.

use dhow_tests::{Kind, Test, for_each_runtime, for_runtimes, needs};
use serde_json::json;

fn one_id_needs_no_helper(test: &Test) {
    needs!(test, userns);
    let user = test.become_user();
    let report = test.probe(&test.bundle());
    let map: Vec<_> = report["uidMap"]
        .as_str()
        .expect("text")
        .split_whitespace()
        .collect();
    assert_eq!(map, ["0", &user.id.to_string(), "1"]);
    assert_eq!(report["uid"][0], 0);
    assert_eq!(report["setgroups"], "deny");
}

fn ranges_come_from_subuid(test: &Test) {
    needs!(test, userns, subid_tools);
    let user = test.become_user();
    let bundle = test.bundle_with(|config| {
        let map = json!([
            {"containerID": 0, "hostID": user.id, "size": 1},
            {"containerID": 1, "hostID": user.subordinate, "size": 65_536}
        ]);
        config["linux"]["uidMappings"] = map.clone();
        config["linux"]["gidMappings"] = map;
        config["process"]["user"] = json!({"uid": 1000, "gid": 1000});
        // runc 1.1 refuses further groups here.
        if !test.is(Kind::Runc) {
            config["process"]["user"]["additionalGids"] = json!([50]);
        }
    });
    let report = test.probe(&bundle);
    let map: Vec<_> = report["uidMap"]
        .as_str()
        .expect("text")
        .split_whitespace()
        .collect();
    let (user, subordinate) = (user.id.to_string(), user.subordinate.to_string());
    assert_eq!(map, ["0", &user, "1", "1", &subordinate, "65536"]);
    assert_eq!(report["uid"][0], 1000);
    if !test.is(Kind::Runc) {
        assert_eq!(report["groups"], test.expected_groups(1000, &[50]));
    }
}

fn ranges_of_others_are_refused(test: &Test) {
    needs!(test, userns, subid_tools);
    let user = test.become_user();
    let output = test.run_with(|config| {
        config["linux"]["uidMappings"] = json!([
            {"containerID": 0, "hostID": user.id, "size": 1},
            {"containerID": 1, "hostID": 2000, "size": 1000}
        ]);
    });
    output.refuses(["newuidmap", "newuidmap", "newuidmap"]);
}

fn exec_and_delete_work(test: &Test) {
    needs!(test, userns);
    let _ = test.become_user();
    let container = test.sleeper("a");
    let report = container.exec(&["probe"]).ok().json();
    assert_eq!(report["uid"][0], 0);
    container.verb(&["delete", "--force"]).run().ok();
}

fn hooks_and_masks_work(test: &Test) {
    needs!(test, userns);
    let _ = test.become_user();
    let bundle = test.bundle();
    let made = bundle.path().join("hook-made");
    bundle.edit(|config| {
        let touch = json!({"path": "/bin/touch", "args": ["touch", made]});
        config.add_hook("createRuntime", touch);
    });
    let report = test.probe(&bundle);
    assert!(made.exists());
    let mounts = report["mounts"].as_array().expect("a list");
    assert!(
        mounts.iter().any(|mount| mount["point"] == "/proc/keys"),
        "{mounts:?}"
    );
}

/// Without a user namespace an ordinary user can do nothing of this.
fn without_a_user_namespace_it_is_refused(test: &Test) {
    needs!(test, userns);
    let _ = test.become_user();
    let bundle = test.bundle_with(|config| {
        config.drop_namespace("user");
        let linux = config["linux"].as_object_mut().expect("an object");
        linux.remove("uidMappings");
        linux.remove("gidMappings");
    });
    test.run_bundle(&bundle)
        .refuses(["user namespace", "user namespaces", ""]);
}

for_each_runtime!(
    one_id_needs_no_helper,
    ranges_come_from_subuid,
    ranges_of_others_are_refused,
    exec_and_delete_work,
    hooks_and_masks_work,
);

// crun makes a user namespace of its own accord.
for_runtimes!([Dhow, Runc]; without_a_user_namespace_it_is_refused);

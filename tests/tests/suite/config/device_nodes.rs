//! `linux.devices` where the image or the document already has something to say.

use dhow_tests::{Test, for_each_runtime, for_runtimes, needs};
use serde_json::json;
use std::fs;

/// What the image has there must be the device that is asked for (config-linux.md, Devices).
fn another_file_at_the_path_is_refused(test: &Test) {
    needs!(test, root);
    let device = json!([{"type": "c", "path": "/opt/node", "major": 1, "minor": 7}]);
    let bundle = test.bundle_with(|config| {
        config["linux"]["devices"] = device;
        config.args(&["probe", "stat", "/opt/node"]);
    });
    let place = bundle.rootfs().join("opt");
    fs::create_dir(&place).expect("mkdir");
    let node = place.join("node");
    let mknod = |numbers: &[&str]| {
        test.command(&["mknod"])
            .arg(&node)
            .args(numbers.to_vec())
            .run()
            .ok();
    };
    fs::write(&node, "text").expect("write");
    test.run_bundle(&bundle).fails("/opt/node");
    assert_eq!(
        fs::read_to_string(&node).expect("it is still there"),
        "text"
    );
    fs::remove_file(&node).expect("remove");
    mknod(&["c", "1", "5"]);
    test.run_bundle(&bundle).fails("/opt/node");
    fs::remove_file(&node).expect("remove");
    mknod(&["c", "1", "7"]);
    let stat = test.run_bundle(&bundle).ok().json();
    assert_eq!(stat["/opt/node"]["value"]["minor"], 7, "{stat}");
}

/// Not recommended, and not wrong: both are made.
fn one_device_may_have_two_nodes(test: &Test) {
    needs!(test, root);
    let output = test.run_with(|config| {
        let node = |path: &str| json!({"type": "c", "path": path, "major": 1, "minor": 7});
        config["linux"]["devices"] = json!([node("/dev/one"), node("/opt/deep/two")]);
        config.args(&["probe", "stat", "/dev/one", "/opt/deep/two"]);
    });
    let stat = output.ok().json();
    for path in ["/dev/one", "/opt/deep/two"] {
        let value = &stat[path]["value"];
        assert_eq!(
            (&value["major"], &value["minor"]),
            (&json!(1), &json!(7)),
            "{stat}"
        );
    }
}

fn one_path_twice_is_refused(test: &Test) {
    let output = test.run_with(|config| {
        let node =
            |minor: u32| json!({"type": "c", "path": "/dev/one", "major": 1, "minor": minor});
        config["linux"]["devices"] = json!([node(7), node(5)]);
    });
    output.fails("linux.devices[1].path");
}

/// The files of the root stay whose they are, whatever the map says (config-linux.md, User namespace mappings).
fn a_map_changes_no_owner_of_a_file(test: &Test) {
    needs!(test, root, userns);
    use std::os::unix::fs::MetadataExt as _;
    let bundle = test.bundle_with(|config| {
        config.add_namespace("user", None);
        let map = json!([{"containerID": 0, "hostID": 600_000_000, "size": 65_536}]);
        config["linux"]["uidMappings"] = map.clone();
        config["linux"]["gidMappings"] = map;
    });
    let owners = || {
        let entries = fs::read_dir(bundle.rootfs().join("bin")).expect("list");
        let mut owners: Vec<_> = entries
            .flatten()
            .map(|entry| (entry.file_name(), entry.metadata().expect("stat").uid()))
            .collect();
        owners.sort();
        owners
    };
    let before = owners();
    test.run_bundle(&bundle).ok();
    assert_eq!(owners(), before);
    assert!(before.iter().all(|(_, uid)| *uid == 0), "{before:?}");
}

for_each_runtime!(a_map_changes_no_owner_of_a_file);

// runc 1.1 and crun 1.8 take whatever is there.
for_runtimes!([Dhow];
    another_file_at_the_path_is_refused,
    one_device_may_have_two_nodes,
    one_path_twice_is_refused,
);

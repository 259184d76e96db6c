//! User namespaces and their id maps, made by root.

use dhow_tests::{Bundle, Config, Test, for_each_runtime, for_runtimes, needs};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::MetadataExt as _;

const HOST: u32 = 600_000_000;

fn map(size: u32) -> Value {
    json!([{"containerID": 0, "hostID": HOST, "size": size}])
}

fn with_user_namespace(config: &mut Config) {
    config.add_namespace("user", None);
    config["linux"]["uidMappings"] = map(65_536);
    config["linux"]["gidMappings"] = map(65_536);
}

fn bundle(test: &Test) -> Bundle {
    let bundle = test.bundle_with(with_user_namespace);
    bundle.give_to(HOST);
    bundle
}

fn words(text: &Value) -> Vec<&str> {
    text.as_str().expect("text").split_whitespace().collect()
}

fn the_map_is_what_it_says(test: &Test) {
    needs!(test, root, userns);
    let report = test.probe(&bundle(test));
    let host = HOST.to_string();
    assert_eq!(words(&report["uidMap"]), ["0", &host, "65536"]);
    assert_eq!(words(&report["gidMap"]), ["0", &host, "65536"]);
    assert_eq!(report["setgroups"], "allow");
    assert_eq!(report["uid"][0], 0);
    let own = fs::read_link("/proc/self/ns/user")
        .expect("a namespace")
        .display()
        .to_string();
    assert_ne!(report["namespaces"]["user"], own);
}

fn several_ranges_keep_their_order(test: &Test) {
    needs!(test, root, userns);
    let bundle = bundle(test);
    let ranges = json!([
        {"containerID": 0, "hostID": HOST, "size": 10},
        {"containerID": 1000, "hostID": HOST + 500, "size": 100},
        {"containerID": 10, "hostID": HOST + 90_000, "size": 20},
    ]);
    bundle.edit(|config| config["linux"]["uidMappings"] = ranges);
    let report = test.probe(&bundle);
    let lines: Vec<_> = report["uidMap"].as_str().expect("text").lines().collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert_eq!(
        words(&json!(lines[1])),
        ["1000", &(HOST + 500).to_string(), "100"]
    );
}

fn files_belong_to_the_mapped_user(test: &Test) {
    needs!(test, root, userns);
    let bundle = bundle(test);
    bundle.edit(|config| {
        config["process"]["user"] = json!({"uid": 7, "gid": 8});
        config.args(&["touch", "/tmp/made"]);
    });
    test.run_bundle(&bundle).ok();
    let meta = fs::metadata(bundle.rootfs().join("tmp/made")).expect("it was made");
    assert_eq!((meta.uid(), meta.gid()), (HOST + 7, HOST + 8));
}

fn root_inside_is_nobody_outside(test: &Test) {
    needs!(test, root, userns);
    let secret = test.root().join("secret");
    fs::write(&secret, "x").expect("write");
    fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600))
        .expect("chmod");
    let bundle = bundle(test);
    bundle.edit(|config| {
        config.add_mount(
            "bind",
            secret.to_str().expect("a path"),
            "/secret",
            &["bind"],
        );
        config.args(&["probe", "open", "/secret", "r"]);
    });
    assert_eq!(test.run_bundle(&bundle).ok().json()["errno"], 13);
}

fn exec_joins_it(test: &Test) {
    needs!(test, root, userns);
    let bundle = bundle(test);
    bundle.edit(|config| config.args(&["sleep", "1000"]));
    let container = test.create(&bundle, "a");
    container.start();
    let report = container.exec(&["probe"]).ok().json();
    assert_eq!(words(&report["uidMap"])[1], HOST.to_string());
    assert_eq!(report["uid"][0], 0);
}

fn a_user_namespace_is_joined_by_path(test: &Test) {
    needs!(test, root, userns);
    let first = bundle(test);
    first.edit(|config| config.args(&["sleep", "1000"]));
    let container = test.create(&first, "first");
    container.start();
    let path = format!("/proc/{}/ns/user", container.pid());
    let second = test.bundle_with(|config| config.add_namespace("user", Some(&path)));
    second.give_to(HOST);
    let report = test.probe(&second);
    let link = fs::read_link(&path)
        .expect("a namespace")
        .display()
        .to_string();
    assert_eq!(report["namespaces"]["user"], link);
    assert_eq!(report["uid"][0], 0);
}

fn a_user_outside_of_the_map_is_refused(test: &Test) {
    needs!(test, root, userns);
    let bundle = bundle(test);
    bundle.edit(|config| config["process"]["user"]["uid"] = json!(70_000));
    test.run_bundle(&bundle).refuses(["70000", "", ""]);
}

fn impossible_maps_are_refused(test: &Test) {
    let overlap = json!([
        {"containerID": 0, "hostID": 1000, "size": 10},
        {"containerID": 5, "hostID": 5000, "size": 10}
    ]);
    let empty = json!([{"containerID": 0, "hostID": 1000, "size": 0}]);
    let huge = json!([{"containerID": 4_294_967_000_u32, "hostID": 0, "size": 1000}]);
    for (maps, path) in [
        (json!([]), "linux.uidMappings"),
        (overlap, "linux.uidMappings[1]"),
        (empty, "linux.uidMappings[0]"),
        (huge, "linux.uidMappings[0]"),
    ] {
        let output = test.run_with(|config| {
            with_user_namespace(config);
            config["linux"]["uidMappings"] = maps;
        });
        output.fails(path);
    }
}

fn maps_without_the_namespace_are_refused(test: &Test) {
    let output = test.run_with(|config| config["linux"]["uidMappings"] = map(10));
    output.refuses(["linux.uidMappings", "user namespace", ""]);
}

for_each_runtime!(
    the_map_is_what_it_says,
    several_ranges_keep_their_order,
    files_belong_to_the_mapped_user,
    root_inside_is_nobody_outside,
    exec_joins_it,
    a_user_outside_of_the_map_is_refused,
);

// runc 1.1 wants a map beside a path; crun 1.8 cannot mount /proc then.
for_runtimes!([Dhow]; a_user_namespace_is_joined_by_path);

// The rivals ignore maps without a namespace and pass bad maps to the kernel.
for_runtimes!([Dhow]; maps_without_the_namespace_are_refused, impossible_maps_are_refused);

//! S-NETLINK (CVE-2021-43784): a length that does not fit where it is written lets what follows be
//! read as something else. There is no netlink message here, but every number and path of the
//! config crosses to the kernel: applied exactly, or refused.

use dhow_tests::{Output, Test, for_runtimes, needs};
use serde_json::{Value, json};
use std::fs::{self, File};

/// As many id mappings as the kernel takes (user_namespaces(7)).
const MOST: u32 = 340;

/// This many maps of one id each, in reverse, so that no two are one; `first` is the host's id.
fn maps(count: u32, first: u32) -> Value {
    let map = |id: u32| json!({"containerID": id, "hostID": first + id, "size": 1});
    (0..count).rev().map(map).collect()
}

/// The maps as the kernel shows them.
fn in_force(pid: i32, file: &str) -> Value {
    let text = fs::read_to_string(format!("/proc/{pid}/{file}")).expect("read the map");
    let line = |line: &str| {
        let numbers: Vec<u32> = line.split_whitespace().flat_map(str::parse).collect();
        json!({"containerID": numbers[0], "hostID": numbers[1], "size": numbers[2]})
    };
    text.lines().map(line).collect()
}

/// Kernels sort maps that are longer than five; the order means nothing to them.
fn sorted(maps: &Value) -> Vec<String> {
    let mut lines: Vec<_> = maps
        .as_array()
        .expect("a list")
        .iter()
        .map(Value::to_string)
        .collect();
    lines.sort();
    lines
}

/// Creates a container with these maps; true when they are in force, false when it was refused.
fn create(test: &Test, maps: &Value) -> (Output, bool) {
    let bundle = test.bundle_with(|config| {
        config.add_namespace("user", None);
        config["linux"]["uidMappings"] = maps.clone();
        config["linux"]["gidMappings"] = maps.clone();
        config["process"]["args"] = json!(["sleep", "1000"]);
        // The group tty (5) is not in every map.
        config.drop_mount("/dev/pts");
    });
    let container = test.container("c");
    let output = container.create_command(&bundle).run();
    if output.code != Some(0) {
        return (output, false);
    }
    for file in ["uid_map", "gid_map"] {
        let found = in_force(container.pid(), file);
        assert_eq!(sorted(&found), sorted(maps), "{file}");
    }
    let user = format!("/proc/{}/ns/user", container.pid());
    let namespace = fs::read_link(user).expect("read");
    assert_ne!(
        namespace,
        fs::read_link("/proc/self/ns/user").expect("read")
    );
    container.verb(&["delete", "--force"]).run().ok();
    (output, true)
}

fn maps_of_every_length(test: &Test) {
    needs!(test, root, userns);
    for count in [1, 5, 6, MOST] {
        let (output, is_applied) = create(test, &maps(count, 1));
        assert!(is_applied, "{count} maps: {output}");
    }
    for count in [MOST + 1, 5_000, 70_000] {
        let (output, _) = create(test, &maps(count, 1));
        output.fails(&format!("linux.uidMappings: has {count} mappings"));
    }
}

/// As many as the kernel takes, but longer than the page that it reads them from.
fn maps_longer_than_a_page(test: &Test) {
    needs!(test, root, userns);
    let (output, is_applied) = create(test, &maps(MOST, 4_000_000_000));
    assert!(
        is_applied || output.stderr().contains("id maps"),
        "{output}"
    );
}

fn a_namespace_path_of_64_kib(test: &Test) {
    let kinds = [
        "user", "network", "mount", "pid", "ipc", "uts", "cgroup", "time",
    ];
    for kind in kinds {
        for path in [
            format!("/{}", "x".repeat(65_535)),
            "/proc/self/../".repeat(4_682),
        ] {
            let output = test.run_with(|config| {
                config.drop_namespace(kind);
                config.add_namespace(kind, Some(&path));
            });
            output.fails("namespace");
        }
    }
}

/// The same path, but it leads to a namespace: taken, or refused, never another one.
fn a_long_path_to_a_namespace_is_that_one(test: &Test) {
    needs!(test, root);
    let own = File::open("/proc/self/ns/ipc").expect("open");
    let number = std::os::fd::AsRawFd::as_raw_fd(&own);
    let here = format!("/proc/{}/fd/{number}", std::process::id());
    let path = format!("{}{here}", "/".repeat(3_900));
    let report = test.probe_with(|config| {
        config.drop_namespace("ipc");
        config.add_namespace("ipc", Some(&path));
    });
    let host = fs::read_link("/proc/self/ns/ipc").expect("read");
    let found = report["namespaces"]["ipc"].as_str().expect("a name");
    assert_eq!(found, host.to_str().expect("a name"));
}

for_runtimes!([Dhow];
    maps_of_every_length,
    maps_longer_than_a_page,
    a_namespace_path_of_64_kib,
    a_long_path_to_a_namespace_is_that_one,
);

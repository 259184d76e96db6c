//! `linux.devices`, the devices every container has, and what it may do with others.

use dhow_tests::{Bundle, Test, for_each_runtime, for_runtimes, needs};
use serde_json::{Value, json};

/// What `stat` says of each path inside.
fn stat(test: &Test, bundle: &Bundle, paths: &[&str]) -> Value {
    let words: Vec<_> = ["/bin/probe", "stat"]
        .iter()
        .chain(paths)
        .copied()
        .collect();
    bundle.edit(|config| config.args(&words));
    test.run_bundle(bundle).ok().json()
}

fn the_default_devices_are_there(test: &Test) {
    let wanted = [
        ("/dev/null", 1, 3),
        ("/dev/zero", 1, 5),
        ("/dev/full", 1, 7),
        ("/dev/random", 1, 8),
        ("/dev/urandom", 1, 9),
        ("/dev/tty", 5, 0),
    ];
    let paths = wanted.map(|(path, ..)| path);
    let report = stat(test, &test.bundle(), &paths);
    for (path, major, minor) in wanted {
        let value = &report[path]["value"];
        assert_eq!(value["kind"], "char", "{path}");
        assert_eq!(value["mode"], "666", "{path}");
        assert_eq!(
            (&value["major"], &value["minor"]),
            (&json!(major), &json!(minor)),
            "{path}"
        );
    }
}

fn the_usual_links_are_there(test: &Test) {
    let links = [
        ("/dev/fd", "/proc/self/fd"),
        ("/dev/stdin", "/proc/self/fd/0"),
        ("/dev/stdout", "/proc/self/fd/1"),
        ("/dev/stderr", "/proc/self/fd/2"),
    ];
    for (link, target) in links {
        let output = test.run_with(|config| config.args(&["readlink", link]));
        assert_eq!(output.ok().stdout().trim(), target, "{link}");
    }
    let output = test.run_with(|config| config.args(&["readlink", "/dev/ptmx"]));
    assert!(["pts/ptmx", "/dev/pts/ptmx"].contains(&output.ok().stdout().trim()));
}

fn devices_of_every_type_are_made(test: &Test) {
    needs!(test, root);
    let bundle = test.bundle_with(|config| {
        config["linux"]["devices"] = json!([
            {"path": "/dev/a", "type": "c", "major": 1, "minor": 5, "fileMode": 0o640, "uid": 5, "gid": 6},
            {"path": "/dev/sub/b", "type": "b", "major": 7, "minor": 200, "fileMode": 0o600},
            {"path": "/dev/u", "type": "u", "major": 1, "minor": 7, "fileMode": 0o444},
            {"path": "/dev/p", "type": "p", "fileMode": 0o622},
        ]);
    });
    let report = stat(test, &bundle, &["/dev/a", "/dev/sub/b", "/dev/u", "/dev/p"]);
    let of = |path: &str| {
        let value = &report[path]["value"];
        let text = |name: &str| value[name].to_string().replace('"', "");
        ["kind", "mode", "uid", "gid", "major", "minor"]
            .map(text)
            .join(" ")
    };
    assert_eq!(of("/dev/a"), "char 640 5 6 1 5");
    assert_eq!(of("/dev/sub/b"), "block 600 0 0 7 200");
    assert_eq!(of("/dev/u"), "char 444 0 0 1 7");
    assert!(of("/dev/p").starts_with("fifo 622 0 0"), "{}", of("/dev/p"));
}

/// In a user namespace nodes cannot be made; the host's are bound.
fn in_a_user_namespace_they_are_bound(test: &Test) {
    needs!(test, root, userns);
    let map = json!([{"containerID": 0, "hostID": 600_000_000, "size": 65_536}]);
    let bundle = test.bundle_with(|config| {
        config.add_namespace("user", None);
        config["linux"]["uidMappings"] = map.clone();
        config["linux"]["gidMappings"] = map;
        config.args(&[
            "sh",
            "-c",
            "echo x >/dev/null && head -c 3 /dev/zero | wc -c",
        ]);
    });
    bundle.give_to(600_000_000);
    assert_eq!(test.run_bundle(&bundle).ok().stdout().trim(), "3");
}

/// With "deny all" in the resources only the default devices and those allowed open.
fn the_cgroup_decides_what_opens(test: &Test) {
    needs!(test, root);
    let bundle = test.bundle_with(|config| {
        config.capabilities(&["CAP_MKNOD"]);
        config["linux"]["resources"] = json!({"devices": [
            {"allow": false, "access": "rwm"},
            {"allow": true, "type": "c", "major": 10, "minor": 229, "access": "r"}
        ]});
        let script = "mknod /dev/mem c 1 1; mknod /dev/fuse c 10 229; \
                      for m in r w; do probe open /dev/mem $m; probe open /dev/fuse $m; \
                      probe open /dev/null $m; done";
        config.args(&["sh", "-c", script]);
    });
    let text = test.run_bundle(&bundle).ok().stdout();
    let answers: Vec<Value> = text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let errno: Vec<_> = answers
        .iter()
        .map(|answer| answer["errno"].as_i64().unwrap_or(0))
        .collect();
    // mem, fuse, null for reading; then for writing. The cgroup allows to read fuse.
    assert_eq!(errno, [1, 0, 0, 1, 1, 0], "{text}");
}

fn impossible_devices_are_refused(test: &Test) {
    let device =
        |path: &str, kind: &str| json!([{"path": path, "type": kind, "major": 1, "minor": 3}]);
    for (devices, path) in [
        (device("/dev/x", "m"), "linux.devices[0].type"),
        (device("dev/x", "c"), "linux.devices[0].path"),
    ] {
        let output = test.run_with(|config| config["linux"]["devices"] = devices);
        output.fails(path);
    }
}

for_each_runtime!(
    the_default_devices_are_there,
    the_usual_links_are_there,
    devices_of_every_type_are_made,
    in_a_user_namespace_they_are_bound,
    the_cgroup_decides_what_opens,
);

// The rivals speak of the value, not of its place.
for_runtimes!([Dhow]; impossible_devices_are_refused);

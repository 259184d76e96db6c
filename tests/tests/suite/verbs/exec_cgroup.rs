//! `exec --cgroup`: in a group below the container's own.

use crate::config::cgroups::directory;
use dhow_tests::{Container, Test, for_runtimes, host, needs};
use std::fs;

/// The controllers of this host that the tests look at; the empty word is the unified hierarchy.
fn controllers() -> Vec<&'static str> {
    ["memory", "pids", "cpu"]
        .into_iter()
        .filter(|name| host::v1_controller(name).is_some())
        .chain(host::unified().map(|_| ""))
        .collect()
}

/// Makes a group of this name below the container's own, in every hierarchy.
fn make(container: &Container<'_>, name: &str) {
    let text = fs::read_to_string(format!("/proc/{}/cgroup", container.pid())).expect("cgroup");
    for line in text.lines() {
        let fields: Vec<&str> = line.splitn(3, ':').collect();
        let mount = host::cgroup_mounts().into_iter().find(|mount| {
            let first = fields[1].split(',').next().unwrap_or_default();
            let v2 = mount.kind == "cgroup2";
            if first.is_empty() {
                v2
            } else {
                !v2 && mount.superblock.split(',').any(|word| word == first)
            }
        });
        if let Some(mount) = mount {
            let path = mount
                .point
                .join(fields[2].trim_start_matches('/'))
                .join(name);
            fs::create_dir_all(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            if fields[1].contains("cpuset") {
                for file in ["cpuset.cpus", "cpuset.mems"] {
                    let above = path.parent().expect("a parent").join(file);
                    let value = fs::read_to_string(above).expect("read");
                    fs::write(path.join(file), value).expect("write");
                }
            }
        }
    }
}

/// Where a process of the container is, below the container's own group.
fn places(container: &Container<'_>, options: &[&str]) -> Vec<(&'static str, String)> {
    // The host's view: without a cgroup namespace of its own the container shows whole paths.
    let output = container
        .exec_command(options, &["cat", "/proc/self/cgroup"])
        .run()
        .ok();
    let text = output.stdout();
    let of = |controller: &str| {
        let line = text.lines().find(|line| {
            let controllers = line.split(':').nth(1).unwrap_or_default();
            if controller.is_empty() {
                controllers.is_empty()
            } else {
                controllers.split(',').any(|name| name == controller)
            }
        });
        let path = line
            .and_then(|line| line.splitn(3, ':').nth(2))
            .unwrap_or_default();
        path.to_owned()
    };
    controllers()
        .into_iter()
        .map(|controller| (controller, of(controller)))
        .collect()
}

fn a_path_is_below_the_container_s(test: &Test) {
    needs!(test, root);
    let container = test.sleeper("a");
    make(&container, "inner");
    make(&container, "inner/deep");
    for (controller, path) in places(&container, &["--cgroup", "inner/deep"]) {
        assert_eq!(path, "/inner/deep", "{controller}");
    }
    for (controller, path) in places(&container, &[]) {
        assert_eq!(path, "/", "{controller}");
    }
    for (controller, path) in places(&container, &["--cgroup", "/"]) {
        assert_eq!(path, "/", "{controller}");
    }
}

fn a_controller_may_have_its_own(test: &Test) {
    needs!(test, root, cgroup1);
    let container = test.sleeper("a");
    make(&container, "inner");
    make(&container, "other");
    let options = ["--cgroup", "memory,pids:inner", "--cgroup", "cpu:other"];
    for (controller, path) in places(&container, &options) {
        let expected = match controller {
            "memory" | "pids" => "/inner",
            "cpu" => "/other",
            _ => "/",
        };
        assert_eq!(path, expected, "{controller}");
    }
}

fn what_is_not_there_is_refused(test: &Test) {
    needs!(test, root);
    let container = test.sleeper("a");
    let run = |place: &str| {
        container
            .exec_command(&["--cgroup", place], &["true"])
            .run()
    };
    run("nowhere").refuses(["nowhere", "no such file", ""]);
    run("moon:inner").refuses(["moon", "unknown controller", ""]);
}

/// No way leads out of the container's own group.
fn ways_out_are_refused(test: &Test) {
    needs!(test, root);
    let container = test.sleeper("a");
    for place in ["..", "../x", "inner/../../x", "memory:../x"] {
        let output = container
            .exec_command(&["--cgroup", place], &["true"])
            .run();
        output.refuses(["..", "not a sub cgroup path", ""]);
    }
    let own = directory(&container, controllers()[0]);
    assert!(own.exists());
}

// crun 1.8 moves a process of the host's only.
for_runtimes!([Dhow, Runc];
    a_path_is_below_the_container_s,
    a_controller_may_have_its_own,
    what_is_not_there_is_refused,
    ways_out_are_refused,
);

//! `linux.cgroupsPath`, and what holds for every kind of hierarchy.

use dhow_tests::{Container, Test, for_each_runtime, for_runtimes, host, needs};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;

/// The directory on the host of a container's cgroup: of a v1 controller, or the unified one.
pub(crate) fn directory(container: &Container<'_>, controller: &str) -> PathBuf {
    let text = fs::read_to_string(format!("/proc/{}/cgroup", container.pid())).expect("cgroup");
    for line in text.lines() {
        let fields: Vec<_> = line.splitn(3, ':').collect();
        let [_, controllers, path] = fields[..] else {
            continue;
        };
        let path = path.trim_start_matches('/');
        if controller.is_empty() && controllers.is_empty() {
            return host::unified().expect("a unified hierarchy").join(path);
        }
        if !controller.is_empty() && controllers.split(',').any(|name| name == controller) {
            return host::v1_controller(controller)
                .expect("it is mounted")
                .join(path);
        }
    }
    panic!("no {controller:?} in {text}");
}

/// A running container with these resources.
pub(crate) fn limited<'a>(test: &'a Test, resources: Value) -> Container<'a> {
    let bundle = test.bundle_with(|config| {
        config["linux"]["resources"] = resources;
        config.args(&["sleep", "1000"]);
    });
    let container = test.create(&bundle, "a");
    container.start();
    container
}

/// The text of a file of the container's cgroup.
pub(crate) fn read(container: &Container<'_>, controller: &str, file: &str) -> String {
    let path = directory(container, controller).join(file);
    let text = fs::read_to_string(&path);
    text.unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        .trim()
        .to_owned()
}

/// Any hierarchy this host has.
fn some_controller() -> &'static str {
    if host::v1_controller("pids").is_some() {
        "pids"
    } else {
        ""
    }
}

fn an_absolute_path_is_taken(test: &Test) {
    needs!(test, root);
    let path = format!("/{}-parent/leaf", test.mark());
    let bundle = test.bundle_with(|config| {
        config["linux"]["cgroupsPath"] = json!(path);
        config.args(&["sleep", "1000"]);
    });
    let container = test.create(&bundle, "a");
    let directory = directory(&container, some_controller());
    assert!(
        directory.ends_with(path.trim_start_matches('/')),
        "{}",
        directory.display()
    );
    container.verb(&["delete", "--force"]).run().ok();
    assert!(!directory.exists(), "it is left");
    // Parents that were not there before belong to the caller: runtimes leave them.
    for mount in host::cgroup_mounts() {
        let _ = fs::remove_dir(mount.point.join(format!("{}-parent", test.mark())));
    }
}

fn no_path_means_one_with_the_id(test: &Test) {
    needs!(test, root);
    let container = test.sleeper("a");
    let directory = directory(&container, some_controller());
    assert!(
        directory.to_string_lossy().contains(container.id()),
        "{}",
        directory.display()
    );
}

fn paths_with_dots_are_refused(test: &Test) {
    needs!(test, root);
    let path = json!(format!("/{}/../../x", test.mark()));
    let output = test.run_with(|config| config["linux"]["cgroupsPath"] = path);
    output.fails("linux.cgroupsPath");
}

fn two_containers_do_not_share_one_by_accident(test: &Test) {
    needs!(test, root);
    let (first, second) = (test.sleeper("a"), test.sleeper("b"));
    let controller = some_controller();
    assert_ne!(
        directory(&first, controller),
        directory(&second, controller)
    );
}

fn impossible_values_are_refused_by_path(test: &Test) {
    needs!(test, root);
    for (resources, path) in [
        (
            json!({"cpu": {"cpus": "banana"}}),
            "linux.resources.cpu.cpus",
        ),
        (json!({"cpu": {"quota": 1}}), "linux.resources.cpu.quota"),
        (
            json!({"memory": {"limit": 1_000_000, "swap": 1000}}),
            "linux.resources.memory.swap",
        ),
        (
            json!({"memory": {"limit": "much"}}),
            "linux.resources.memory.limit",
        ),
        (
            json!({"devices": [{"allow": true, "access": "moon"}]}),
            "linux.resources.devices[0].access",
        ),
        (json!({"unified": {"../x": "1"}}), "linux.resources.unified"),
    ] {
        let output = test.run_with(|config| config["linux"]["resources"] = resources);
        output.fails(path);
    }
}

/// The limit holds from the first instruction of the program, and for all below.
fn a_pids_limit_really_limits(test: &Test) {
    needs!(test, root);
    let output = test.run_with(|config| {
        config["linux"]["resources"] = json!({"pids": {"limit": 12}});
        config.args(&["probe", "fork", "40"]);
    });
    let report = output.ok().json();
    assert_eq!(report["errno"], 11, "{report}");
    let started = report["started"].as_u64().expect("a number");
    assert!(
        (5..12).contains(&started),
        "{started} children within a limit of 12"
    );
}

fn a_memory_limit_really_limits(test: &Test) {
    needs!(test, root);
    let run = |mebibytes: &str| {
        let limit = 64 << 20;
        test.run_with(|config| {
            config["linux"]["resources"] = json!({"memory": {"limit": limit, "swap": limit}});
            config.args(&["probe", "memory", mebibytes]);
        })
    };
    run("20").ok();
    run("200").code_is(137);
}

for_each_runtime!(
    an_absolute_path_is_taken,
    no_path_means_one_with_the_id,
    two_containers_do_not_share_one_by_accident,
    a_pids_limit_really_limits,
    a_memory_limit_really_limits,
);

// runc cleans the path; the rivals pass impossible values to the kernel.
for_runtimes!([Dhow]; paths_with_dots_are_refused, impossible_values_are_refused_by_path);

//! Which cgroup a container gets, whose it is, and what becomes of it.

use super::cgroups::{directory, read};
use dhow_tests::{Container, Test, for_each_runtime, for_runtimes, host, needs};
use serde_json::json;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

/// A hierarchy that tells where a process is.
fn controller() -> &'static str {
    if host::v1_controller("pids").is_some() {
        "pids"
    } else {
        ""
    }
}

/// The directories of a group in every hierarchy.
fn places(path: &str) -> Vec<PathBuf> {
    let mounts = host::cgroup_mounts();
    mounts
        .iter()
        .map(|mount| mount.point.join(path.trim_start_matches('/')))
        .collect()
}

fn sleeper_in<'a>(test: &'a Test, name: &str, path: &str) -> Container<'a> {
    let bundle = test.bundle_with(|config| {
        config["linux"]["cgroupsPath"] = json!(path);
        config.args(&["sleep", "1000"]);
    });
    let container = test.create(&bundle, name);
    container.start();
    container
}

fn the_same_path_is_the_same_place(test: &Test) {
    needs!(test, root);
    let path = format!("/{}-again", test.mark());
    let mut found = Vec::new();
    for name in ["a", "b"] {
        let container = sleeper_in(test, name, &path);
        found.push(directory(&container, controller()));
        container.verb(&["delete", "--force"]).run().ok();
    }
    assert_eq!(found[0], found[1]);
}

/// What a container did not create is not deleted with it (runtime.md, Delete); what it made below is.
fn what_was_there_before_stays(test: &Test) {
    needs!(test, root);
    let path = format!("/{}-before", test.mark());
    let places = places(&path);
    for place in &places {
        // A v1 cpuset group without processors takes no process: the runtime fills it as it does its own.
        fs::create_dir(place).expect("mkdir");
    }
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let container = sleeper_in(test, "a", &path);
        let below = directory(&container, controller()).join("below");
        fs::create_dir(&below).expect("mkdir");
        container.verb(&["delete", "--force"]).run().ok();
        assert!(!below.exists(), "what the container had below is left");
        let gone: Vec<_> = places.iter().filter(|place| !place.exists()).collect();
        assert!(gone.is_empty(), "{gone:?} is gone");
    }));
    for place in &places {
        let _ = fs::remove_dir(place);
    }
    outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
}

/// Two containers in one group would be killed with each other (config-linux.md, Control groups).
fn a_group_with_processes_is_refused(test: &Test) {
    needs!(test, root);
    let path = format!("/{}-taken", test.mark());
    let container = sleeper_in(test, "a", &path);
    let output = test.run_with(|config| config["linux"]["cgroupsPath"] = json!(path));
    output.fails(&path);
    assert_eq!(container.status(), "running");
}

fn a_frozen_group_is_refused(test: &Test) {
    needs!(test, root);
    let path = format!("/{}-frozen", test.mark());
    let (place, file, word) = match host::v1_controller("freezer") {
        Some(point) => (
            point.join(path.trim_start_matches('/')),
            "freezer.state",
            "FROZEN",
        ),
        None => (
            host::unified()
                .expect("a hierarchy")
                .join(path.trim_start_matches('/')),
            "cgroup.freeze",
            "1",
        ),
    };
    fs::create_dir(&place).expect("mkdir");
    fs::write(place.join(file), word).expect("freeze it");
    let output = test.run_with(|config| config["linux"]["cgroupsPath"] = json!(path));
    fs::remove_dir(&place).expect("it is still there, and empty");
    output.fails("frozen");
}

fn a_relative_path_is_taken(test: &Test) {
    needs!(test, root);
    let path = format!("{}-relative/leaf", test.mark());
    let container = sleeper_in(test, "a", &path);
    let found = directory(&container, controller());
    assert!(found.ends_with(&path), "{}", found.display());
}

fn paths_that_name_no_group_are_refused(test: &Test) {
    needs!(test, root);
    for path in ["/", "a\nb", "/x/../y", &"x".repeat(300)] {
        let output = test.run_with(|config| config["linux"]["cgroupsPath"] = json!(path));
        output.fails("linux.cgroupsPath");
    }
}

/// Delegation in v1 is not secure: there the owner stays (config-linux.md, Cgroup ownership).
fn v1_groups_keep_their_owner(test: &Test) {
    needs!(test, root, cgroup1);
    let bundle = test.bundle_with(|config| {
        config["process"]["user"] = json!({"uid": 1234, "gid": 1234});
        config.add_mount("cgroup", "cgroup", "/sys/fs/cgroup", &["rw"]);
        config.args(&["sleep", "1000"]);
    });
    let container = test.create(&bundle, "a");
    container.start();
    for name in ["pids", "memory", ""] {
        let place = directory(&container, name);
        assert_eq!(
            fs::metadata(&place).expect("stat").uid(),
            0,
            "{}",
            place.display()
        );
    }
}

/// 0 is a number like others, and means that nothing may be added (config-linux.md, PIDs).
fn a_pids_limit_of_nothing_is_one(test: &Test) {
    needs!(test, root);
    let output = test.run_with(|config| {
        config["linux"]["resources"] = json!({"pids": {"limit": 0}});
        config.args(&["probe", "fork", "3"]);
    });
    let report = output.ok().json();
    assert_eq!(
        (&report["errno"], &report["started"]),
        (&json!(11), &json!(0)),
        "{report}"
    );
}

/// The runtime's own memory is not the container's: what starts is the program.
fn one_mebibyte_of_memory_is_enough_to_start(test: &Test) {
    needs!(test, root);
    let bundle = test.bundle_with(|config| {
        config["linux"]["resources"] = json!({"memory": {"limit": 1 << 20}});
        config.args(&["sleep", "1000"]);
    });
    let container = test.create(&bundle, "a");
    container.start();
    assert_eq!(container.status(), "running");
    let file = if host::v1_controller("memory").is_some() {
        ("memory", "memory.limit_in_bytes")
    } else {
        ("", "memory.max")
    };
    assert_eq!(read(&container, file.0, file.1), (1 << 20).to_string());
}

/// Rules count in their order, the last that fits an access decides (config-linux.md, Allowed Device list).
fn device_rules_apply_in_their_order(test: &Test) {
    needs!(test, root);
    let kmsg = |allow: bool| json!({"allow": allow, "type": "c", "major": 1, "minor": 11, "access": "rwm"});
    let all = json!({"allow": false, "access": "rwm"});
    for (rules, opens) in [
        (json!([all, kmsg(true)]), true),
        (json!([kmsg(true), all]), false),
        (json!([all, kmsg(true), kmsg(false)]), false),
    ] {
        let output = test.run_with(|config| {
            config["linux"]["resources"] = json!({"devices": rules});
            let device = json!({"type": "c", "path": "/dev/kmsg", "major": 1, "minor": 11});
            config["linux"]["devices"] = json!([device]);
            config.capabilities(&["CAP_SYSLOG"]);
            config.args(&["probe", "open", "/dev/kmsg", "r"]);
        });
        assert_eq!(output.ok().json()["ok"], opens, "{rules}");
    }
}

/// Hierarchies that other programs have mounted, in mountinfo before ours, lead nobody astray.
fn foreign_cgroup_mounts_do_not_matter(test: &Test) {
    needs!(test, root);
    let foreign = test.root().join("foreign");
    fs::create_dir(&foreign).expect("mkdir");
    // With the options that it has: they are those of the hierarchy, and a mount without them takes
    // `nsdelegate` from the whole host.
    let script = "mount -t tmpfs tmpfs \"$0\"; mkdir \"$0/a\" \"$0/b\" \"$0/sub\"
        options=$(sed -n 's/^[^ ]* [^ ]* cgroup2 \\([^ ]*\\) .*/\\1/p' /proc/mounts | head -n 1)
        mount -t cgroup2 -o \"$options\" cgroup2 \"$0/a\" && mkdir -p \"$0/a/x\" && mount --bind \"$0/a/x\" \"$0/b\"
        exec \"$@\"";
    let foreign = foreign.to_str().expect("a path").to_owned();
    let bundle = test.bundle_with(|config| {
        let path = format!("/{}-foreign", test.mark());
        config["linux"]["cgroupsPath"] = json!(path);
        config.add_mount("cgroup", "cgroup", "/sys/fs/cgroup", &["ro"]);
        config.args(&["cat", "/proc/self/cgroup"]);
    });
    let command = test.runtime_after(&["unshare", "--mount", "sh", "-c", script, &foreign]);
    let command = command.args(["run", "--bundle"]).arg(bundle.path());
    let text = command.arg(test.id("a")).run().ok().stdout();
    // In its cgroup namespace each group is the root.
    assert!(text.lines().all(|line| line.ends_with(":/")), "{text}");
    for point in host::cgroup_mounts() {
        let _ = fs::remove_dir(point.point.join("x"));
    }
}

for_each_runtime!(
    the_same_path_is_the_same_place,
    device_rules_apply_in_their_order,
    v1_groups_keep_their_owner,
);

// The rivals take 0 for no limit, delete it all, start in other people's groups, and read the first mount they find.
for_runtimes!([Dhow];
    a_pids_limit_of_nothing_is_one,
    what_was_there_before_stays,
    a_group_with_processes_is_refused,
    a_frozen_group_is_refused,
    a_relative_path_is_taken,
    paths_that_name_no_group_are_refused,
    one_mebibyte_of_memory_is_enough_to_start,
    foreign_cgroup_mounts_do_not_matter,
);

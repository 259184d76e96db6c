//! Whose the container's cgroup is on cgroup v2, and what its program may do there. Runs in the test VM.

use super::cgroups::{directory, limited, read};
use dhow_tests::{Config, Container, Test, for_runtimes, needs};
use serde_json::json;
use std::fs;
use std::os::unix::fs::MetadataExt as _;

const USER: u32 = 1234;

/// A container of that user with a cgroup filesystem of these options.
fn of_user<'a>(test: &'a Test, name: &str, change: impl FnOnce(&mut Config)) -> Container<'a> {
    let bundle = test.bundle_with(|config| {
        config["process"]["user"] = json!({"uid": USER, "gid": USER});
        config.args(&["sleep", "1000"]);
        change(config);
    });
    let container = test.create(&bundle, name);
    container.start();
    container
}

fn mount(config: &mut Config, option: &str) {
    let options = ["nosuid", "noexec", "nodev", option];
    config.add_mount("cgroup", "cgroup", "/sys/fs/cgroup", &options);
}

/// The owner of a file of its group; of the group itself without a name.
fn owner(container: &Container<'_>, file: &str) -> u32 {
    let path = directory(container, "").join(file);
    fs::metadata(path).expect("stat").uid()
}

/// Only with a cgroup namespace and a writable cgroup filesystem, and only what the kernel says may be given
/// (config-linux.md, Cgroup ownership).
fn the_group_is_given_where_it_can_be_used(test: &Test) {
    needs!(test, root, cgroup2);
    let given = of_user(test, "given", |config| mount(config, "rw"));
    let listed = fs::read_to_string("/sys/kernel/cgroup/delegate").expect("the kernel's list");
    let directory = directory(&given, "");
    let mut count = 0;
    for entry in fs::read_dir(&directory).expect("list").flatten() {
        let name = entry.file_name().into_string().expect("a name");
        let wanted = if listed.lines().any(|line| line == name) {
            USER
        } else {
            0
        };
        assert_eq!(entry.metadata().expect("stat").uid(), wanted, "{name}");
        count += usize::from(wanted == USER);
    }
    assert!(count >= 3, "only {count} files were given");
    assert_eq!(owner(&given, ""), USER);
    assert_eq!(
        owner(&given, "memory.max"),
        0,
        "it could lift its own limit"
    );
    let kept = of_user(test, "readonly", |config| mount(config, "ro"));
    assert_eq!((owner(&kept, ""), owner(&kept, "cgroup.procs")), (0, 0));
    let kept = of_user(test, "unmounted", |_| {});
    assert_eq!(owner(&kept, ""), 0);
    let kept = of_user(test, "shared", |config| {
        config.drop_namespace("cgroup");
        mount(config, "rw");
    });
    assert_eq!(owner(&kept, ""), 0);
}

/// The owner is the user's id on the host.
fn in_a_user_namespace_it_is_the_host_s_id(test: &Test) {
    needs!(test, root, cgroup2, userns);
    let map = json!([{"containerID": 0, "hostID": 600_000_000, "size": 65_536}]);
    let bundle = test.bundle_with(|config| {
        config.add_namespace("user", None);
        config["linux"]["uidMappings"] = map.clone();
        config["linux"]["gidMappings"] = map;
        config["process"]["user"] = json!({"uid": 7, "gid": 7});
        mount(config, "rw");
        config.args(&["sleep", "1000"]);
    });
    bundle.give_to(600_000_000);
    let container = test.create(&bundle, "a");
    assert_eq!(owner(&container, ""), 600_000_007);
}

/// As a systemd inside does: it moves itself away, passes controllers on and limits what is below.
fn the_user_makes_groups_and_enables_controllers(test: &Test) {
    needs!(test, root, cgroup2);
    let script = "cd /sys/fs/cgroup && mkdir one two && echo $$ >one/cgroup.procs \
        && echo '+pids +memory' >cgroup.subtree_control && echo 17 >two/pids.max && cat two/pids.max";
    let bundle = test.bundle_with(|config| {
        config["process"]["user"] = json!({"uid": USER, "gid": USER});
        config["linux"]["resources"] = json!({"pids": {"limit": 50}});
        mount(config, "rw");
        config.args(&["sh", "-c", script]);
    });
    let output = test.run_bundle(&bundle);
    assert_eq!(output.ok().stdout(), "17\n");
}

/// What v2 does not have cannot be converted, and is named (config-linux.md, Unified).
fn what_cannot_be_converted_is_named(test: &Test) {
    needs!(test, root, cgroup2);
    for (resources, path) in [
        (json!({"memory": {"swappiness": 60}}), "memory.swappiness"),
        (
            json!({"memory": {"disableOOMKiller": true}}),
            "memory.disableOOMKiller",
        ),
        (json!({"memory": {"kernel": 1 << 30}}), "memory.kernel"),
        (
            json!({"memory": {"kernelTCP": 1 << 30}}),
            "memory.kernelTCP",
        ),
        (
            json!({"memory": {"useHierarchy": false}}),
            "memory.useHierarchy",
        ),
        (json!({"memory": {"swap": 1 << 30}}), "memory.swap"),
        (
            json!({"cpu": {"realtimeRuntime": 5}}),
            "cpu.realtimeRuntime",
        ),
        (json!({"cpu": {"realtimePeriod": 5}}), "cpu.realtimePeriod"),
        (json!({"blockIO": {"leafWeight": 50}}), "blockIO.leafWeight"),
        (json!({"network": {"classID": 5}}), "network.classID"),
        (
            json!({"network": {"priorities": [{"name": "lo", "priority": 5}]}}),
            "network.priorities",
        ),
        // The controller is there; such a device is not, and the kernel says so.
        (
            json!({"rdma": {"mlx5_1": {"hcaHandles": 3, "hcaObjects": 9}}}),
            "rdma.mlx5_1",
        ),
    ] {
        let output = test.run_with(|config| config["linux"]["resources"] = resources);
        output.fails(&format!("linux.resources.{path}"));
    }
}

/// Both counts of the document in one, as v2 has them apart; with swap's own value for the three cases.
fn swap_is_converted(test: &Test) {
    needs!(test, root, cgroup2);
    for (swap, expected) in [(150 << 20, "52428800"), (100 << 20, "0"), (-1_i64, "max")] {
        let container = limited(test, json!({"memory": {"limit": 100 << 20, "swap": swap}}));
        assert_eq!(read(&container, "", "memory.swap.max"), expected, "{swap}");
        container.verb(&["delete", "--force"]).run().ok();
    }
}

/// Files that this version has no word for are written all the same, and their controllers are enabled.
fn unknown_files_are_written(test: &Test) {
    needs!(test, root, cgroup2);
    let unified = json!({"memory.oom.group": "1", "cpu.weight.nice": "5", "cgroup.max.depth": "3"});
    let container = limited(test, json!({"unified": unified}));
    assert_eq!(read(&container, "", "memory.oom.group"), "1");
    assert_eq!(read(&container, "", "cpu.weight.nice"), "5");
    assert_eq!(read(&container, "", "cgroup.max.depth"), "3");
    let controllers = read(&container, "", "cgroup.controllers");
    assert!(
        controllers.contains("memory") && controllers.contains("cpu"),
        "{controllers}"
    );
}

for_runtimes!([Dhow];
    in_a_user_namespace_it_is_the_host_s_id,
    what_cannot_be_converted_is_named,
    swap_is_converted,
    unknown_files_are_written,
    the_group_is_given_where_it_can_be_used,
    the_user_makes_groups_and_enables_controllers,
);

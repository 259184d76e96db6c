//! `linux.resources`: the controllers that few hosts have mounted.

use super::cgroups::{limited, read};
use dhow_tests::{Test, for_runtimes, host, needs, processes};
use serde_json::json;
use std::fs;
use std::time::Duration;

/// Whether a controller is anywhere: mounted as v1, or in the unified hierarchy.
fn unified_has(controller: &str) -> bool {
    let file = host::unified().map(|point| point.join("cgroup.controllers"));
    file.and_then(|file| fs::read_to_string(file).ok())
        .is_some_and(|text| text.split_whitespace().any(|name| name == controller))
}

/// Reservations are limited where the kernel can, and faults too (config-linux.md, Huge page limits).
fn huge_pages_of_the_unified_hierarchy(test: &Test) {
    needs!(test, root);
    if !unified_has("hugetlb")
        || !std::path::Path::new("/sys/kernel/mm/hugepages/hugepages-2048kB").exists()
    {
        test.skip("needs the hugetlb controller in the unified hierarchy, and pages of 2 MiB");
        return;
    }
    let limits = json!([{"pageSize": "2MB", "limit": 8 << 20}]);
    let container = limited(test, json!({"hugepageLimits": limits}));
    for file in ["hugetlb.2MB.max", "hugetlb.2MB.rsvd.max"] {
        assert_eq!(read(&container, "", file), (8 << 20).to_string(), "{file}");
    }
    let limits = json!([{"pageSize": "3MB", "limit": 8 << 20}]);
    let output = test.run_with(|config| {
        config["linux"]["resources"] = json!({"hugepageLimits": limits});
    });
    output.fails("linux.resources.hugepageLimits[0]");
}

/// The number of a v1 controller's hierarchy (cgroups(7)); 0 when it has none.
fn number(controller: &str) -> Option<u32> {
    let text = fs::read_to_string("/proc/cgroups").ok()?;
    let mut lines = text
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    let line = lines.find(|line| line.first() == Some(&controller))?;
    line.get(1)?.parse().ok()
}

/// v1 has the network's class and priorities; here they are mounted for one command only.
fn the_class_and_the_priorities_of_the_network(test: &Test) {
    needs!(test, root, cgroup1);
    let is_free = |name: &str| number(name).is_some() && host::v1_controller(name).is_none();
    if !is_free("net_cls") || !is_free("net_prio") {
        test.skip("needs the controllers net_cls and net_prio, mounted nowhere");
        return;
    }
    let point = test.root().join("nets");
    fs::create_dir(&point).expect("mkdir");
    let script = "mount -t tmpfs t \"$0\" && mkdir \"$0/nets\" \
        && mount -t cgroup -o net_cls,net_prio none \"$0/nets\" && exec \"$@\"";
    let point = point.to_str().expect("a path").to_owned();
    let bundle = test.bundle_with(|config| {
        config["linux"]["resources"] = json!({"network": {
            "classID": 1_048_577, "priorities": [{"name": "lo", "priority": 5}]}});
        config.add_mount("cgroup", "cgroup", "/sys/fs/cgroup", &["ro"]);
        let files = ["net_cls.classid", "net_prio.ifpriomap"];
        let files = files.map(|file| format!("/sys/fs/cgroup/nets/{file}"));
        config.args(&["cat", &files[0], &files[1]]);
    });
    let command = test.runtime_after(&["unshare", "--mount", "sh", "-c", script, &point]);
    let command = command.args(["run", "--bundle"]).arg(bundle.path());
    let text = command.arg(test.id("a")).run().ok().stdout();
    // The kernel lets go of a hierarchy whose groups went a moment ago only after a while, sometimes only
    // when it has been mounted and unmounted once more.
    let script = "mount -t cgroup -o net_cls,net_prio none \"$0\" && umount \"$0\"";
    let gone = |_| {
        let gone = || number("net_cls") == Some(0);
        processes::eventually(Duration::from_secs(4), gone) || {
            test.command(&["unshare", "--mount", "sh", "-c", script, &point])
                .run();
            false
        }
    };
    let is_gone = (0..8).any(gone);
    assert!(
        text.starts_with("1048577\n") && text.contains("lo 5"),
        "{text}"
    );
    assert!(is_gone, "the hierarchy is left");
}

/// Whatever this host lacks is refused by the name of the first property that needs it.
fn controllers_that_are_nowhere_are_named(test: &Test) {
    needs!(test, root);
    for (resources, path, is_there) in [
        (
            json!({"rdma": {"mlx5_1": {"hcaHandles": 3, "hcaObjects": 10_000}}}),
            "linux.resources.rdma.mlx5_1",
            // There the kernel says that there is no such device, which is named just so.
            false,
        ),
        (
            json!({"network": {"classID": 1_048_577}}),
            "linux.resources.network.classID",
            host::v1_controller("net_cls").is_some(),
        ),
        (
            json!({"network": {"priorities": [{"name": "lo", "priority": 5}]}}),
            "linux.resources.network.priorities",
            host::v1_controller("net_prio").is_some(),
        ),
        (
            json!({"hugepageLimits": [{"pageSize": "2MB", "limit": 0}]}),
            "linux.resources.hugepageLimits[0]",
            unified_has("hugetlb") || host::v1_controller("hugetlb").is_some(),
        ),
    ] {
        if !is_there {
            let output = test.run_with(|config| config["linux"]["resources"] = resources);
            output.fails(path);
        }
    }
}

/// Values that contradict each other or that no kernel takes.
fn impossible_values_are_refused_by_path(test: &Test) {
    for (resources, path) in [
        (json!({"cpu": {"quota": 5000, "burst": 6000}}), "cpu.burst"),
        (
            json!({"blockIO": {"weightDevice": [{"major": 8, "minor": 0}]}}),
            "blockIO.weightDevice[0]",
        ),
        (json!({"rdma": {"mlx5_1": {}}}), "rdma.mlx5_1"),
        (
            json!({"hugepageLimits": [{"pageSize": "two", "limit": 1}]}),
            "hugepageLimits[0].pageSize",
        ),
        (
            json!({"network": {"priorities": [{"name": "a/b", "priority": 5}]}}),
            "network.priorities[0].name",
        ),
        (json!({"memory": {"swappiness": 101}}), "memory.swappiness"),
        (json!({"cpu": {"idle": 2}}), "cpu.idle"),
        (
            json!({"devices": [{"allow": true, "type": "x", "access": "r"}]}),
            "devices[0].type",
        ),
    ] {
        let output = test.run_with(|config| config["linux"]["resources"] = resources);
        output.fails(&format!("linux.resources.{path}"));
    }
}

// The rivals leave it to the kernel, or do nothing.
for_runtimes!([Dhow];
    huge_pages_of_the_unified_hierarchy,
    the_class_and_the_priorities_of_the_network,
    controllers_that_are_nowhere_are_named,
    impossible_values_are_refused_by_path,
);

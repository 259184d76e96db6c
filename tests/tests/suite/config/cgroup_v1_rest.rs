//! `linux.resources` on cgroup v1: the values that not every kernel takes. Written, or refused by name.

use super::cgroups::{limited, read};
use dhow_tests::{Test, for_runtimes, host, needs};
use serde_json::{Value, json};

/// Runs with one property. Where the kernel takes the value it is read back; else the property is named.
fn written_or_named(test: &Test, resources: &Value, file: &str, expected: &str, path: &str) {
    let (controller, _) = file.split_once('.').expect("CONTROLLER.FILE");
    if host::v1_controller(controller).is_none() {
        let output = test.run_with(|config| config["linux"]["resources"] = resources.clone());
        output.fails(&format!("linux.resources.{path}"));
        return;
    }
    let name = format!("/sys/fs/cgroup/{controller}/{file}");
    let output = test.run_with(|config| {
        config["linux"]["resources"] = resources.clone();
        config.add_mount("cgroup", "cgroup", "/sys/fs/cgroup", &["ro"]);
        config.args(&["cat", &name]);
    });
    if output.code == Some(0) {
        let text = output.stdout();
        assert!(
            text.split_whitespace().any(|word| word == expected),
            "{path}: {text}"
        );
    } else {
        output.fails(&format!("linux.resources.{path}"));
    }
}

fn swap_and_the_killer_are_set(test: &Test) {
    needs!(test, root, cgroup1);
    let container = limited(
        test,
        json!({"memory": {
        "limit": 100 << 20, "swap": 150 << 20, "disableOOMKiller": true, "useHierarchy": true}}),
    );
    let control = read(&container, "memory", "memory.oom_control");
    assert!(control.contains("oom_kill_disable 1"), "{control}");
    assert_eq!(read(&container, "memory", "memory.use_hierarchy"), "1");
    let file = "memory.memsw.limit_in_bytes";
    let place = super::cgroups::directory(&container, "memory").join(file);
    if place.exists() {
        assert_eq!(read(&container, "memory", file), (150 << 20).to_string());
    }
}

fn hierarchical_accounting_cannot_be_left(test: &Test) {
    needs!(test, root, cgroup1);
    let output = test.run_with(|config| {
        config["linux"]["resources"] = json!({"memory": {"useHierarchy": false}});
    });
    output.fails("linux.resources.memory.useHierarchy");
}

/// Not recommended by the specification; newer kernels take neither.
fn kernel_memory_is_written_or_named(test: &Test) {
    needs!(test, root, cgroup1);
    for (property, file) in [
        ("kernel", "memory.kmem.limit_in_bytes"),
        ("kernelTCP", "memory.kmem.tcp.limit_in_bytes"),
    ] {
        let resources = json!({"memory": {property: 64 << 20}});
        let expected = (64 << 20).to_string();
        written_or_named(
            test,
            &resources,
            file,
            &expected,
            &format!("memory.{property}"),
        );
    }
}

fn real_time_is_written_or_named(test: &Test) {
    needs!(test, root, cgroup1);
    let resources = json!({"cpu": {"realtimePeriod": 900_000}});
    written_or_named(
        test,
        &resources,
        "cpu.rt_period_us",
        "900000",
        "cpu.realtimePeriod",
    );
    let resources = json!({"cpu": {"realtimeRuntime": 1000}});
    written_or_named(
        test,
        &resources,
        "cpu.rt_runtime_us",
        "1000",
        "cpu.realtimeRuntime",
    );
}

fn idleness_is_written_or_named(test: &Test) {
    needs!(test, root, cgroup1);
    written_or_named(
        test,
        &json!({"cpu": {"idle": 1}}),
        "cpu.idle",
        "1",
        "cpu.idle",
    );
}

fn weights_of_disks_are_written_or_named(test: &Test) {
    needs!(test, root, cgroup1);
    let weight = json!({"blockIO": {"weight": 300}});
    written_or_named(test, &weight, "blkio.bfq.weight", "300", "blockIO.weight");
    let leaf = json!({"blockIO": {"leafWeight": 300}});
    written_or_named(
        test,
        &leaf,
        "blkio.leaf_weight",
        "300",
        "blockIO.leafWeight",
    );
    // No disk has these numbers: whatever the kernel knows of weights, it refuses the device.
    for property in ["weight", "leafWeight"] {
        let device = json!({"major": 4095, "minor": 1, property: 300});
        let output = test.run_with(|config| {
            config["linux"]["resources"] = json!({"blockIO": {"weightDevice": [device]}});
        });
        output.fails("linux.resources.blockIO.weightDevice[0]");
    }
}

// The rivals write what they can and leave out the rest, or name the file.
for_runtimes!([Dhow];
    swap_and_the_killer_are_set,
    hierarchical_accounting_cannot_be_left,
    kernel_memory_is_written_or_named,
    real_time_is_written_or_named,
    idleness_is_written_or_named,
    weights_of_disks_are_written_or_named,
);

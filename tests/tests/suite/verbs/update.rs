//! `update`: the limits of a living container, read back from the kernel's files of cgroup v1.
//!
//! What is refused is in `update_refusals`, what another kind of host shows in `update_v2`.

use crate::config::cgroups::{limited, read};
use dhow_tests::{Container, Output, Test, for_each_runtime, for_runtimes, needs};
use serde_json::{Value, json};
use std::fs;

pub(super) const MIB: u64 = 1 << 20;

/// A container with a limit of each kind that the tests change.
pub(super) fn container(test: &Test) -> Container<'_> {
    let resources = json!({
        "memory": {"limit": 64 * MIB, "reservation": 32 * MIB},
        "cpu": {"shares": 100, "quota": 500_000, "period": 1_000_000},
        "pids": {"limit": 20}
    });
    limited(test, resources)
}

pub(super) fn update(container: &Container<'_>, options: &[&str]) -> Output {
    let mut words = vec!["update"];
    words.extend(options);
    container.verb(&words).run()
}

/// `update --resources` with this document, from standard input.
pub(super) fn update_by(test: &Test, container: &Container<'_>, document: &Value) -> Output {
    let command = test.runtime().args(["update", "--resources", "-"]);
    let command = command.arg(container.id());
    command.stdin(document.to_string().as_bytes()).run()
}

/// The files that the flags go to, with what must stand there.
pub(super) fn expect(container: &Container<'_>, values: &[(&str, &str, &str)]) {
    for (controller, file, value) in values {
        assert_eq!(&read(container, controller, file), value, "{file}");
    }
}

fn flags_change_the_files(test: &Test) {
    needs!(test, root, cgroup1);
    let container = container(test);
    let options = [
        "--memory",
        "70000000",
        "--memory-reservation",
        "40000000",
        "--cpu-share",
        "200",
        "--cpu-quota",
        "600000",
        "--cpu-period",
        "900000",
        "--cpuset-cpus",
        "0",
        "--cpuset-mems",
        "0",
        "--pids-limit",
        "10",
    ];
    update(&container, &options).ok();
    let page = |bytes: u64| (bytes / 4096 * 4096).to_string();
    expect(
        &container,
        &[
            ("memory", "memory.limit_in_bytes", &page(70_000_000)),
            ("memory", "memory.soft_limit_in_bytes", &page(40_000_000)),
            ("cpu", "cpu.shares", "200"),
            ("cpu", "cpu.cfs_quota_us", "600000"),
            ("cpu", "cpu.cfs_period_us", "900000"),
            ("cpuset", "cpuset.cpus", "0"),
            ("cpuset", "cpuset.mems", "0"),
            ("pids", "pids.max", "10"),
        ],
    );
}

fn what_is_not_named_stays(test: &Test) {
    needs!(test, root, cgroup1);
    let container = container(test);
    update(&container, &["--cpu-share", "300"]).ok();
    expect(
        &container,
        &[
            ("cpu", "cpu.shares", "300"),
            ("cpu", "cpu.cfs_quota_us", "500000"),
            ("memory", "memory.limit_in_bytes", &(64 * MIB).to_string()),
            ("pids", "pids.max", "20"),
        ],
    );
    update(&container, &[]).ok();
    expect(
        &container,
        &[("cpu", "cpu.shares", "300"), ("pids", "pids.max", "20")],
    );
}

/// Each update builds on the one before: the partner of a value is what it was made, not what it was at first.
fn updates_build_on_each_other(test: &Test) {
    needs!(test, root, cgroup1);
    let container = container(test);
    let limits = |memory: u64, both: u64| {
        expect(
            &container,
            &[
                (
                    "memory",
                    "memory.limit_in_bytes",
                    &(memory * MIB).to_string(),
                ),
                (
                    "memory",
                    "memory.memsw.limit_in_bytes",
                    &(both * MIB).to_string(),
                ),
            ],
        );
    };
    update(&container, &["--memory", "64M", "--memory-swap", "96M"]).ok();
    limits(64, 96);
    // Above both limits, and below both: the kernel wants another order each time.
    update(&container, &["--memory", "300M", "--memory-swap", "400M"]).ok();
    limits(300, 400);
    update(&container, &["--memory", "50M", "--memory-swap", "60M"]).ok();
    limits(50, 60);
    update(&container, &["--memory", "55M"]).ok();
    limits(55, 60);
    update(&container, &["--memory-swap", "-1"]).ok();
    update(&container, &["--memory", "-1"]).ok();
    let unlimited: u64 = read(&container, "memory", "memory.limit_in_bytes")
        .parse()
        .expect("a number");
    assert!(unlimited > 1 << 60, "{unlimited}");
}

fn sizes_have_suffixes(test: &Test) {
    needs!(test, root, cgroup1);
    let container = container(test);
    for (size, bytes) in [
        ("65536k", 64 * MIB),
        ("70M", 70 * MIB),
        ("72mb", 72 * MIB),
        ("1g", 1 << 30),
        ("1.5GiB", 3 << 29),
    ] {
        update(&container, &["--memory", size]).ok();
        let found = read(&container, "memory", "memory.limit_in_bytes");
        assert_eq!(found, bytes.to_string(), "{size}");
    }
    for size in ["moon", "1x", "-2k"] {
        let output = update(&container, &["--memory", size]);
        output.refuses(["--memory", "invalid value for memory", ""]);
    }
}

fn resources_come_from_a_file(test: &Test) {
    needs!(test, root, cgroup1);
    let container = container(test);
    let file = test.root().join("resources.json");
    let document = json!({
        "memory": {"limit": 80 * MIB, "reservation": 0},
        "cpu": {"shares": 400, "quota": 0, "cpus": "0"},
        "pids": {"limit": 30}
    });
    fs::write(&file, document.to_string()).expect("write");
    let path = file.to_str().expect("a path");
    update(&container, &["-r", path]).ok();
    expect(
        &container,
        &[
            ("memory", "memory.limit_in_bytes", &(80 * MIB).to_string()),
            (
                "memory",
                "memory.soft_limit_in_bytes",
                &(32 * MIB).to_string(),
            ),
            ("cpu", "cpu.shares", "400"),
            ("cpu", "cpu.cfs_quota_us", "500000"),
            ("cpuset", "cpuset.cpus", "0"),
            ("pids", "pids.max", "30"),
        ],
    );
}

fn resources_come_from_standard_input(test: &Test) {
    needs!(test, root, cgroup1);
    let container = container(test);
    let document = json!({"cpu": {"shares": 500}, "pids": {"limit": 40}});
    update_by(test, &container, &document).ok();
    expect(
        &container,
        &[("cpu", "cpu.shares", "500"), ("pids", "pids.max", "40")],
    );
}

/// A list of Go that is absent is null, and so are its pointers.
fn nulls_of_engines_change_nothing(test: &Test) {
    needs!(test, root, cgroup1);
    let container = container(test);
    let document = json!({"devices": null, "memory": {"limit": null}, "cpu": {"shares": 500},
                          "pids": null, "blockIO": null, "hugepageLimits": null});
    update_by(test, &container, &document).ok();
    expect(
        &container,
        &[("cpu", "cpu.shares", "500"), ("pids", "pids.max", "20")],
    );
}

fn burst_and_idle(test: &Test) {
    needs!(test, root, cgroup1);
    let container = container(test);
    update(&container, &["--cpu-burst", "20000"]).ok();
    expect(&container, &[("cpu", "cpu.cfs_burst_us", "20000")]);
    update(&container, &["--cpu-burst", "0"]).ok();
    expect(&container, &[("cpu", "cpu.cfs_burst_us", "0")]);
    update(&container, &["--cpu-idle", "1"]).ok();
    expect(&container, &[("cpu", "cpu.idle", "1")]);
    // The kernel forgets the weight of an idle group.
    update(&container, &["--cpu-idle", "0"]).ok();
    expect(
        &container,
        &[("cpu", "cpu.idle", "0"), ("cpu", "cpu.shares", "100")],
    );
}

/// An extra rule that somebody else has written since is not taken away by rules that have not changed.
fn device_rules_are_changed_only_when_they_differ(test: &Test) {
    needs!(test, root, cgroup1);
    let rules = json!([{"allow": false, "access": "rwm"}]);
    let container = limited(test, json!({"devices": rules}));
    let directory = crate::config::cgroups::directory(&container, "devices");
    fs::write(directory.join("devices.allow"), "c 10:229 rw").expect("allow a device");
    update_by(
        test,
        &container,
        &json!({"devices": rules, "pids": {"limit": 9}}),
    )
    .ok();
    let list = || read(&container, "devices", "devices.list");
    assert!(list().contains("c 10:229 rw"), "{}", list());
    let other = json!([{"allow": false, "access": "rwm"},
                       {"allow": true, "type": "c", "major": 10, "minor": 200, "access": "rwm"}]);
    update_by(test, &container, &json!({"devices": other})).ok();
    assert!(
        list().contains("c 10:200 rwm") && !list().contains("c 10:229"),
        "{}",
        list()
    );
}

fn a_created_container_takes_limits(test: &Test) {
    needs!(test, root, cgroup1);
    let container = test.create(&test.bundle_running(&["sleep", "1000"]), "a");
    update(&container, &["--pids-limit", "11"]).ok();
    expect(&container, &[("pids", "pids.max", "11")]);
    container.start();
    assert_eq!(container.status(), "running");
}

fn a_paused_container_takes_limits(test: &Test) {
    needs!(test, root, cgroup1);
    let container = container(test);
    container.verb(&["pause"]).run().ok();
    update(&container, &["--pids-limit", "11"]).ok();
    assert_eq!(container.status(), "paused");
    expect(&container, &[("pids", "pids.max", "11")]);
}

/// The limits are in force, not only written.
fn a_pids_limit_really_limits(test: &Test) {
    needs!(test, root);
    let container = test.sleeper("a");
    update(&container, &["--pids-limit", "12"]).ok();
    let report = container.exec(&["probe", "fork", "40"]).ok().json();
    assert_eq!(report["errno"], 11, "{report}");
}

fn options_stand_before_and_after_the_id(test: &Test) {
    needs!(test, root, cgroup1);
    let container = container(test);
    let words = [
        "update",
        "--cpu-share",
        "300",
        container.id(),
        "--pids-limit",
        "12",
    ];
    test.runtime().args(words).run().ok();
    expect(
        &container,
        &[("cpu", "cpu.shares", "300"), ("pids", "pids.max", "12")],
    );
}

fn a_limit_is_lifted(test: &Test) {
    needs!(test, root, cgroup1);
    let container = container(test);
    update(&container, &["--cpu-quota", "-1", "--pids-limit", "-1"]).ok();
    expect(
        &container,
        &[
            ("cpu", "cpu.cfs_quota_us", "-1"),
            ("pids", "pids.max", "max"),
        ],
    );
}

for_each_runtime!(
    flags_change_the_files,
    what_is_not_named_stays,
    resources_come_from_standard_input,
    a_created_container_takes_limits,
    a_paused_container_takes_limits,
    a_pids_limit_really_limits,
);

// crun 1.8 writes zeros and remembers nothing, takes no suffix, no -1, no option after the id, and
// updates what has ended.
for_runtimes!([Dhow, Runc];
    resources_come_from_a_file,
    options_stand_before_and_after_the_id,
    a_limit_is_lifted,
    updates_build_on_each_other,
    sizes_have_suffixes,
);

// runc 1.1 crashes on `"pids": null`.
for_runtimes!([Dhow, Crun]; nulls_of_engines_change_nothing);

// runc 1.1 knows neither burst nor idle, nor does crun 1.8.
for_runtimes!([Dhow];
    burst_and_idle,
    device_rules_are_changed_only_when_they_differ,
);

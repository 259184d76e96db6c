//! `update`: what is refused, by name, and that nothing is changed then.

use super::update::{MIB, container, expect, update, update_by};
use dhow_tests::{Test, for_each_runtime, for_runtimes, needs};
use serde_json::json;

/// Nothing can be refused half-way here: the document alone shows that it is impossible.
fn impossible_values_change_nothing(test: &Test) {
    needs!(test, root, cgroup1);
    let container = container(test);
    for (options, name) in [
        (
            ["--cpu-share", "300", "--cpu-quota", "5"],
            "linux.resources.cpu.quota",
        ),
        (
            ["--cpu-share", "300", "--cpu-period", "5"],
            "linux.resources.cpu.period",
        ),
        (
            ["--cpu-share", "300", "--memory-swap", "1m"],
            "linux.resources.memory.swap",
        ),
        (
            ["--cpu-share", "300", "--cpuset-cpus", "x"],
            "linux.resources.cpu.cpus",
        ),
        (
            ["--cpu-share", "300", "--blkio-weight", "5"],
            "linux.resources.blockIO.weight",
        ),
        (
            ["--cpu-share", "300", "--cpu-idle", "2"],
            "linux.resources.cpu.idle",
        ),
        (
            ["--cpu-share", "300", "--cpu-rt-runtime", "x"],
            "--cpu-rt-runtime",
        ),
        (
            ["--cpu-share", "300", "--pids-limit", "many"],
            "--pids-limit",
        ),
        (
            ["--cpu-share", "300", "--blkio-weight", "70000"],
            "--blkio-weight",
        ),
    ] {
        update(&container, &options).fails(name);
        expect(&container, &[("cpu", "cpu.shares", "100")]);
    }
}

/// Here the kernel is the one who refuses, after some values were written: they are put back.
fn a_refusal_half_way_leaves_the_values_of_before(test: &Test) {
    needs!(test, root, cgroup1);
    let container = container(test);
    let before = [
        ("cpuset", "cpuset.cpus", "0"),
        ("cpu", "cpu.shares", "100"),
        ("cpu", "cpu.cfs_quota_us", "500000"),
        ("cpu", "cpu.cfs_period_us", "1000000"),
        ("memory", "memory.limit_in_bytes", "67108864"),
        ("memory", "memory.soft_limit_in_bytes", "33554432"),
        ("pids", "pids.max", "20"),
    ];
    update(&container, &["--cpuset-cpus", "0"]).ok();
    expect(&container, &before);
    // Less than is in use already and cannot be taken away.
    let options = [
        "--cpuset-cpus",
        "0-1",
        "--cpu-share",
        "300",
        "--cpu-quota",
        "200000",
        "--cpu-period",
        "400000",
        "--memory",
        "4096",
        "--pids-limit",
        "9",
    ];
    update(&container, &options).fails("linux.resources.memory.limit");
    expect(&container, &before);
    let document = json!({
        "memory": {"limit": 99 * MIB, "reservation": 5 * MIB}, "pids": {"limit": 9}, "cpu": {"shares": 77},
        "blockIO": {"throttleReadBpsDevice": [{"major": 999, "minor": 999, "rate": 5}]}
    });
    let output = update_by(test, &container, &document);
    output.fails("linux.resources.blockIO.throttleReadBpsDevice[0]");
    expect(&container, &before);
    // What was refused is not remembered either.
    update(&container, &["--cpu-quota", "450000"]).ok();
    expect(
        &container,
        &[
            ("cpu", "cpu.cfs_period_us", "1000000"),
            ("cpu", "cpu.cfs_quota_us", "450000"),
        ],
    );
}

fn a_limit_below_the_usage_is_refused_when_asked_so(test: &Test) {
    needs!(test, root, cgroup1);
    let container = container(test);
    let document = json!({"memory": {"limit": 8192, "checkBeforeUpdate": true}});
    update_by(test, &container, &document).fails("below the present usage");
    expect(
        &container,
        &[("memory", "memory.limit_in_bytes", &(64 * MIB).to_string())],
    );
}

/// What this kernel or this runtime cannot do is refused by its name, and nothing else is done.
fn what_cannot_be_had_is_refused_by_name(test: &Test) {
    needs!(test, root, cgroup1);
    let container = container(test);
    for flag in [
        "--kernel-memory",
        "--kernel-memory-tcp",
        "--l3-cache-schema",
        "--mem-bw-schema",
    ] {
        update(&container, &["--cpu-share", "300", flag, "5000"]).fails(flag);
    }
    for (document, name) in [
        (
            json!({"cpu": {"shares": 300}, "memory": {"kernel": 5000}}),
            "linux.resources.memory.kernel",
        ),
        (
            json!({"cpu": {"shares": 300}, "memory": {"kernelTCP": 5000}}),
            "linux.resources.memory.kernelTCP",
        ),
        (
            json!({"cpu": {"shares": 300}, "rdma": {"mlx5_1": {"hcaHandles": 3}}}),
            "linux.resources.rdma",
        ),
        (
            json!({"cpu": {"shares": 300}, "unified": {"memory.high": "1"}}),
            "linux.resources.unified",
        ),
    ] {
        update_by(test, &container, &document).fails(name);
    }
    expect(&container, &[("cpu", "cpu.shares", "100")]);
}

fn broken_resources_are_named(test: &Test) {
    needs!(test, root);
    let container = test.sleeper("a");
    let absent = update(&container, &["--resources", "/nonexistent.json"]);
    absent.refuses(["/nonexistent.json", "/nonexistent.json", ""]);
    let command = test.runtime().args(["update", "-r", "-", container.id()]);
    command
        .stdin(b"{\"memory\": ")
        .run()
        .refuses(["standard input: not valid JSON", "EOF", ""]);
    let output = update_by(test, &container, &json!({"memory": {"limit": "much"}}));
    output.refuses(["memory.limit", "limit", ""]);
}

fn refuses_a_stopped_container(test: &Test) {
    let container = test.sleeper("a");
    container.kill("KILL").ok();
    container.wait_for("stopped");
    let output = update(&container, &["--pids-limit", "11"]);
    output.refuses(["it is stopped", "not running", ""]);
}

fn refuses_an_unknown_id(test: &Test) {
    let id = test.id("nobody");
    let output = test
        .runtime()
        .args(["update", "--pids-limit", "5", &id])
        .run();
    output.refuses(["does not exist", "does not exist", "no such file"]);
}

for_each_runtime!(refuses_an_unknown_id);

// crun 1.8 updates what has ended, and takes nonsense for zero.
for_runtimes!([Dhow, Runc];
    refuses_a_stopped_container,
    broken_resources_are_named,
);

// The rivals leave what they wrote before a refusal.
for_runtimes!([Dhow];
    impossible_values_change_nothing,
    a_refusal_half_way_leaves_the_values_of_before,
    a_limit_below_the_usage_is_refused_when_asked_so,
    what_cannot_be_had_is_refused_by_name,
);

//! `update` on cgroup v2, with and without systemd. Runs in the test VM.

use super::update::{update, update_by};
use crate::config::cgroups::{limited, read};
use dhow_tests::{Container, Kind, Test, for_each_runtime, for_runtimes, needs};
use serde_json::json;

const MIB: u64 = 1 << 20;

fn expect(container: &Container<'_>, values: &[(&str, &str)]) {
    for (file, value) in values {
        assert_eq!(&read(container, "", file), value, "{file}");
    }
}

fn container(test: &Test) -> Container<'_> {
    let resources = json!({
        "memory": {"limit": 100 * MIB, "swap": 150 * MIB},
        "cpu": {"shares": 1024, "quota": 50_000, "period": 100_000},
        "pids": {"limit": 20}
    });
    limited(test, resources)
}

fn cgroup_v2_flags_change_the_files(test: &Test) {
    needs!(test, root, cgroup2);
    let container = container(test);
    let options = [
        "--cpu-quota",
        "60000",
        "--cpu-period",
        "200000",
        "--cpuset-cpus",
        "0",
        "--pids-limit",
        "10",
        "--memory-reservation",
        "20971520",
    ];
    update(&container, &options).ok();
    expect(
        &container,
        &[
            ("cpu.max", "60000 200000"),
            ("cpuset.cpus", "0"),
            ("pids.max", "10"),
            ("memory.low", &(20 * MIB).to_string()),
            ("memory.max", &(100 * MIB).to_string()),
        ],
    );
}

/// The document counts memory and swap together, the kernel each alone: a new limit of one moves the other.
fn cgroup_v2_swap_follows_memory(test: &Test) {
    needs!(test, root, cgroup2);
    let container = container(test);
    let limits = |memory: u64, swap: u64| {
        let (memory, swap) = ((memory * MIB).to_string(), (swap * MIB).to_string());
        expect(
            &container,
            &[("memory.max", &memory), ("memory.swap.max", &swap)],
        );
    };
    limits(100, 50);
    update(&container, &["--memory", "120M"]).ok();
    limits(120, 30);
    update(&container, &["--memory-swap", "200M"]).ok();
    limits(120, 80);
    update(&container, &["--memory-swap", "-1"]).ok();
    expect(&container, &[("memory.swap.max", "max")]);
}

fn cgroup_v2_a_period_alone_keeps_the_quota(test: &Test) {
    needs!(test, root, cgroup2);
    let container = container(test);
    update(&container, &["--cpu-period", "200000"]).ok();
    expect(&container, &[("cpu.max", "50000 200000")]);
    update(&container, &["--cpu-quota", "-1"]).ok();
    expect(&container, &[("cpu.max", "max 200000")]);
}

fn cgroup_v2_burst_idle_and_raw_values(test: &Test) {
    needs!(test, root, cgroup2);
    let container = container(test);
    update(&container, &["--cpu-burst", "20000"]).ok();
    expect(&container, &[("cpu.max.burst", "20000")]);
    let weight = read(&container, "", "cpu.weight");
    update(&container, &["--cpu-idle", "1"]).ok();
    expect(&container, &[("cpu.idle", "1")]);
    update(&container, &["--cpu-idle", "0"]).ok();
    expect(&container, &[("cpu.idle", "0"), ("cpu.weight", &weight)]);
    let document = json!({"unified": {"memory.high": (90 * MIB).to_string()}});
    update_by(test, &container, &document).ok();
    expect(&container, &[("memory.high", &(90 * MIB).to_string())]);
}

fn cgroup_v2_a_refusal_half_way_leaves_the_values_of_before(test: &Test) {
    needs!(test, root, cgroup2);
    let container = container(test);
    let before = [
        ("cpuset.cpus", ""),
        ("cpu.max", "50000 100000"),
        ("memory.max", "104857600"),
        ("memory.swap.max", "52428800"),
        ("pids.max", "20"),
    ];
    expect(&container, &before);
    let document = json!({
        "memory": {"limit": 99 * MIB}, "pids": {"limit": 9},
        "cpu": {"quota": 70_000, "cpus": "0"},
        "blockIO": {"throttleReadBpsDevice": [{"major": 999, "minor": 999, "rate": 5}]}
    });
    let output = update_by(test, &container, &document);
    output.fails("linux.resources.blockIO.throttleReadBpsDevice[0]");
    expect(&container, &before);
}

fn cgroup_v2_what_it_lacks_is_refused_by_name(test: &Test) {
    needs!(test, root, cgroup2);
    let container = container(test);
    let output = update(
        &container,
        &["--cpu-share", "300", "--cpu-rt-runtime", "5000"],
    );
    output.fails("linux.resources.cpu.realtimeRuntime");
    let document = json!({"cpu": {"shares": 300}, "memory": {"swappiness": 5}});
    update_by(test, &container, &document).fails("linux.resources.memory.swappiness");
    let document = json!({"memory": {"limit": 8192, "checkBeforeUpdate": true}});
    update_by(test, &container, &document).fails("below the present usage");
    expect(&container, &[("memory.max", "104857600")]);
    assert_eq!(container.status(), "running");
}

/// What systemd knows about the limits of a unit.
fn assert_shown(test: &Test, unit: &str, expected: &[&str]) {
    let properties = "TasksMax,MemoryMax,CPUQuotaPerSecUSec";
    let words = ["systemctl", "show", "-p", properties, unit];
    let text = test.command(&words).run().ok().stdout();
    for line in expected {
        assert!(text.contains(line), "{line} is not in {text}");
    }
}

/// systemd writes its own values again at every reload: it must know the new ones.
fn cgroup_v2_systemd_is_told(test: &Test) {
    needs!(test, root, cgroup2, systemd);
    let bundle = test.bundle_with(|config| {
        let path = format!("system.slice:dhowtest:{}", test.mark());
        config["linux"]["cgroupsPath"] = json!(path);
        config["linux"]["resources"] = json!({"pids": {"limit": 55}});
        config.args(&["sleep", "1000"]);
    });
    let id = test.id("a");
    let systemd = |words: &[&str]| test.runtime().arg("--systemd-cgroup").args(words);
    let run = systemd(&["run", "--detach", "--bundle"]);
    run.arg(bundle.path()).arg(&id).run().ok();
    let container = test.container("a");
    let limits = [
        "--pids-limit",
        "66",
        "--memory",
        "99M",
        "--cpu-quota",
        "50000",
    ];
    systemd(&["update"]).args(limits).arg(&id).run().ok();
    let memory = (99 * MIB).to_string();
    let files = [("pids.max", "66"), ("memory.max", &memory)];
    expect(&container, &files);
    expect(&container, &[("cpu.max", "50000 100000")]);
    let unit = format!("dhowtest-{}.scope", test.mark());
    let shown = [
        "TasksMax=66",
        "MemoryMax=103809024",
        "CPUQuotaPerSecUSec=500ms",
    ];
    assert_shown(test, &unit, &shown);
    test.command(&["systemctl", "daemon-reload"]).run().ok();
    expect(&container, &files);
    // runc leaves what it wrote before a refusal.
    if test.is(Kind::Dhow) {
        let document = json!({
            "pids": {"limit": 77}, "memory": {"limit": 88 * MIB},
            "blockIO": {"throttleReadBpsDevice": [{"major": 999, "minor": 999, "rate": 5}]}
        });
        let command = systemd(&["update", "--resources", "-", &id]);
        let output = command.stdin(document.to_string().as_bytes()).run();
        output.fails("linux.resources.blockIO.throttleReadBpsDevice[0]");
        assert_shown(test, &unit, &shown);
        expect(&container, &files);
    }
    systemd(&["delete", "--force", &id]).run().ok();
}

for_each_runtime!(cgroup_v2_flags_change_the_files);

// crun remembers nothing of what was asked for before, and puts the container into a group below the scope.
for_runtimes!([Dhow, Runc];
    cgroup_v2_a_period_alone_keeps_the_quota,
    cgroup_v2_systemd_is_told,
);

// runc 1.1 leaves the limit of swap alone as it was when the one of memory moves, and what it wrote before a
// refusal.
for_runtimes!([Dhow];
    cgroup_v2_swap_follows_memory,
    cgroup_v2_burst_idle_and_raw_values,
    cgroup_v2_a_refusal_half_way_leaves_the_values_of_before,
    cgroup_v2_what_it_lacks_is_refused_by_name,
);

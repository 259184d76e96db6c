//! `linux.resources` on cgroup v2, read back from the kernel's files. Runs in the test VM.

use super::cgroups::{limited, read};
use dhow_tests::{Test, for_each_runtime, for_runtimes, needs};
use serde_json::json;

fn memory(test: &Test) {
    needs!(test, root, cgroup2);
    let container = limited(
        test,
        json!({"memory": {
            "limit": 100 << 20, "reservation": 50 << 20, "swap": 150 << 20
        }}),
    );
    assert_eq!(read(&container, "", "memory.max"), (100 << 20).to_string());
    assert_eq!(read(&container, "", "memory.low"), (50 << 20).to_string());
    // The document counts memory and swap together, the kernel swap alone.
    assert_eq!(
        read(&container, "", "memory.swap.max"),
        (50 << 20).to_string()
    );
}

fn cpu(test: &Test) {
    needs!(test, root, cgroup2);
    let container = limited(
        test,
        json!({"cpu": {
            "shares": 1024, "quota": 50_000, "period": 100_000
        }}),
    );
    assert_eq!(read(&container, "", "cpu.max"), "50000 100000");
    let weight: u32 = read(&container, "", "cpu.weight")
        .parse()
        .expect("a number");
    // The two formulas in use give 39 and 100 for the default of v1.
    assert!([39, 100].contains(&weight), "{weight}");
}

fn cpuset(test: &Test) {
    needs!(test, root, cgroup2);
    let container = limited(test, json!({"cpu": {"cpus": "0", "mems": "0"}}));
    assert_eq!(read(&container, "", "cpuset.cpus"), "0");
    assert_eq!(read(&container, "", "cpuset.mems"), "0");
}

fn pids(test: &Test) {
    needs!(test, root, cgroup2);
    let container = limited(test, json!({"pids": {"limit": 77}}));
    assert_eq!(read(&container, "", "pids.max"), "77");
}

fn unified(test: &Test) {
    needs!(test, root, cgroup2);
    let container = limited(
        test,
        json!({"unified": {
            "memory.high": "88080384", "pids.max": "66"
        }}),
    );
    assert_eq!(read(&container, "", "memory.high"), "88080384");
    assert_eq!(read(&container, "", "pids.max"), "66");
}

fn unified_keys_that_are_unknown_are_named(test: &Test) {
    needs!(test, root, cgroup2);
    let unified = json!({"unified": {"moon.max": "1"}});
    let output = test.run_with(|config| config["linux"]["resources"] = unified);
    output.fails("moon.max");
}

fn the_container_cannot_raise_its_limit(test: &Test) {
    needs!(test, root, cgroup2);
    let output = test.run_with(|config| {
        config["linux"]["resources"] = json!({"pids": {"limit": 20}});
        config.add_mount(
            "cgroup",
            "cgroup",
            "/sys/fs/cgroup",
            &["nosuid", "noexec", "nodev", "rw"],
        );
        config.args(&["probe", "write", "/sys/fs/cgroup/pids.max", "1000"]);
    });
    // The root of a cgroup namespace shows no limit of its own to raise: absent or refused.
    let errno = output.ok().json()["errno"].as_i64();
    assert!(
        errno.is_some_and(|errno| [1, 2, 13].contains(&errno)),
        "{errno:?}"
    );
}

fn systemd_makes_the_cgroup(test: &Test) {
    needs!(test, root, cgroup2, systemd);
    let bundle = test.bundle_with(|config| {
        let path = format!("system.slice:dhowtest:{}", test.mark());
        config["linux"]["cgroupsPath"] = json!(path);
        config["linux"]["resources"] =
            json!({"pids": {"limit": 55}, "memory": {"limit": 99 << 20}});
        config.args(&["sleep", "1000"]);
    });
    let id = test.id("a");
    let systemd = || test.runtime().arg("--systemd-cgroup");
    systemd()
        .args(["create", "--bundle"])
        .arg(bundle.path())
        .arg(&id)
        .run()
        .ok();
    systemd().args(["start", &id]).run().ok();
    let container = test.container("a");
    let directory = super::cgroups::directory(&container, "");
    let unit = format!("dhowtest-{}.scope", test.mark());
    assert!(
        directory.ends_with(format!("system.slice/{unit}")),
        "{}",
        directory.display()
    );
    assert_eq!(read(&container, "", "pids.max"), "55");
    let show = test
        .command(&[
            "systemctl",
            "show",
            "-p",
            "TasksMax",
            "-p",
            "MemoryMax",
            &unit,
        ])
        .run();
    let text = show.ok().stdout();
    assert!(
        text.contains("TasksMax=55") && text.contains("MemoryMax=103809024"),
        "{text}"
    );
    systemd().args(["delete", "--force", &id]).run().ok();
    let state = test
        .command(&["systemctl", "is-active", &unit])
        .run()
        .stdout();
    assert_ne!(state.trim(), "active");
}

for_each_runtime!(memory, cpu, cpuset, pids, unified,);

// The rivals name the file they could not write to; crun writes to any file.
for_runtimes!([Dhow, Runc]; unified_keys_that_are_unknown_are_named);
for_runtimes!([Dhow]; the_container_cannot_raise_its_limit);

// crun puts the container into a group below the scope.
for_runtimes!([Dhow, Runc]; systemd_makes_the_cgroup);

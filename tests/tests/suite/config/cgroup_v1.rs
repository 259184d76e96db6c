//! `linux.resources` on cgroup v1 and hybrid hosts, read back from the kernel's files.

use super::cgroups::{limited, read};
use dhow_tests::{Test, for_each_runtime, for_runtimes, needs};
use serde_json::json;

fn memory(test: &Test) {
    needs!(test, root, cgroup1);
    let container = limited(
        test,
        json!({"memory": {
            "limit": 100 << 20, "reservation": 50 << 20, "swap": 150 << 20, "swappiness": 33
        }}),
    );
    assert_eq!(
        read(&container, "memory", "memory.limit_in_bytes"),
        (100 << 20).to_string()
    );
    assert_eq!(
        read(&container, "memory", "memory.soft_limit_in_bytes"),
        (50 << 20).to_string()
    );
    assert_eq!(read(&container, "memory", "memory.swappiness"), "33");
}

fn cpu(test: &Test) {
    needs!(test, root, cgroup1);
    let container = limited(
        test,
        json!({"cpu": {
            "shares": 512, "quota": 50_000, "period": 100_000
        }}),
    );
    assert_eq!(read(&container, "cpu", "cpu.shares"), "512");
    assert_eq!(read(&container, "cpu", "cpu.cfs_quota_us"), "50000");
    assert_eq!(read(&container, "cpu", "cpu.cfs_period_us"), "100000");
}

fn burst_and_idle(test: &Test) {
    needs!(test, root, cgroup1);
    let cpu = json!({"cpu": {"quota": 50_000, "period": 100_000, "burst": 20_000}});
    let container = limited(test, cpu);
    assert_eq!(read(&container, "cpu", "cpu.cfs_burst_us"), "20000");
}

fn cpuset(test: &Test) {
    needs!(test, root, cgroup1);
    let container = limited(test, json!({"cpu": {"cpus": "0", "mems": "0"}}));
    assert_eq!(read(&container, "cpuset", "cpuset.cpus"), "0");
    assert_eq!(read(&container, "cpuset", "cpuset.mems"), "0");
    assert_eq!(container.exec(&["probe"]).ok().json()["cpusAllowed"], "0");
}

fn pids(test: &Test) {
    needs!(test, root, cgroup1);
    let container = limited(test, json!({"pids": {"limit": 77}}));
    assert_eq!(read(&container, "pids", "pids.max"), "77");
}

fn pids_without_limit(test: &Test) {
    needs!(test, root, cgroup1);
    let container = limited(test, json!({"pids": {"limit": -1}}));
    assert_eq!(read(&container, "pids", "pids.max"), "max");
}

fn block_io(test: &Test) {
    needs!(test, root, cgroup1);
    let (major, minor) = some_disk();
    let container = limited(
        test,
        json!({"blockIO": {
            "throttleReadBpsDevice": [{"major": major, "minor": minor, "rate": 1_048_576}],
            "throttleWriteBpsDevice": [{"major": major, "minor": minor, "rate": 2_097_152}],
            "throttleReadIOPSDevice": [{"major": major, "minor": minor, "rate": 66}],
            "throttleWriteIOPSDevice": [{"major": major, "minor": minor, "rate": 77}]
        }}),
    );
    for (file, rate) in [
        ("read_bps", 1_048_576),
        ("write_bps", 2_097_152),
        ("read_iops", 66),
        ("write_iops", 77),
    ] {
        let file = format!("blkio.throttle.{file}_device");
        let text = read(&container, "blkio", &file);
        assert_eq!(text, format!("{major}:{minor} {rate}"), "{file}");
    }
}

/// The numbers of the disk below `/`, or of the first one there is.
fn some_disk() -> (u32, u32) {
    let text = std::fs::read_to_string("/proc/partitions").expect("read");
    let disk = text.lines().skip(2).find_map(|line| {
        let mut fields = line.split_whitespace();
        let numbers = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        let name = fields.nth(1)?;
        // A whole disk: it has a directory of its own.
        std::path::Path::new("/sys/block")
            .join(name)
            .is_dir()
            .then_some(numbers)
    });
    disk.expect("a disk")
}

fn devices(test: &Test) {
    needs!(test, root, cgroup1);
    let container = limited(
        test,
        json!({"devices": [
            {"allow": false, "access": "rwm"},
            {"allow": true, "type": "c", "major": 10, "minor": 229, "access": "rw"}
        ]}),
    );
    let list = read(&container, "devices", "devices.list");
    assert!(list.lines().any(|line| line == "c 10:229 rw"), "{list}");
    assert!(list.lines().any(|line| line == "c 1:3 rwm"), "{list}");
    assert!(!list.contains("a *:* rwm"), "{list}");
}

fn unified_keys_are_refused(test: &Test) {
    needs!(test, root, cgroup1);
    let unified = json!({"unified": {"memory.max": "1000000"}});
    let output = test.run_with(|config| config["linux"]["resources"] = unified);
    output.refuses(["linux.resources.unified", "unified", "unified"]);
}

/// A controller this host does not have: an error that names the property, never silence.
fn what_cannot_be_applied_is_named(test: &Test) {
    needs!(test, root, cgroup1);
    for (resources, path) in [
        (
            json!({"rdma": {"mlx5_1": {"hcaHandles": 3}}}),
            "linux.resources.rdma",
        ),
        (
            json!({"network": {"classID": 1}}),
            "linux.resources.network",
        ),
    ] {
        let output = test.run_with(|config| config["linux"]["resources"] = resources);
        output.fails(path);
    }
}

for_each_runtime!(memory, cpu, cpuset, pids, block_io, devices);

// crun 1.8 ignores burst, as it does unified keys; runc 1.1 knows no burst.
for_runtimes!([Dhow]; burst_and_idle, what_cannot_be_applied_is_named);
// crun 1.8 writes -1 to the file.
for_runtimes!([Dhow, Runc]; unified_keys_are_refused, pids_without_limit);

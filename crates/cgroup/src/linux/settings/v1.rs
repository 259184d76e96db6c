//! Settings of cgroup v1 controllers.
//!
//! Source: Documentation/admin-guide/cgroup-v1 of the kernel.

use super::{IfAbsent, Setting, or_minus_one, refuse, throttles};
use crate::Result;
use crate::linux::layout::Version;
use crate::resources::{BlockIo, Cpu, Memory, Network, ThrottleDevice, WeightDevice};

/// The file of `memory.kernel`: since Linux 6.1 it takes every value and keeps none.
pub(crate) const KERNEL_MEMORY: &str = "memory.kmem.limit_in_bytes";

fn set(controller: &'static str, property: &str, file: &str, value: impl Into<String>) -> Setting {
    Setting::new(Version::V1, controller, property, file, value)
}

pub(super) fn cpu(cpu: &Cpu) -> Result<Vec<Setting>> {
    let mut list = Vec::new();
    let set = |property: &str, file: &str, value: String| set("cpu", property, file, value);
    if let Some(shares) = cpu.shares.filter(|shares| *shares != 0) {
        // The kernel would take these and apply others (MIN_SHARES, MAX_SHARES).
        if !(2..=262_144).contains(&shares) {
            return Err(refuse("cpu.shares", "cgroup v1 takes 2 to 262144"));
        }
        list.push(set("cpu.shares", "cpu.shares", shares.to_string()));
    }
    if let Some(period) = cpu.realtime_period.filter(|period| *period != 0) {
        list.push(set(
            "cpu.realtimePeriod",
            "cpu.rt_period_us",
            period.to_string(),
        ));
    }
    if let Some(runtime) = cpu.realtime_runtime.filter(|runtime| *runtime != 0) {
        list.push(set(
            "cpu.realtimeRuntime",
            "cpu.rt_runtime_us",
            runtime.to_string(),
        ));
    }
    if let Some(period) = cpu.period.filter(|period| *period != 0) {
        list.push(set("cpu.period", "cpu.cfs_period_us", period.to_string()));
    }
    if let Some(quota) = cpu.quota.filter(|quota| *quota != 0) {
        list.push(set("cpu.quota", "cpu.cfs_quota_us", or_minus_one(quota)));
    }
    if let Some(burst) = cpu.burst {
        let absent = if burst == 0 {
            IfAbsent::Ignore
        } else {
            IfAbsent::Refuse
        };
        list.push(set("cpu.burst", "cpu.cfs_burst_us", burst.to_string()).if_absent(absent));
    }
    if let Some(idle) = cpu.idle {
        let absent = if idle == 0 {
            IfAbsent::Ignore
        } else {
            IfAbsent::Refuse
        };
        list.push(set("cpu.idle", "cpu.idle", idle.to_string()).if_absent(absent));
    }
    Ok(list)
}

pub(super) fn memory(memory: &Memory) -> Result<Vec<Setting>> {
    if memory.use_hierarchy == Some(false) {
        let why = "kernels since Linux 5.11 always account hierarchically";
        return Err(refuse("memory.useHierarchy", why));
    }
    let mut list = hard_limits(memory);
    let set = |property: &str, file: &str, value: String| set("memory", property, file, value);
    if let Some(reservation) = given(memory.reservation) {
        let value = or_minus_one(reservation);
        list.push(set(
            "memory.reservation",
            "memory.soft_limit_in_bytes",
            value,
        ));
    }
    // Both deprecated: recent kernels answer with an error, which then names the property, or do nothing.
    if let Some(kernel) = given(memory.kernel).filter(|size| *size > 0) {
        list.push(set("memory.kernel", KERNEL_MEMORY, kernel.to_string()));
    }
    if let Some(tcp) = given(memory.kernel_tcp).filter(|size| *size > 0) {
        list.push(set(
            "memory.kernelTCP",
            "memory.kmem.tcp.limit_in_bytes",
            tcp.to_string(),
        ));
    }
    if let Some(swappiness) = memory.swappiness {
        list.push(set(
            "memory.swappiness",
            "memory.swappiness",
            swappiness.to_string(),
        ));
    }
    if let Some(disable) = memory.disable_oom_killer {
        let value = u8::from(disable).to_string();
        list.push(set("memory.disableOOMKiller", "memory.oom_control", value));
    }
    Ok(list)
}

/// 0 means not set.
fn given(size: Option<i64>) -> Option<i64> {
    size.filter(|size| *size != 0)
}

/// Limit and swap bound each other; whichever is refused is written again after the other.
fn hard_limits(memory: &Memory) -> Vec<Setting> {
    const SWAP: &str = "memory.memsw.limit_in_bytes";
    let (limit, swap) = (given(memory.limit), given(memory.swap));
    let mut list = Vec::new();
    if let Some(limit) = limit {
        list.push(set(
            "memory",
            "memory.limit",
            "memory.limit_in_bytes",
            or_minus_one(limit),
        ));
    }
    match (limit, swap) {
        (_, Some(swap)) => list.push(set("memory", "memory.swap", SWAP, or_minus_one(swap))),
        // Unlimited memory with limited memory and swap together makes no sense; without swap
        // accounting there is nothing to lift.
        (Some(-1), None) => {
            list.push(set("memory", "memory.limit", SWAP, "-1").if_absent(IfAbsent::Ignore));
        }
        _ => {}
    }
    list
}

pub(super) fn block_io(block: &BlockIo) -> Vec<Setting> {
    const FILES: [&str; 4] = [
        "blkio.throttle.read_bps_device",
        "blkio.throttle.write_bps_device",
        "blkio.throttle.read_iops_device",
        "blkio.throttle.write_iops_device",
    ];
    let mut list = Vec::new();
    if let Some(weight) = block.weight.filter(|weight| *weight != 0) {
        // `blkio.weight` is there with the old CFQ scheduler, the other with BFQ.
        let instead = IfAbsent::Instead {
            file: "blkio.bfq.weight",
            value: weight.to_string(),
        };
        list.push(
            set(
                "blkio",
                "blockIO.weight",
                "blkio.weight",
                weight.to_string(),
            )
            .if_absent(instead),
        );
    }
    if let Some(weight) = block.leaf_weight.filter(|weight| *weight != 0) {
        list.push(set(
            "blkio",
            "blockIO.leafWeight",
            "blkio.leaf_weight",
            weight.to_string(),
        ));
    }
    for (index, device) in block.weight_device.iter().enumerate() {
        list.extend(weight_device(index, device));
    }
    list.extend(throttles(block, FILES).map(|(property, file, device)| {
        let ThrottleDevice { major, minor, rate } = device;
        set("blkio", &property, file, format!("{major}:{minor} {rate}"))
    }));
    list
}

fn weight_device(index: usize, device: &WeightDevice) -> Vec<Setting> {
    let WeightDevice { major, minor, .. } = device;
    let mut list = Vec::new();
    if let Some(weight) = device.weight.filter(|weight| *weight != 0) {
        let value = format!("{major}:{minor} {weight}");
        let instead = IfAbsent::Instead {
            file: "blkio.bfq.weight_device",
            value: value.clone(),
        };
        let property = format!("blockIO.weightDevice[{index}].weight");
        list.push(set("blkio", &property, "blkio.weight_device", value).if_absent(instead));
    }
    if let Some(weight) = device.leaf_weight.filter(|weight| *weight != 0) {
        let property = format!("blockIO.weightDevice[{index}].leafWeight");
        list.push(set(
            "blkio",
            &property,
            "blkio.leaf_weight_device",
            format!("{major}:{minor} {weight}"),
        ));
    }
    list
}

pub(super) fn network_class(network: &Network) -> Vec<Setting> {
    let class = network.class_id.filter(|class| *class != 0);
    class
        .map(|class| {
            set(
                "net_cls",
                "network.classID",
                "net_cls.classid",
                class.to_string(),
            )
        })
        .into_iter()
        .collect()
}

pub(super) fn network_priorities(network: &Network) -> Vec<Setting> {
    let lines = network
        .priorities
        .iter()
        .enumerate()
        .map(|(index, interface)| {
            let value = format!("{} {}", interface.name, interface.priority);
            set(
                "net_prio",
                &format!("network.priorities[{index}]"),
                "net_prio.ifpriomap",
                value,
            )
        });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{everything_v1, refused, written};

    #[test]
    fn memory_and_cpu() {
        let json = r#"{"memory":{"limit":1048576,"swap":2097152,"reservation":524288,"swappiness":0,"disableOOMKiller":true},
            "cpu":{"shares":512,"quota":-5,"period":50000,"burst":0,"idle":0,"cpus":"0","mems":"0"}}"#;
        assert_eq!(
            written(json, &everything_v1),
            [
                "cpuset.cpus=0",
                "cpuset.mems=0",
                "cpu.shares=512",
                "cpu.cfs_period_us=50000",
                "cpu.cfs_quota_us=-1",
                "cpu.cfs_burst_us=0",
                "cpu.idle=0",
                "memory.limit_in_bytes=1048576",
                "memory.memsw.limit_in_bytes=2097152",
                "memory.soft_limit_in_bytes=524288",
                "memory.swappiness=0",
                "memory.oom_control=1"
            ]
        );
    }

    #[test]
    fn unlimited_memory_lifts_swap_too() {
        let lines = written(r#"{"memory":{"limit":-1}}"#, &everything_v1);
        assert_eq!(
            lines,
            ["memory.limit_in_bytes=-1", "memory.memsw.limit_in_bytes=-1"]
        );
    }

    #[test]
    fn block_devices_and_network() {
        let json = r#"{"blockIO":{"weight":100,"weightDevice":[{"major":8,"minor":0,"weight":50}],
            "throttleWriteIOPSDevice":[{"major":8,"minor":0,"rate":600}]},
            "network":{"classID":1048577,"priorities":[{"name":"lo","priority":5}]}}"#;
        assert_eq!(
            written(json, &everything_v1),
            [
                "blkio.weight=100",
                "blkio.weight_device=8:0 50",
                "blkio.throttle.write_iops_device=8:0 600",
                "net_cls.classid=1048577",
                "net_prio.ifpriomap=lo 5"
            ]
        );
    }

    #[test]
    fn what_would_be_changed_silently_is_refused() {
        assert!(
            refused(r#"{"cpu":{"shares":1}}"#, &everything_v1)
                .1
                .starts_with("linux.resources.cpu.shares: ")
        );
        assert!(
            refused(r#"{"memory":{"useHierarchy":false}}"#, &everything_v1)
                .1
                .contains("useHierarchy")
        );
        assert!(
            refused(r#"{"unified":{"memory.high":"1"}}"#, &everything_v1)
                .1
                .contains("unified.memory.high")
        );
    }
}

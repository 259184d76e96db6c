//! Settings of cgroup v2 controllers: the v1 language of the specification converted as runc does.
//!
//! Source: Documentation/admin-guide/cgroup-v2.rst of the kernel.

use super::{IfAbsent, Locate, Setting, missing, or_max, refuse, throttles};
use crate::Result;
use crate::linux::layout::Version;
use crate::resources::{BlockIo, Cpu, Memory, ThrottleDevice};
use std::collections::BTreeMap;

fn set(controller: &'static str, property: &str, file: &str, value: impl Into<String>) -> Setting {
    Setting::new(Version::V2, controller, property, file, value)
}

/// `cpu.shares` (2 to 262144, 1024 ordinary) as `cpu.weight` (1 to 10000, 100 ordinary).
///
/// A quadratic through the three pairs in logarithmic scale; the straight line that older runtimes
/// used made an ordinary group of 1024 shares weigh 39.
pub(crate) fn weight_of_shares(shares: u64) -> u64 {
    const ORDINARY: u64 = 1024;
    match shares {
        0..=2 => 1,
        // Named, so that rounding cannot turn it into 101.
        ORDINARY => 100,
        3..262_144 => {
            // Below 2^18, so exact in a double.
            let log = f64::from(u32::try_from(shares).unwrap_or(u32::MAX)).log2();
            let exponent = (log * log + 125.0 * log) / 612.0 - 7.0 / 34.0;
            let weight = 10f64.powf(exponent).ceil();
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "within 1 to 10000"
            )]
            let weight = weight as u64;
            weight
        }
        _ => 10_000,
    }
}

/// `blkio.weight` (10 to 1000) as `io.weight` (1 to 10000), linear.
pub(crate) fn io_weight(weight: u16) -> u64 {
    1 + (u64::from(weight.max(10)) - 10) * 9999 / 990
}

pub(super) fn cpu(cpu: &Cpu) -> Result<Vec<Setting>> {
    let mut list = Vec::new();
    let set = |property: &str, file: &str, value: String| set("cpu", property, file, value);
    if cpu.realtime_runtime.is_some_and(|runtime| runtime != 0) {
        return Err(refuse(
            "cpu.realtimeRuntime",
            "cgroup v2 has no real-time limits",
        ));
    }
    if cpu.realtime_period.is_some_and(|period| period != 0) {
        return Err(refuse(
            "cpu.realtimePeriod",
            "cgroup v2 has no real-time limits",
        ));
    }
    if let Some(shares) = cpu.shares.filter(|shares| *shares != 0) {
        list.push(set(
            "cpu.shares",
            "cpu.weight",
            weight_of_shares(shares).to_string(),
        ));
    }
    let quota = cpu.quota.filter(|quota| *quota != 0);
    let period = cpu.period.filter(|period| *period != 0);
    match (quota, period) {
        (Some(quota), Some(period)) => {
            list.push(set(
                "cpu.quota",
                "cpu.max",
                format!("{} {period}", or_max(quota)),
            ));
        }
        (Some(quota), None) => list.push(set("cpu.quota", "cpu.max", or_max(quota))),
        (None, Some(period)) => list.push(set("cpu.period", "cpu.max", format!("max {period}"))),
        (None, None) => {}
    }
    if let Some(burst) = cpu.burst {
        let absent = if burst == 0 {
            IfAbsent::Ignore
        } else {
            IfAbsent::Refuse
        };
        list.push(set("cpu.burst", "cpu.max.burst", burst.to_string()).if_absent(absent));
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
    let set = |property: &str, file: &str, value: String| set("memory", property, file, value);
    let given = |size: Option<i64>| size.filter(|size| *size != 0);
    if memory.swappiness.is_some() {
        return Err(refuse(
            "memory.swappiness",
            "cgroup v2 has no swappiness per group",
        ));
    }
    if memory.disable_oom_killer == Some(true) {
        return Err(refuse(
            "memory.disableOOMKiller",
            "cgroup v2 cannot disable the OOM killer",
        ));
    }
    if given(memory.kernel).is_some_and(|size| size > 0) {
        return Err(refuse(
            "memory.kernel",
            "cgroup v2 counts kernel memory in memory.limit",
        ));
    }
    if given(memory.kernel_tcp).is_some_and(|size| size > 0) {
        return Err(refuse(
            "memory.kernelTCP",
            "cgroup v2 counts TCP buffers in memory.limit",
        ));
    }
    if memory.use_hierarchy == Some(false) {
        return Err(refuse(
            "memory.useHierarchy",
            "cgroup v2 always accounts hierarchically",
        ));
    }
    let mut list = Vec::new();
    if let Some(swap) = swap(given(memory.limit), given(memory.swap))? {
        // Without swap accounting there is no swap to forbid or to leave unlimited.
        let absent = if ["0", "max"].contains(&swap.as_str()) {
            IfAbsent::Ignore
        } else {
            IfAbsent::Refuse
        };
        list.push(set("memory.swap", "memory.swap.max", swap).if_absent(absent));
    }
    if let Some(limit) = given(memory.limit) {
        list.push(set("memory.limit", "memory.max", or_max(limit)));
    }
    if let Some(reservation) = given(memory.reservation) {
        list.push(set("memory.reservation", "memory.low", or_max(reservation)));
    }
    Ok(list)
}

/// Memory and swap together (v1) as swap alone (v2).
fn swap(limit: Option<i64>, both: Option<i64>) -> Result<Option<String>> {
    Ok(match (limit, both) {
        // Unlimited memory alone lifts swap too, as it must in v1.
        (Some(-1), None) | (_, Some(-1)) => Some("max".to_owned()),
        (_, None) => None,
        (Some(limit @ 1..), Some(both)) => Some((both - limit).max(0).to_string()),
        (_, Some(_)) => {
            return Err(refuse(
                "memory.swap",
                "counts memory and swap together, so it needs memory.limit beside it",
            ));
        }
    })
}

pub(super) fn block_io(block: &BlockIo) -> Result<Vec<Setting>> {
    let leaf = |weight: Option<u16>| weight.is_some_and(|weight| weight != 0);
    let mut leaves = block
        .weight_device
        .iter()
        .map(|device| leaf(device.leaf_weight));
    if let Some(index) = leaves.position(|leaf| leaf) {
        let property = format!("blockIO.weightDevice[{index}].leafWeight");
        return Err(refuse(&property, "cgroup v2 has no leaf weights"));
    }
    if leaf(block.leaf_weight) {
        return Err(refuse(
            "blockIO.leafWeight",
            "cgroup v2 has no leaf weights",
        ));
    }
    let mut list = weights(block);
    let keys = throttles(block, ["rbps", "wbps", "riops", "wiops"]);
    list.extend(keys.map(|(property, key, device)| {
        let ThrottleDevice { major, minor, rate } = device;
        let rate = if *rate == 0 {
            "max".to_owned()
        } else {
            rate.to_string()
        };
        set(
            "io",
            &property,
            "io.max",
            format!("{major}:{minor} {key}={rate}"),
        )
    }));
    Ok(list)
}

/// BFQ's own file takes v1's numbers; the general one has another scale.
fn weights(block: &BlockIo) -> Vec<Setting> {
    let either = |property: &str, of: &str, weight: u16| {
        let instead = IfAbsent::Instead {
            file: "io.weight",
            value: format!("{of}{}", io_weight(weight)),
        };
        set("io", property, "io.bfq.weight", format!("{of}{weight}")).if_absent(instead)
    };
    let whole = block.weight.filter(|weight| *weight != 0);
    let whole = whole.map(|weight| either("blockIO.weight", "", weight));
    let devices = block
        .weight_device
        .iter()
        .enumerate()
        .filter_map(|(index, device)| {
            let weight = device.weight.filter(|weight| *weight != 0)?;
            let property = format!("blockIO.weightDevice[{index}].weight");
            Some(either(
                &property,
                &format!("{}:{} ", device.major, device.minor),
                weight,
            ))
        });
    whole.into_iter().chain(devices).collect()
}

/// Raw values; several lines are several writes, as the kernel reads one at a time.
pub(super) fn unified(
    unified: &BTreeMap<String, String>,
    locate: &impl Locate,
) -> Result<Vec<Setting>> {
    /// The names as constants, for the settings.
    const NAMES: [&str; 10] = [
        "cgroup", "cpu", "cpuset", "io", "memory", "pids", "hugetlb", "rdma", "misc", "dmem",
    ];
    let mut list = Vec::new();
    for (file, value) in unified {
        let property = format!("unified.{file}");
        let prefix = file.split('.').next().unwrap_or("");
        let name = NAMES.into_iter().find(|name| *name == prefix);
        let Some(controller) = name.filter(|name| locate(name) == Some(Version::V2)) else {
            if locate(prefix) == Some(Version::V1) {
                let why = format!(
                    "the controller {prefix:?} is not in the unified hierarchy on this host (it is a cgroup v1 one)"
                );
                return Err(refuse(&property, &why));
            }
            return Err(missing(property, prefix));
        };
        list.extend(
            value
                .lines()
                .map(|line| set(controller, &property, file, line)),
        );
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{everything_v2, refused, written};
    use super::*;

    #[test]
    fn shares_become_weights_as_in_runc() {
        let pairs = [
            (0, 1),
            (1, 1),
            (2, 1),
            (100, 17),
            (512, 59),
            (1024, 100),
            (2048, 174),
            (100_000, 4340),
            (261_999, 9996),
            (262_144, 10_000),
            (u64::MAX, 10_000),
        ];
        for (shares, weight) in pairs {
            assert_eq!(weight_of_shares(shares), weight, "{shares}");
        }
        let weights: Vec<u64> = (2..262_144).step_by(97).map(weight_of_shares).collect();
        assert!(weights.is_sorted());
    }

    #[test]
    fn block_weights_are_linear() {
        assert_eq!(
            (io_weight(10), io_weight(500), io_weight(1000)),
            (1, 4950, 10_000)
        );
    }

    #[test]
    fn memory_and_swap() {
        let cases = [
            (
                r#"{"limit":100,"swap":300}"#,
                vec!["memory.swap.max=200", "memory.max=100"],
            ),
            (
                r#"{"limit":100,"swap":100}"#,
                vec!["memory.swap.max=0", "memory.max=100"],
            ),
            (
                r#"{"limit":100,"swap":-1}"#,
                vec!["memory.swap.max=max", "memory.max=100"],
            ),
            (
                r#"{"limit":-1}"#,
                vec!["memory.swap.max=max", "memory.max=max"],
            ),
            (
                r#"{"limit":100,"reservation":50}"#,
                vec!["memory.max=100", "memory.low=50"],
            ),
            (r#"{"swap":-1}"#, vec!["memory.swap.max=max"]),
        ];
        for (json, expected) in cases {
            assert_eq!(
                written(&format!(r#"{{"memory":{json}}}"#), &everything_v2),
                expected
            );
        }
        assert!(
            refused(r#"{"memory":{"swap":100}}"#, &everything_v2)
                .1
                .contains("memory.swap")
        );
    }

    #[test]
    fn processor_time() {
        let cases = [
            (r#"{"quota":50000,"period":100000}"#, "cpu.max=50000 100000"),
            (r#"{"quota":50000}"#, "cpu.max=50000"),
            (r#"{"quota":-1}"#, "cpu.max=max"),
            (r#"{"period":20000}"#, "cpu.max=max 20000"),
            (r#"{"shares":1024}"#, "cpu.weight=100"),
            (r#"{"idle":1}"#, "cpu.idle=1"),
        ];
        for (json, expected) in cases {
            assert_eq!(
                written(&format!(r#"{{"cpu":{json}}}"#), &everything_v2),
                [expected]
            );
        }
    }

    #[test]
    fn what_v2_lacks_is_refused() {
        let cases = [
            (r#"{"memory":{"swappiness":60}}"#, "memory.swappiness"),
            (
                r#"{"memory":{"disableOOMKiller":true}}"#,
                "memory.disableOOMKiller",
            ),
            (r#"{"memory":{"kernel":5}}"#, "memory.kernel"),
            (r#"{"cpu":{"realtimeRuntime":5}}"#, "cpu.realtimeRuntime"),
            (r#"{"blockIO":{"leafWeight":50}}"#, "blockIO.leafWeight"),
            (r#"{"network":{"classID":5}}"#, "network.classID"),
        ];
        for (json, property) in cases {
            let text = refused(json, &everything_v2).1;
            assert!(
                text.starts_with(&format!("linux.resources.{property}: ")),
                "{text}"
            );
        }
        assert!(written(r#"{"memory":{"disableOOMKiller":false}}"#, &everything_v2).is_empty());
    }

    #[test]
    fn block_io_and_raw_values() {
        let json = r#"{"blockIO":{"weight":500,"throttleReadBpsDevice":[{"major":8,"minor":0,"rate":600},{"major":8,"minor":1,"rate":0}]},
            "unified":{"io.max":"8:0 rbps=1\n8:1 rbps=2","cgroup.max.depth":"2"}}"#;
        assert_eq!(
            written(json, &everything_v2),
            [
                "io.bfq.weight=500",
                "io.max=8:0 rbps=600",
                "io.max=8:1 rbps=max",
                "cgroup.max.depth=2",
                "io.max=8:0 rbps=1",
                "io.max=8:1 rbps=2"
            ]
        );
    }
}

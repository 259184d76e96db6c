//! Refuses limits that no kernel could apply, before anything is touched.
//!
//! Only what can be known from the document alone; whether this host has the controller is found
//! out when the limit is written.

use crate::resources::{BlockIo, Cpu, DeviceRule, HugepageLimit, Memory, Network, Rdma, Resources};
use std::collections::BTreeMap;

/// What is wrong: the JSON path below `linux.resources`, and why.
type Wrong = (String, String);
type Checked = Result<(), Wrong>;

/// Controllers of cgroup v2 whose files `unified` may name.
const V2_CONTROLLERS: [&str; 9] = [
    "cpu", "cpuset", "io", "memory", "pids", "hugetlb", "rdma", "misc", "dmem",
];

/// The core files that `unified` may name: none of them moves, kills or freezes a process.
const V2_CORE_FILES: [&str; 5] = [
    "cgroup.max.depth",
    "cgroup.max.descendants",
    "cgroup.pressure",
    "cgroup.subtree_control",
    "cgroup.type",
];

impl Resources {
    /// Checks everything that can be known without a host.
    ///
    /// # Errors
    /// The JSON path below `linux.resources` (`cpu.quota`), and why the value is impossible.
    pub fn check(&self) -> Result<(), (String, String)> {
        for (index, rule) in self.devices.iter().enumerate() {
            check_device(index, rule)?;
        }
        self.memory.as_ref().map_or(Ok(()), check_memory)?;
        self.cpu.as_ref().map_or(Ok(()), check_cpu)?;
        self.block_io.as_ref().map_or(Ok(()), check_block_io)?;
        check_hugepages(&self.hugepage_limits)?;
        self.network.as_ref().map_or(Ok(()), check_network)?;
        check_rdma(&self.rdma)?;
        check_unified(&self.unified)
    }
}

fn wrong(path: impl Into<String>, why: impl Into<String>) -> Checked {
    Err((path.into(), why.into()))
}

fn check_device(index: usize, rule: &DeviceRule) -> Checked {
    let at = |field: &str| format!("devices[{index}].{field}");
    let kind = rule.kind.as_deref().unwrap_or("a");
    if !["", "a", "b", "c"].contains(&kind) {
        return wrong(at("type"), format!("{kind:?} is not one of a, b, c"));
    }
    let all = kind.is_empty() || kind == "a";
    for (field, number) in [("major", rule.major), ("minor", rule.minor)] {
        let number = number.unwrap_or(-1);
        if number < -1 || number > i64::from(u32::MAX) {
            return wrong(
                at(field),
                format!("{number} is not a device number (-1 means all)"),
            );
        }
        if all && number != -1 {
            return wrong(
                at(field),
                "type a means all devices: give type b or c with a number",
            );
        }
    }
    let access = rule.access.as_deref().unwrap_or("");
    if let Some(letter) = access.chars().find(|letter| !"rwm".contains(*letter)) {
        return wrong(at("access"), format!("{letter:?} is not one of r, w, m"));
    }
    if access.is_empty() && !all {
        return wrong(at("access"), "must name at least one of r, w, m");
    }
    // The kernel's v1 controller reads no access letters after `a`: such a rule would do more than it says.
    if all && !access.is_empty() && !"rwm".chars().all(|letter| access.contains(letter)) {
        return wrong(at("access"), "a rule for all devices must name r, w and m");
    }
    Ok(())
}

fn check_memory(memory: &Memory) -> Checked {
    let sizes = [
        ("memory.limit", memory.limit),
        ("memory.reservation", memory.reservation),
        ("memory.swap", memory.swap),
        ("memory.kernel", memory.kernel),
        ("memory.kernelTCP", memory.kernel_tcp),
    ];
    for (path, size) in sizes {
        if let Some(size) = size.filter(|size| *size < -1) {
            return wrong(
                path,
                format!("{size} is not a size in bytes (-1 means unlimited)"),
            );
        }
    }
    let (limit, swap) = (memory.limit.unwrap_or(0), memory.swap.unwrap_or(0));
    if limit > 0 && swap > 0 && swap < limit {
        let why = format!(
            "{swap} is memory and swap together, so it cannot be below memory.limit ({limit})"
        );
        return wrong("memory.swap", why);
    }
    if limit == -1 && swap > 0 {
        return wrong("memory.swap", "needs a memory.limit that is not unlimited");
    }
    match memory.swappiness {
        Some(value) if value > 100 => wrong(
            "memory.swappiness",
            format!("{value} is not within 0 to 100"),
        ),
        _ => Ok(()),
    }
}

fn check_cpu(cpu: &Cpu) -> Checked {
    // Bounds of kernel/sched/core.c: min_cfs_quota_period and max_cfs_quota_period.
    if let Some(quota) = cpu.quota.filter(|quota| (1..1000).contains(quota)) {
        return wrong(
            "cpu.quota",
            format!("{quota} us is below the kernel's least of 1000"),
        );
    }
    if let Some(period) = cpu
        .period
        .filter(|period| *period != 0 && !(1000..=1_000_000).contains(period))
    {
        return wrong(
            "cpu.period",
            format!("{period} us is not within 1000 to 1000000"),
        );
    }
    if let (Some(quota @ 1..), Some(burst)) = (cpu.quota, cpu.burst)
        && burst > quota.unsigned_abs()
    {
        return wrong("cpu.burst", format!("{burst} is above cpu.quota ({quota})"));
    }
    if let Some(idle) = cpu.idle.filter(|idle| !(0..=1).contains(idle)) {
        return wrong("cpu.idle", format!("{idle} is neither 0 nor 1"));
    }
    if let Some(runtime) = cpu.realtime_runtime.filter(|runtime| *runtime < -1) {
        return wrong(
            "cpu.realtimeRuntime",
            format!("{runtime} is not a time in microseconds"),
        );
    }
    for (path, list) in [("cpu.cpus", &cpu.cpus), ("cpu.mems", &cpu.mems)] {
        if let Some(list) = list
            && !list.is_empty()
            && !is_list(list)
        {
            return wrong(path, format!("{list:?} is not a list such as 0-2,7"));
        }
    }
    Ok(())
}

/// Whether `text` is a list format of cpuset(7): numbers and ranges with commas between.
fn is_list(text: &str) -> bool {
    text.trim().split(',').all(|part| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        match (list_number(first), list_number(last)) {
            (Some(first), Some(last)) => first <= last,
            _ => false,
        }
    })
}

fn list_number(text: &str) -> Option<u16> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

fn check_block_io(block: &BlockIo) -> Checked {
    let weight = |path: String, weight: Option<u16>| match weight {
        Some(weight) if weight != 0 && !(10..=1000).contains(&weight) => {
            wrong(path, format!("{weight} is not within 10 to 1000"))
        }
        _ => Ok(()),
    };
    weight("blockIO.weight".into(), block.weight)?;
    weight("blockIO.leafWeight".into(), block.leaf_weight)?;
    for (index, device) in block.weight_device.iter().enumerate() {
        weight(
            format!("blockIO.weightDevice[{index}].weight"),
            device.weight,
        )?;
        weight(
            format!("blockIO.weightDevice[{index}].leafWeight"),
            device.leaf_weight,
        )?;
        if device.weight.is_none() && device.leaf_weight.is_none() {
            return wrong(
                format!("blockIO.weightDevice[{index}]"),
                "names neither weight nor leafWeight",
            );
        }
    }
    Ok(())
}

fn check_hugepages(limits: &[HugepageLimit]) -> Checked {
    for (index, limit) in limits.iter().enumerate() {
        let size = &limit.page_size;
        let digits = ["KB", "MB", "GB"]
            .iter()
            .find_map(|unit| size.strip_suffix(unit));
        let good = digits.is_some_and(|digits| {
            !digits.is_empty()
                && !digits.starts_with('0')
                && digits.bytes().all(|byte| byte.is_ascii_digit())
        });
        if !good {
            let why = format!("{size:?} is not a page size such as 64KB, 2MB or 1GB");
            return wrong(format!("hugepageLimits[{index}].pageSize"), why);
        }
    }
    Ok(())
}

fn check_network(network: &Network) -> Checked {
    for (index, interface) in network.priorities.iter().enumerate() {
        let name = &interface.name;
        let bad = |byte: u8| byte <= b' ' || byte == b'/' || byte == 0x7f;
        if name.is_empty() || name.len() > 15 || name.bytes().any(bad) {
            let why = format!("{name:?} is not an interface name");
            return wrong(format!("network.priorities[{index}].name"), why);
        }
    }
    Ok(())
}

fn check_rdma(rdma: &BTreeMap<String, Rdma>) -> Checked {
    for (name, limit) in rdma {
        if name.is_empty()
            || name.len() > 63
            || name.bytes().any(|byte| byte <= b' ' || byte == b'=')
        {
            return wrong(format!("rdma.{name}"), "is not the name of an RDMA device");
        }
        if limit.hca_handles.is_none() && limit.hca_objects.is_none() {
            return wrong(
                format!("rdma.{name}"),
                "names neither hcaHandles nor hcaObjects",
            );
        }
    }
    Ok(())
}

fn check_unified(unified: &BTreeMap<String, String>) -> Checked {
    for (key, value) in unified {
        let path = || format!("unified.{key}");
        let clean = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'_';
        if key.len() > 128 || !key.bytes().all(clean) || key.contains("..") || key.ends_with('.') {
            return wrong(
                path(),
                "is not the name of a control file, such as memory.high",
            );
        }
        let Some((controller, _)) = key.split_once('.') else {
            return wrong(path(), "is not of the form CONTROLLER.SETTING");
        };
        if controller == "cgroup" {
            if !V2_CORE_FILES.contains(&key.as_str()) {
                let why = format!(
                    "is not a limit; of the core files only {} may be set",
                    V2_CORE_FILES.join(", ")
                );
                return wrong(path(), why);
            }
        } else if !V2_CONTROLLERS.contains(&controller) {
            let why = format!(
                "{controller:?} is not a controller of cgroup v2 ({})",
                V2_CONTROLLERS.join(", ")
            );
            return wrong(path(), why);
        }
        if value.len() > 4096 || value.contains('\0') {
            return wrong(
                path(),
                "has a value that no control file accepts (over 4 KiB, or with a NUL)",
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(json: &str) -> Wrong {
        let resources: Resources = serde_json::from_str(json).unwrap();
        resources.check().expect_err(json)
    }

    /// JSON, and the path that the refusal names.
    const IMPOSSIBLE: &[(&str, &str)] = &[
        (
            r#"{"devices":[{"allow":true,"type":"x","access":"r"}]}"#,
            "devices[0].type",
        ),
        (
            r#"{"devices":[{"allow":true,"type":"c","major":1,"minor":3}]}"#,
            "devices[0].access",
        ),
        (
            r#"{"devices":[{"allow":true,"type":"c","access":"rx"}]}"#,
            "devices[0].access",
        ),
        (
            r#"{"devices":[{"allow":true,"type":"a","access":"r"}]}"#,
            "devices[0].access",
        ),
        (
            r#"{"devices":[{"allow":true,"type":"a","major":1,"access":"rwm"}]}"#,
            "devices[0].major",
        ),
        (
            r#"{"devices":[{"allow":true,"type":"c","minor":-7,"access":"r"}]}"#,
            "devices[0].minor",
        ),
        (r#"{"memory":{"limit":-2}}"#, "memory.limit"),
        (r#"{"memory":{"limit":100,"swap":99}}"#, "memory.swap"),
        (r#"{"memory":{"limit":-1,"swap":99}}"#, "memory.swap"),
        (r#"{"memory":{"swappiness":101}}"#, "memory.swappiness"),
        (r#"{"cpu":{"quota":999}}"#, "cpu.quota"),
        (r#"{"cpu":{"period":999}}"#, "cpu.period"),
        (r#"{"cpu":{"quota":5000,"burst":5001}}"#, "cpu.burst"),
        (r#"{"cpu":{"idle":2}}"#, "cpu.idle"),
        (r#"{"cpu":{"cpus":"1-"}}"#, "cpu.cpus"),
        (r#"{"cpu":{"cpus":"3-1"}}"#, "cpu.cpus"),
        (r#"{"cpu":{"mems":"0\n1"}}"#, "cpu.mems"),
        (r#"{"cpu":{"realtimeRuntime":-5}}"#, "cpu.realtimeRuntime"),
        (r#"{"blockIO":{"weight":9}}"#, "blockIO.weight"),
        (
            r#"{"blockIO":{"weightDevice":[{"major":8,"minor":0}]}}"#,
            "blockIO.weightDevice[0]",
        ),
        (
            r#"{"hugepageLimits":[{"pageSize":"../2MB","limit":1}]}"#,
            "hugepageLimits[0].pageSize",
        ),
        (
            r#"{"hugepageLimits":[{"pageSize":"02MB","limit":1}]}"#,
            "hugepageLimits[0].pageSize",
        ),
        (
            r#"{"network":{"priorities":[{"name":"a b","priority":1}]}}"#,
            "network.priorities[0].name",
        ),
        (r#"{"rdma":{"mlx":{}}}"#, "rdma.mlx"),
        (r#"{"unified":{"memory/high":"1"}}"#, "unified.memory/high"),
        (
            r#"{"unified":{"memory..high":"1"}}"#,
            "unified.memory..high",
        ),
        (r#"{"unified":{"memory":"1"}}"#, "unified.memory"),
        (
            r#"{"unified":{"cgroup.procs":"1"}}"#,
            "unified.cgroup.procs",
        ),
        (r#"{"unified":{"cgroup.kill":"1"}}"#, "unified.cgroup.kill"),
        (
            r#"{"unified":{"devices.allow":"a"}}"#,
            "unified.devices.allow",
        ),
    ];

    #[test]
    fn impossible_values_name_their_path() {
        for (json, path) in IMPOSSIBLE {
            assert_eq!(refused(json).0, *path, "{json}");
        }
    }

    #[test]
    fn ordinary_values_pass() {
        let json = r#"{
            "devices":[{"allow":false,"access":"rwm"},{"allow":true,"type":"c","major":1,"minor":3,"access":"rwm"}],
            "memory":{"limit":1048576,"swap":-1,"swappiness":60},
            "cpu":{"shares":2,"quota":-1,"period":100000,"burst":0,"cpus":"0-3,7","mems":"","idle":0},
            "pids":{"limit":-1}, "blockIO":{"weight":0},
            "hugepageLimits":[{"pageSize":"2MB","limit":0},{"pageSize":"64KB","limit":0}],
            "unified":{"memory.high":"max","hugetlb.2MB.max":"0","cgroup.max.depth":"3","io.bfq.weight":"100"}
        }"#;
        let resources: Resources = serde_json::from_str(json).unwrap();
        assert_eq!(resources.check(), Ok(()));
    }
}

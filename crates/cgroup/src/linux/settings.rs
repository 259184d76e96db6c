//! Limits as a list of values for control files: the whole of cgroup policy as data.
//!
//! `Resources` speaks the language of cgroup v1. Each controller of this host is in one hierarchy, of
//! one version, so each limit becomes a setting of that version; a limit without a controller, or
//! without a meaning in that version, is refused by name. Nothing is silently left out.

mod v1;
mod v2;

pub(crate) use v1::KERNEL_MEMORY;

use super::layout::Version;
use crate::resources::{BlockIo, Resources, ThrottleDevice};
use crate::{Error, Result};

/// What to do when the control file is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum IfAbsent {
    /// The limit cannot be applied.
    Refuse,
    /// The value is what a kernel without that file does anyway.
    Ignore,
    /// Another file of the same controller takes another value.
    Instead { file: &'static str, value: String },
}

/// One value for one control file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setting {
    /// JSON path below `linux.resources`.
    pub(crate) property: String,
    pub(crate) version: Version,
    /// The controller, which tells the hierarchy.
    pub(crate) controller: &'static str,
    pub(crate) file: String,
    pub(crate) value: String,
    pub(crate) absent: IfAbsent,
}

impl Setting {
    fn new(
        version: Version,
        controller: &'static str,
        property: impl Into<String>,
        file: impl Into<String>,
        value: impl Into<String>,
    ) -> Self {
        Self {
            property: property.into(),
            version,
            controller,
            file: file.into(),
            value: value.into(),
            absent: IfAbsent::Refuse,
        }
    }

    fn if_absent(self, absent: IfAbsent) -> Self {
        Self { absent, ..self }
    }
}

/// Where a controller is.
pub(crate) trait Locate: Fn(&str) -> Option<Version> {}
impl<F: Fn(&str) -> Option<Version>> Locate for F {}

/// The settings of all limits but the device rules.
pub(crate) fn settings(resources: &Resources, locate: &impl Locate) -> Result<Vec<Setting>> {
    let mut list = Vec::new();
    if let Some(cpu) = &resources.cpu {
        // First: a v1 group without processors cannot take a process.
        list.extend(place(locate, "cpuset", |version| cpuset(cpu, version))?);
        list.extend(place(locate, "cpu", |version| match version {
            Version::V1 => v1::cpu(cpu),
            Version::V2 => v2::cpu(cpu),
        })?);
    }
    if let Some(memory) = &resources.memory {
        list.extend(place(locate, "memory", |version| match version {
            Version::V1 => v1::memory(memory),
            Version::V2 => v2::memory(memory),
        })?);
    }
    if let Some(limit) = resources.pids.as_ref().and_then(|pids| pids.limit) {
        list.extend(place(locate, "pids", |version| {
            Ok(vec![pids(limit, version)])
        })?);
    }
    if let Some(block) = &resources.block_io {
        list.extend(match locate("io") {
            Some(_) => v2::block_io(block)?,
            None => place(locate, "blkio", |_| Ok(v1::block_io(block)))?,
        });
    }
    // Where nothing is asked, the host is not asked either.
    if !resources.hugepage_limits.is_empty() {
        list.extend(place(locate, "hugetlb", |version| {
            Ok(hugepages(resources, version))
        })?);
    }
    if let Some(network) = &resources.network {
        list.extend(place(locate, "net_cls", |_| {
            Ok(v1::network_class(network))
        })?);
        list.extend(place(locate, "net_prio", |_| {
            Ok(v1::network_priorities(network))
        })?);
    }
    if !resources.rdma.is_empty() {
        list.extend(place(locate, "rdma", |version| {
            Ok(rdma(resources, version))
        })?);
    }
    // Last: raw values have the last word over the converted ones.
    list.extend(v2::unified(&resources.unified, locate)?);
    Ok(list)
}

/// The settings of one controller in the version that this host has it in.
fn place(
    locate: &impl Locate,
    controller: &str,
    settings: impl Fn(Version) -> Result<Vec<Setting>>,
) -> Result<Vec<Setting>> {
    if let Some(version) = locate(controller) {
        return settings(version);
    }
    // Absent: that is well as long as nothing is asked of it.
    match settings(Version::V1)?.into_iter().next() {
        None => Ok(Vec::new()),
        Some(setting) => Err(missing(setting.property, controller)),
    }
}

/// The error for a limit whose controller this host does not offer.
pub(crate) fn missing(property: String, controller: &str) -> Error {
    Error::Missing {
        property,
        why: format!(
            "this host offers no {controller:?} control group controller here; \
             remove the limit, or enable the controller (kernel command line cgroup_enable={controller}, or systemd's Delegate=)"
        ),
    }
}

fn refuse(property: &str, why: &str) -> Error {
    Error::Value {
        property: property.to_owned(),
        why: why.to_owned(),
    }
}

/// A size or number in v1's writing: negative is -1, unlimited.
fn or_minus_one(value: i64) -> String {
    value.max(-1).to_string()
}

/// A size or number in v2's writing: negative is `max`.
fn or_max(value: i64) -> String {
    if value < 0 {
        "max".to_owned()
    } else {
        value.to_string()
    }
}

/// All throttled devices: JSON path, the name that goes with its list (in the order of the
/// specification: read and write bytes, read and write operations), device.
fn throttles<'a>(
    block: &'a BlockIo,
    names: [&'static str; 4],
) -> impl Iterator<Item = (String, &'static str, &'a ThrottleDevice)> {
    let lists = [
        ("throttleReadBpsDevice", &block.throttle_read_bps_device),
        ("throttleWriteBpsDevice", &block.throttle_write_bps_device),
        ("throttleReadIOPSDevice", &block.throttle_read_iops_device),
        ("throttleWriteIOPSDevice", &block.throttle_write_iops_device),
    ];
    lists
        .into_iter()
        .zip(names)
        .flat_map(|((list, devices), name)| {
            let path = move |index| format!("blockIO.{list}[{index}]");
            devices
                .iter()
                .enumerate()
                .map(move |(index, device)| (path(index), name, device))
        })
}

fn cpuset(cpu: &crate::resources::Cpu, version: Version) -> Result<Vec<Setting>> {
    let lists = [
        ("cpu.cpus", "cpuset.cpus", &cpu.cpus),
        ("cpu.mems", "cpuset.mems", &cpu.mems),
    ];
    let set = lists.into_iter().filter_map(|(property, file, list)| {
        let list = list
            .as_deref()
            .map(str::trim)
            .filter(|list| !list.is_empty())?;
        Some(Setting::new(version, "cpuset", property, file, list))
    });
    Ok(set.collect())
}

/// 0 becomes 1: the process that would be the only one is there already, and systemd knows no 0.
fn pids(limit: i64, version: Version) -> Setting {
    let value = if limit < 0 {
        "max".to_owned()
    } else {
        limit.max(1).to_string()
    };
    Setting::new(version, "pids", "pids.limit", "pids.max", value)
}

fn hugepages(resources: &Resources, version: Version) -> Vec<Setting> {
    let suffix = match version {
        Version::V1 => "limit_in_bytes",
        Version::V2 => "max",
    };
    let limits = resources.hugepage_limits.iter().enumerate();
    let both = limits.flat_map(|(index, limit)| {
        let size = &limit.page_size;
        // The kernel reads a signed page count; more is unlimited in any case.
        let value = limit.limit.min(i64::MAX.unsigned_abs()).to_string();
        let set = |file: String| {
            Setting::new(
                version,
                "hugetlb",
                format!("hugepageLimits[{index}].limit"),
                file,
                value.clone(),
            )
        };
        // Reservations have a limit of their own since Linux 5.7.
        [
            set(format!("hugetlb.{size}.{suffix}")),
            set(format!("hugetlb.{size}.rsvd.{suffix}")).if_absent(IfAbsent::Ignore),
        ]
    });
    both.collect()
}

fn rdma(resources: &Resources, version: Version) -> Vec<Setting> {
    let lines = resources.rdma.iter().map(|(device, limit)| {
        let number = |name: &str, value: Option<u32>| {
            value.map_or(String::new(), |value| format!(" {name}={value}"))
        };
        let value = format!(
            "{device}{}{}",
            number("hca_handle", limit.hca_handles),
            number("hca_object", limit.hca_objects)
        );
        Setting::new(version, "rdma", format!("rdma.{device}"), "rdma.max", value)
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    pub(super) fn everything_v1(name: &str) -> Option<Version> {
        (name != "io").then_some(Version::V1)
    }

    pub(super) fn everything_v2(name: &str) -> Option<Version> {
        (!["blkio", "net_cls", "net_prio"].contains(&name)).then_some(Version::V2)
    }

    /// `file=value` of each setting.
    pub(super) fn written(json: &str, locate: &impl Locate) -> Vec<String> {
        let resources: Resources = serde_json::from_str(json).unwrap();
        assert_eq!(resources.check(), Ok(()), "{json}");
        let list = settings(&resources, locate).unwrap();
        list.iter()
            .map(|setting| format!("{}={}", setting.file, setting.value))
            .collect()
    }

    pub(super) fn refused(json: &str, locate: &impl Locate) -> (ErrorKind, String) {
        let resources: Resources = serde_json::from_str(json).unwrap();
        assert_eq!(resources.check(), Ok(()), "{json}");
        let error = settings(&resources, locate).expect_err(json);
        (error.kind(), error.to_string())
    }

    #[test]
    fn limits_without_a_controller_are_named() {
        let cases = [
            (r#"{"memory":{"limit":5}}"#, "memory.limit", "memory"),
            (r#"{"cpu":{"shares":5}}"#, "cpu.shares", "cpu"),
            (r#"{"cpu":{"cpus":"0"}}"#, "cpu.cpus", "cpuset"),
            (r#"{"pids":{"limit":5}}"#, "pids.limit", "pids"),
            (r#"{"blockIO":{"weight":50}}"#, "blockIO.weight", "blkio"),
            (
                r#"{"hugepageLimits":[{"pageSize":"2MB","limit":5}]}"#,
                "hugepageLimits[0].limit",
                "hugetlb",
            ),
            (r#"{"network":{"classID":5}}"#, "network.classID", "net_cls"),
            (r#"{"rdma":{"mlx":{"hcaHandles":5}}}"#, "rdma.mlx", "rdma"),
            (
                r#"{"unified":{"memory.high":"5"}}"#,
                "unified.memory.high",
                "memory",
            ),
        ];
        for (json, property, controller) in cases {
            let (kind, text) = refused(json, &|_: &str| None);
            assert_eq!(kind, ErrorKind::Unsupported, "{text}");
            let start = format!("linux.resources.{property}: ");
            assert!(
                text.starts_with(&start) && text.contains(&format!("{controller:?}")),
                "{text}"
            );
        }
    }

    #[test]
    fn nothing_asked_needs_no_controller() {
        let json = r#"{"memory":{"limit":0},"cpu":{"shares":0,"cpus":""},"blockIO":{},"network":{"classID":0}}"#;
        assert_eq!(written(json, &|_: &str| None), Vec::<String>::new());
    }

    #[test]
    fn hybrid_hugepages_go_where_the_controller_is() {
        let json = r#"{"hugepageLimits":[{"pageSize":"2MB","limit":4194304}],"pids":{"limit":0}}"#;
        let hybrid = |name: &str| {
            Some(if name == "hugetlb" {
                Version::V2
            } else {
                Version::V1
            })
        };
        assert_eq!(
            written(json, &hybrid)[1..],
            ["hugetlb.2MB.max=4194304", "hugetlb.2MB.rsvd.max=4194304"]
        );
        assert_eq!(
            written(json, &everything_v1),
            [
                "pids.max=1",
                "hugetlb.2MB.limit_in_bytes=4194304",
                "hugetlb.2MB.rsvd.limit_in_bytes=4194304"
            ]
        );
    }
}

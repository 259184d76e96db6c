//! Spec → [`Plan`]: everything checked, nothing optional left that a later step would have to decide.
//!
//! [`Plan::new`] is pure: it opens no file and makes no system call, so it is compiled, tested and
//! fuzzed on every system, and `dhow-runtime plan` can show what would be done without doing it. What
//! cannot be carried out is refused here, by its JSON path.

pub mod delegation;
pub mod devices;
pub mod foreign;
mod hooks;
pub mod intel_rdt;
pub mod invalid;
pub mod mounts;
pub mod namespaces;
pub mod narrative;
pub mod net_devices;
pub mod process;
pub mod seccomp;
pub mod signals;
pub mod sysctl;

use crate::spec::linux::{IdMapping, Linux, TimeOffset};
use crate::spec::seccomp::Architecture;
use crate::spec::{Hooks, Spec, State};
use crate::state::Status;
use invalid::Invalid;
use mounts::{Mount, Propagation, Source};
use namespaces::{Kind, Namespaces};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// The modes of `memoryPolicy`; the index is the kernel's number.
pub const MEMORY_MODES: [&str; 7] = [
    "MPOL_DEFAULT",
    "MPOL_PREFERRED",
    "MPOL_BIND",
    "MPOL_INTERLEAVE",
    "MPOL_LOCAL",
    "MPOL_PREFERRED_MANY",
    "MPOL_WEIGHTED_INTERLEAVE",
];

/// The flags of `memoryPolicy` and their bits.
pub const MEMORY_FLAGS: [(&str, u32); 3] = [
    ("MPOL_F_NUMA_BALANCING", 1 << 13),
    ("MPOL_F_RELATIVE_NODES", 1 << 14),
    ("MPOL_F_STATIC_NODES", 1 << 15),
];

/// What the plan has to know of the host; plain values, so that tests can make any host.
#[derive(Debug, Clone)]
pub struct Host {
    /// Whether the caller may act as the host's root user.
    pub privileged: bool,
    /// Whether AppArmor is enabled.
    pub apparmor: bool,
    /// Whether SELinux is enabled.
    pub selinux: bool,
    /// The capabilities that the caller may give, as a mask.
    pub capabilities: u64,
    /// The architecture, as `std::env::consts::ARCH` names it.
    pub architecture: &'static str,
}

/// The root filesystem.
#[derive(Debug, Clone, Serialize)]
pub struct Root {
    /// Host path; relative ones are below the bundle.
    pub path: String,
    /// Whether it is made read-only in the end.
    pub readonly: bool,
    /// Propagation that it has in the end.
    pub propagation: (Propagation, bool),
}

/// Memory placement with the kernel's numbers (`set_mempolicy(2)`).
#[derive(Debug, Clone, Serialize)]
pub struct MemoryPolicy {
    /// `MPOL_…` with `MPOL_F_…` ORed in.
    pub mode: u32,
    /// Node numbers.
    pub nodes: Vec<u32>,
}

/// A container as it shall be.
#[derive(Debug, Clone, Serialize)]
pub struct Plan {
    /// The version that the bundle follows.
    pub oci_version: String,
    /// Root filesystem.
    pub root: Root,
    /// Namespaces.
    pub namespaces: Namespaces,
    /// User and group ids of a new user namespace; empty without one.
    pub uid_mappings: Vec<IdMapping>,
    /// See `uid_mappings`.
    pub gid_mappings: Vec<IdMapping>,
    /// Clock offsets of a new time namespace.
    pub time_offsets: Vec<(String, i64, u32)>,
    /// Host name.
    pub hostname: Option<String>,
    /// NIS domain name.
    pub domainname: Option<String>,
    /// Mounts in their order.
    pub mounts: Vec<Mount>,
    /// Whether `/dev` is filled; not when the bundle binds one.
    pub fill_dev: bool,
    /// Device nodes.
    pub devices: Vec<devices::Device>,
    /// Paths to hide.
    pub masked_paths: Vec<String>,
    /// Paths to make read-only.
    pub readonly_paths: Vec<String>,
    /// Network devices that move in from the host.
    pub net_devices: Vec<net_devices::NetDevice>,
    /// Kernel parameters.
    pub sysctl: Vec<sysctl::Parameter>,
    /// The container's process.
    pub process: process::Process,
    /// System call filter.
    pub seccomp: Option<seccomp::Program>,
    /// Execution domain.
    pub personality: Option<u32>,
    /// Memory placement.
    pub memory_policy: Option<MemoryPolicy>,
    /// Hooks.
    pub hooks: Hooks,
    /// Where the cgroup goes; `None` lets the driver choose.
    pub cgroups_path: Option<String>,
    /// The user of the host to whom the cgroup is given; `None` leaves it ours.
    pub cgroup_owner: Option<u32>,
    /// Limits.
    pub resources: dhow_cgroup::Resources,
    /// Class of service.
    pub intel_rdt: Option<intel_rdt::IntelRdt>,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
    /// What was left out although it was asked for, in a sentence each; never a protection.
    pub warnings: Vec<String>,
}

impl Plan {
    /// The state document of a container that was made of this plan.
    #[must_use]
    pub fn state(&self, id: &str, bundle: &Path, status: Status, pid: u32) -> State {
        State {
            oci_version: self.oci_version.clone(),
            id: id.into(),
            status: status.word().into(),
            pid,
            bundle: bundle.display().to_string(),
            annotations: self.annotations.clone(),
        }
    }

    /// Turns a document into a plan for a host.
    ///
    /// # Errors
    /// [`Invalid`]: the first value that is impossible, by its JSON path.
    pub fn new(spec: &Spec, host: &Host) -> Result<Self, Invalid> {
        foreign::version(&spec.oci_version)?;
        let empty = Linux::default();
        let linux = spec.linux.as_ref().unwrap_or(&empty);
        refuse_foreign(spec, linux, host)?;
        let mut warnings = Vec::new();
        let namespaces = Namespaces::parse(&linux.namespaces)?;
        id_mappings(linux, &namespaces, host)?;
        let document = spec
            .process
            .as_ref()
            .ok_or_else(|| Invalid::new("process", "is missing"))?;
        let process = process::Process::parse(document, &mut warnings)?;
        // A user namespace gives them all.
        let held = if namespaces.separates(Kind::User) {
            u64::MAX
        } else {
            host.capabilities
        };
        process.warn_of_missing(held, &mut warnings);
        labels(&process, linux, host)?;
        let mounts = mounts_of(spec, linux, &namespaces, host)?;
        let root = root(spec, linux)?;
        isolation(spec, linux, &namespaces, &mounts)?;
        let seccomp = filter(linux, host, &mut warnings)?;
        let resources = linux.resources.clone().unwrap_or_default();
        resources
            .check()
            .map_err(|(path, why)| Invalid::new(format!("linux.resources.{path}"), why))?;
        let cgroup_owner =
            delegation::owner(&namespaces, &mounts, process.uid, &linux.uid_mappings);
        Ok(Self {
            oci_version: spec.oci_version.clone(),
            cgroup_owner: cgroup_owner.filter(|_| host.privileged),
            root,
            uid_mappings: linux.uid_mappings.clone(),
            gid_mappings: linux.gid_mappings.clone(),
            time_offsets: time_offsets(&linux.time_offsets, &namespaces)?,
            hostname: name("hostname", spec.hostname.as_ref(), &namespaces)?,
            domainname: name("domainname", spec.domainname.as_ref(), &namespaces)?,
            fill_dev: !mounts.iter().any(|mount| {
                mount.destination == "/dev" && matches!(mount.source, Source::Bind { .. })
            }),
            mounts,
            devices: devices::parse(&linux.devices)?,
            masked_paths: paths("linux.maskedPaths", &linux.masked_paths)?,
            readonly_paths: paths("linux.readonlyPaths", &linux.readonly_paths)?,
            net_devices: net_devices::parse(&linux.net_devices, &namespaces)?,
            sysctl: sysctl::parse(&linux.sysctl, &namespaces)?,
            process,
            seccomp,
            personality: personality(linux)?,
            memory_policy: memory_policy(linux)?,
            hooks: hooks::check(spec.hooks.as_ref())?,
            cgroups_path: linux.cgroups_path.clone().filter(|path| !path.is_empty()),
            resources,
            intel_rdt: intel_rdt::parse(linux.intel_rdt.as_ref())?,
            annotations: annotations(&spec.annotations)?,
            namespaces,
            warnings,
        })
    }
}

fn mounts_of(
    spec: &Spec,
    linux: &Linux,
    namespaces: &Namespaces,
    host: &Host,
) -> Result<Vec<Mount>, Invalid> {
    let written = spec.mounts.iter().enumerate();
    let mut mounts: Vec<Mount> = written
        .map(|(index, mount)| mounts::parse(mount, &format!("mounts[{index}]")))
        .collect::<Result<_, _>>()?;
    mounts::check_id_maps(
        &spec.mounts,
        &mounts,
        namespaces.separates(Kind::User),
        host,
    )?;
    let label = linux.mount_label.as_deref();
    if let Some(label) = label.filter(|label| !label.is_empty()) {
        mounts::label(&mut mounts, label);
    }
    Ok(mounts)
}

/// What this host cannot do at all is refused by name, never accepted and forgotten.
fn refuse_foreign(spec: &Spec, linux: &Linux, host: &Host) -> Result<(), Invalid> {
    foreign::refuse(spec)?;
    if spec.linux.is_none() && spec.windows.is_some() {
        return Err(Invalid::new(
            "windows",
            "this is a bundle for Windows; a Linux host cannot run it",
        ));
    }
    if !linux.net_devices.is_empty() && !host.privileged {
        return Err(Invalid::new(
            "linux.netDevices",
            "only the host's root can move its network devices",
        ));
    }
    Ok(())
}

fn annotations(given: &BTreeMap<String, String>) -> Result<BTreeMap<String, String>, Invalid> {
    if given.contains_key("") {
        return Err(Invalid::new("annotations", "a key must not be empty"));
    }
    Ok(given.clone())
}

/// `UID_GID_MAP_MAX_EXTENTS` (`user_namespaces(7)`).
const MOST_MAPPINGS: usize = 340;

fn id_mappings(linux: &Linux, namespaces: &Namespaces, host: &Host) -> Result<(), Invalid> {
    let lists = [
        ("linux.uidMappings", &linux.uid_mappings),
        ("linux.gidMappings", &linux.gid_mappings),
    ];
    for (path, list) in lists {
        if namespaces.makes(Kind::User) && list.is_empty() {
            return Err(Invalid::new(
                path,
                "a new user namespace needs at least one mapping",
            ));
        }
        if !namespaces.separates(Kind::User) && !list.is_empty() {
            return Err(Invalid::new(
                path,
                "needs a user namespace in linux.namespaces",
            ));
        }
        if list.len() > MOST_MAPPINGS {
            let count = list.len();
            let reason = format!("has {count} mappings; the kernel takes {MOST_MAPPINGS}");
            return Err(Invalid::new(path, reason));
        }
        for (index, mapping) in list.iter().enumerate() {
            mapping_fits(mapping, &list[..index])
                .map_err(|why| Invalid::new(format!("{path}[{index}]"), why))?;
        }
    }
    if !host.privileged && !namespaces.separates(Kind::User) {
        let reason =
            "an ordinary user needs a user namespace here (`spec --rootless` writes such a bundle)";
        return Err(Invalid::new("linux.namespaces", reason));
    }
    Ok(())
}

fn mapping_fits(mapping: &IdMapping, earlier: &[IdMapping]) -> Result<(), String> {
    if mapping.size == 0 {
        return Err("size must not be 0".into());
    }
    let end = |start: u32| u64::from(start) + u64::from(mapping.size);
    if end(mapping.container_id) > u64::from(u32::MAX) || end(mapping.host_id) > u64::from(u32::MAX)
    {
        return Err("reaches beyond the last id, 4294967294".into());
    }
    let overlap = |a: u32, a_size: u32, b: u32, b_size: u32| {
        u64::from(a) < u64::from(b) + u64::from(b_size)
            && u64::from(b) < u64::from(a) + u64::from(a_size)
    };
    for other in earlier {
        if overlap(
            mapping.container_id,
            mapping.size,
            other.container_id,
            other.size,
        ) {
            return Err("its container ids overlap those of an earlier mapping".into());
        }
        if overlap(mapping.host_id, mapping.size, other.host_id, other.size) {
            return Err("its host ids overlap those of an earlier mapping".into());
        }
    }
    Ok(())
}

fn labels(process: &process::Process, linux: &Linux, host: &Host) -> Result<(), Invalid> {
    if process.apparmor.is_some() && !host.apparmor {
        return Err(Invalid::new(
            "process.apparmorProfile",
            "AppArmor is not enabled on this host",
        ));
    }
    if process.selinux.is_some() && !host.selinux {
        return Err(Invalid::new(
            "process.selinuxLabel",
            "SELinux is not enabled on this host",
        ));
    }
    if linux
        .mount_label
        .as_ref()
        .is_some_and(|label| !label.is_empty())
        && !host.selinux
    {
        return Err(Invalid::new(
            "linux.mountLabel",
            "SELinux is not enabled on this host",
        ));
    }
    Ok(())
}

fn root(spec: &Spec, linux: &Linux) -> Result<Root, Invalid> {
    let root = spec
        .root
        .as_ref()
        .ok_or_else(|| Invalid::new("root", "is missing"))?;
    if root.path.is_empty() || root.path.contains('\0') {
        return Err(Invalid::new("root.path", "must be the path of a directory"));
    }
    let word = linux.rootfs_propagation.as_deref().unwrap_or("");
    let propagation = match word {
        "" | "rprivate" => (Propagation::Private, true),
        "private" => (Propagation::Private, false),
        "slave" => (Propagation::Slave, false),
        "rslave" => (Propagation::Slave, true),
        "shared" => (Propagation::Shared, false),
        "rshared" => (Propagation::Shared, true),
        "unbindable" => (Propagation::Unbindable, false),
        "runbindable" => (Propagation::Unbindable, true),
        other => {
            let reason =
                format!("unknown word {other:?}; known are private, slave, shared, unbindable");
            return Err(Invalid::new("linux.rootfsPropagation", reason));
        }
    };
    Ok(Root {
        path: root.path.clone(),
        readonly: root.readonly,
        propagation,
    })
}

/// Without a mount namespace of its own the container could only change the host's mounts: then
/// nothing may ask for that. Joined namespaces follow the same rule, they are somebody else's.
fn isolation(
    spec: &Spec,
    linux: &Linux,
    namespaces: &Namespaces,
    mounts: &[Mount],
) -> Result<(), Invalid> {
    if namespaces.makes(Kind::Mount) {
        return Ok(());
    }
    let reason = "needs a new mount namespace in linux.namespaces, else it would change the host";
    if !mounts.is_empty() {
        return Err(Invalid::new("mounts", reason));
    }
    if spec.root.as_ref().is_some_and(|root| root.readonly) {
        return Err(Invalid::new("root.readonly", reason));
    }
    for (path, list) in [
        ("linux.maskedPaths", &linux.masked_paths),
        ("linux.readonlyPaths", &linux.readonly_paths),
    ] {
        if !list.is_empty() {
            return Err(Invalid::new(path, reason));
        }
    }
    Ok(())
}

fn filter(
    linux: &Linux,
    host: &Host,
    warnings: &mut Vec<String>,
) -> Result<Option<seccomp::Program>, Invalid> {
    let Some(profile) = &linux.seccomp else {
        return Ok(None);
    };
    let program = seccomp::compile(profile, native(host.architecture)?)?;
    if !program.ignored.is_empty() {
        warnings.push(format!(
            "linux.seccomp: system calls unknown to this version: {}",
            program.ignored.join(", ")
        ));
    }
    Ok(Some(program))
}

/// The architecture that this runtime was built for, in the profile's words.
fn native(architecture: &str) -> Result<Architecture, Invalid> {
    Ok(match architecture {
        "x86_64" => Architecture::X86_64,
        "x86" => Architecture::X86,
        "aarch64" => Architecture::Aarch64,
        "arm" => Architecture::Arm,
        "riscv64" => Architecture::Riscv64,
        "powerpc64" => Architecture::Ppc64Le,
        "s390x" => Architecture::S390X,
        "loongarch64" => Architecture::LoongArch64,
        other => {
            return Err(Invalid::new(
                "linux.seccomp",
                format!("filters are not supported on {other}"),
            ));
        }
    })
}

fn name(
    path: &str,
    name: Option<&String>,
    namespaces: &Namespaces,
) -> Result<Option<String>, Invalid> {
    let Some(name) = name.filter(|name| !name.is_empty()) else {
        return Ok(None);
    };
    if !namespaces.separates(Kind::Uts) {
        return Err(Invalid::new(
            path,
            "would change the host: the container has no uts namespace of its own",
        ));
    }
    if name.len() > 64 || name.contains('\0') {
        return Err(Invalid::new(path, "must be at most 64 bytes"));
    }
    Ok(Some(name.clone()))
}

fn paths(path: &str, list: &[String]) -> Result<Vec<String>, Invalid> {
    for (index, entry) in list.iter().enumerate() {
        if !entry.starts_with('/') || entry.contains('\0') {
            return Err(Invalid::new(
                format!("{path}[{index}]"),
                format!("{entry:?} is not an absolute path"),
            ));
        }
    }
    Ok(list.to_vec())
}

fn time_offsets(
    offsets: &BTreeMap<String, TimeOffset>,
    namespaces: &Namespaces,
) -> Result<Vec<(String, i64, u32)>, Invalid> {
    if !offsets.is_empty() && !namespaces.makes(Kind::Time) {
        return Err(Invalid::new(
            "linux.timeOffsets",
            "needs a new time namespace in linux.namespaces",
        ));
    }
    offsets
        .iter()
        .map(|(clock, offset)| match clock.as_str() {
            "monotonic" | "boottime" => Ok((clock.clone(), offset.secs, offset.nanosecs)),
            other => {
                let reason = format!("unknown clock {other:?}; known are monotonic, boottime");
                Err(Invalid::new("linux.timeOffsets", reason))
            }
        })
        .collect()
}

fn personality(linux: &Linux) -> Result<Option<u32>, Invalid> {
    let Some(personality) = &linux.personality else {
        return Ok(None);
    };
    if let Some(flag) = personality.flags.first() {
        return Err(Invalid::new(
            "linux.personality.flags",
            format!("unknown flag {flag:?}; none are defined"),
        ));
    }
    match personality.domain.as_str() {
        "LINUX" => Ok(Some(0)),
        "LINUX32" => Ok(Some(8)),
        other => {
            let reason = format!("unknown domain {other:?}; known are LINUX, LINUX32");
            Err(Invalid::new("linux.personality.domain", reason))
        }
    }
}

fn memory_policy(linux: &Linux) -> Result<Option<MemoryPolicy>, Invalid> {
    let Some(policy) = &linux.memory_policy else {
        return Ok(None);
    };
    let mode = MEMORY_MODES
        .iter()
        .position(|name| *name == policy.mode)
        .and_then(|mode| u32::try_from(mode).ok());
    let mut mode = mode.ok_or_else(|| {
        Invalid::new(
            "linux.memoryPolicy.mode",
            format!("unknown mode {:?}", policy.mode),
        )
    })?;
    for (index, flag) in policy.flags.iter().enumerate() {
        let bit = MEMORY_FLAGS
            .iter()
            .find(|(name, _)| name == flag)
            .map(|(_, bit)| *bit);
        mode |= bit.ok_or_else(|| {
            Invalid::new(
                format!("linux.memoryPolicy.flags[{index}]"),
                format!("unknown flag {flag:?}"),
            )
        })?;
    }
    let nodes = process::number_list(&policy.nodes).ok_or_else(|| {
        Invalid::new(
            "linux.memoryPolicy.nodes",
            format!("{:?} is no list such as 0-1", policy.nodes),
        )
    })?;
    Ok(Some(MemoryPolicy { mode, nodes }))
}

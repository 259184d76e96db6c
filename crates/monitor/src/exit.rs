//! How the container ended, kept for ever: the file `exit` is the only record of it.

use crate::clock;
use dhow_sys::process::Exit;
use dhow_sys::{Result, file};
use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
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

/// How often the kernel has killed for want of memory: the `oom_kill` line of `memory.events`
/// (version 2) or `memory.oom_control` (version 1); 0 when there is no such file.
pub(crate) fn oom_kills(file: Option<&Path>) -> u64 {
    let text = file.and_then(|file| std::fs::read_to_string(file).ok());
    text.as_deref().map_or(0, count)
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

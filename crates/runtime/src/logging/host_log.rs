//! The host's own logs: `--log journald:ID` and `--log syslog:ID`, as crun has them.
//!
//! Sources: systemd's native journal protocol (`systemd-journald.service(8)`), `syslog(3)`.

use crate::platform;
use std::path::Path;

const JOURNAL: &str = "/run/systemd/journal/socket";
const SYSLOG: &str = "/dev/log";

/// A log of the host, and the name to write there.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum HostLog<'a> {
    Journal(&'a str),
    Syslog(&'a str),
}

impl<'a> HostLog<'a> {
    /// What the value of `--log` means; `None`: a file. A file of such a name is written `./syslog:x`.
    pub(super) fn of(value: &'a Path) -> Option<Self> {
        let (kind, name) = value.to_str()?.split_once(':')?;
        let name = if name.is_empty() {
            "dhow-runtime"
        } else {
            name
        };
        match kind {
            "journald" => Some(Self::Journal(name)),
            "syslog" => Some(Self::Syslog(name)),
            _ => None,
        }
    }

    /// Writes one message. That nobody listens hides nothing: standard error has it too.
    pub(super) fn write(&self, level: &str, message: &str) {
        let (socket, packet) = self.packet(level, message);
        platform::send_datagram(socket, &packet);
    }

    fn packet(&self, level: &str, message: &str) -> (&'static str, String) {
        // The levels of syslog(3): LOG_ERR, LOG_WARNING, LOG_DEBUG, else LOG_INFO.
        let severity = match level {
            "error" => 3,
            "warning" => 4,
            "debug" => 7,
            _ => 6,
        };
        let line = message.replace('\n', " ");
        match self {
            Self::Journal(name) => (
                JOURNAL,
                format!("MESSAGE={line}\nPRIORITY={severity}\nSYSLOG_IDENTIFIER={name}\n"),
            ),
            // LOG_USER is facility 1, in the bits above the severity.
            Self::Syslog(name) => (SYSLOG, format!("<{}>{name}: {line}", 8 + severity)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_two_words_are_no_files() {
        let of = |text: &'static str| HostLog::of(Path::new(text));
        assert_eq!(of("journald:web"), Some(HostLog::Journal("web")));
        assert_eq!(of("syslog:"), Some(HostLog::Syslog("dhow-runtime")));
        assert_eq!(
            (of("/run/log"), of("./syslog:x"), of("file:x")),
            (None, None, None)
        );
    }

    #[test]
    fn packets_are_one_message() {
        let (socket, packet) = HostLog::Syslog("web").packet("error", "a\nb");
        assert_eq!((socket, packet.as_str()), ("/dev/log", "<11>web: a b"));
        let (_, packet) = HostLog::Journal("web").packet("warning", "a\nPRIORITY=0");
        assert_eq!(
            packet,
            "MESSAGE=a PRIORITY=0\nPRIORITY=4\nSYSLOG_IDENTIFIER=web\n"
        );
    }
}

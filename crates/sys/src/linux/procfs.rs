//! A procfs that nobody can have mounted something over.

use super::path::{open_beneath, read_beneath, write_beneath};
use super::{Mode, OFlags};
use crate::{Error, Result};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::OnceLock;

/// `PROC_SUPER_MAGIC`
pub const MAGIC: u64 = 0x9fa0;
/// The inode number of the root of every procfs.
const ROOT_INODE: u64 = 1;

/// A handle on procfs: a private mount that exists in no namespace, or, for callers without the
/// right to make one, the verified root of the host's `/proc`.
#[derive(Debug)]
pub struct Procfs(OwnedFd);

impl Procfs {
    /// Opens a private instance, else the host's.
    ///
    /// # Errors
    /// `open`: `/proc` is missing or is no procfs.
    pub fn open() -> Result<Self> {
        Self::open_private().or_else(|_| Self::open_host())
    }

    /// Makes an instance of this process's pid namespace that is attached nowhere.
    ///
    /// # Errors
    /// `fsopen`, `fsmount`: EPERM.
    pub fn open_private() -> Result<Self> {
        use super::mount::{Filesystem, NODEV, NOEXEC, NOSUID};
        Filesystem::open("proc")?
            .mount(NOSUID | NODEV | NOEXEC)
            .map(Self)
    }

    /// Opens the host's `/proc` and checks that it is the root of a procfs.
    ///
    /// # Errors
    /// `open`; ENODEV when something else is mounted there.
    pub fn open_host() -> Result<Self> {
        let root = super::path::open_directory(Path::new("/proc"))?;
        let genuine = super::fd::filesystem_magic(root.as_fd())? == MAGIC
            && super::fd::stat(root.as_fd())?.st_ino == ROOT_INODE;
        if genuine {
            Ok(Self(root))
        } else {
            Err(Error::new(
                "open",
                "/proc, which is not the root of a procfs",
                libc::ENODEV,
            ))
        }
    }

    /// The host's `/proc`, as [`Procfs::open_host`] finds it, opened once per process.
    ///
    /// # Errors
    /// As [`Procfs::open_host`].
    pub fn host() -> Result<&'static Self> {
        static HOST: OnceLock<Procfs> = OnceLock::new();
        if HOST.get().is_none() {
            let _ = HOST.set(Self::open_host()?);
        }
        Ok(HOST.get().expect("set on the line above"))
    }

    /// The directory of this process, by number, which no link can redirect.
    fn own(&self, path: &str) -> Result<String> {
        // `self` is a symbolic link; reading it through this handle gives our number in its namespace.
        let name = rustix::fs::readlinkat(&self.0, c"self", Vec::new());
        let name = super::raw::check("readlinkat", name, || "self".into())?;
        Ok(format!("{}/{path}", name.to_string_lossy()))
    }

    /// Reads a file of this process, such as `status`.
    ///
    /// # Errors
    /// As [`read_beneath`].
    pub fn read_own(&self, path: &str) -> Result<Vec<u8>> {
        read_beneath(self.0.as_fd(), &self.own(path)?, 1 << 20)
    }

    /// Writes a file of this process, such as `attr/exec`.
    ///
    /// # Errors
    /// As [`write_beneath`].
    pub fn write_own(&self, path: &str, data: &[u8]) -> Result<()> {
        write_beneath(self.0.as_fd(), &self.own(path)?, data)
    }

    /// Reads a file below the root, such as `sys/kernel/pid_max` or `17/stat`.
    ///
    /// # Errors
    /// As [`read_beneath`].
    pub fn read(&self, path: &str) -> Result<Vec<u8>> {
        read_beneath(self.0.as_fd(), path, 1 << 20)
    }

    /// Writes a file below the root.
    ///
    /// # Errors
    /// As [`write_beneath`].
    pub fn write(&self, path: &str, data: &[u8]) -> Result<()> {
        write_beneath(self.0.as_fd(), path, data)
    }

    /// Opens a namespace of a process, `kind` as named in `/proc/PID/ns`.
    ///
    /// # Errors
    /// `openat`: ENOENT when the process is gone, EACCES.
    pub fn namespace(&self, pid: u32, kind: &str) -> Result<OwnedFd> {
        let directory = open_beneath(
            self.0.as_fd(),
            Path::new(&format!("{pid}/ns")),
            OFlags::PATH | OFlags::DIRECTORY,
            Mode::empty(),
        )?;
        // The entry is a magic link; its parent was resolved without any.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let result = rustix::fs::openat(&directory, kind, flags, Mode::empty());
        super::raw::check("openat", result, || format!("/proc/{pid}/ns/{kind}"))
    }

    /// Opens what a process has open under a number, only to look at it (`O_PATH`), with the name that
    /// the kernel gives it, such as `pipe:[1234]`.
    ///
    /// # Errors
    /// `openat`, `readlinkat`: ENOENT when it has nothing open there, EACCES.
    pub fn descriptor(&self, pid: u32, number: u32) -> Result<(OwnedFd, String)> {
        let shown = || format!("/proc/{pid}/fd/{number}");
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        let path = format!("{pid}/fd");
        let directory = open_beneath(self.0.as_fd(), Path::new(&path), flags, Mode::empty())?;
        let name = rustix::fs::readlinkat(&directory, number.to_string(), Vec::new());
        let name = super::raw::check("readlinkat", name, shown)?;
        // The entry is a magic link; its parent was resolved without any.
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&directory, number.to_string(), flags, Mode::empty());
        let file = super::raw::check("openat", file, shown)?;
        Ok((file, name.to_string_lossy().into_owned()))
    }
}

impl AsFd for Procfs {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Undoes mountinfo's octal escapes of space, tab, newline and backslash (`proc_pid_mountinfo(5)`).
#[must_use]
pub fn unescape(field: &str) -> String {
    let mut text = String::with_capacity(field.len());
    let mut rest = field;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        let code = rest
            .get(at + 1..at + 4)
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match code {
            Some(code) => {
                text.push(char::from(code));
                rest = &rest[at + 4..];
            }
            None => {
                text.push('\\');
                rest = &rest[at + 1..];
            }
        }
    }
    text + rest
}

/// What `/proc/PID/stat` says of a process, as far as its identity and life go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessStatus {
    /// `R`, `S`, `D`, `Z` (ended, not collected), `T`, …
    pub state: char,
    /// Clock ticks between the boot and its start: with the number, its identity.
    pub start_time: u64,
    /// Whether it has not called execve since it was cloned (`PF_FORKNOEXEC`).
    pub before_exec: bool,
}

impl ProcessStatus {
    /// Asks about a process by number.
    ///
    /// # Errors
    /// `openat2`: ENOENT when there is no such process.
    pub fn of(procfs: &Procfs, pid: u32) -> Result<Self> {
        let text = procfs.read(&format!("{pid}/stat"))?;
        Self::parse(&String::from_utf8_lossy(&text))
            .ok_or_else(|| Error::new("read", format!("/proc/{pid}/stat"), libc::EBADMSG))
    }

    fn parse(text: &str) -> Option<Self> {
        const FORKNOEXEC: u64 = 0x40;
        // The name is in parentheses and may itself hold any character.
        let (_, rest) = text.rsplit_once(") ")?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        Some(Self {
            state: fields.first()?.chars().next()?,
            start_time: fields.get(19)?.parse().ok()?,
            before_exec: fields.get(6)?.parse::<u64>().ok()? & FORKNOEXEC != 0,
        })
    }

    /// Whether it has ended, collected or not.
    #[must_use]
    pub fn ended(&self) -> bool {
        matches!(self.state, 'Z' | 'X' | 'x')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_status_is_alive_and_has_executed() {
        let procfs = Procfs::open().expect("procfs");
        let status = ProcessStatus::of(&procfs, std::process::id()).expect("status");
        assert!(!status.ended() && !status.before_exec && status.start_time > 0);
    }

    #[test]
    fn a_name_with_parentheses_does_not_confuse() {
        let line = format!(
            "7 (a) b) S 1 7 7 0 -1 4194368 {} 4242 0 0",
            "0 ".repeat(12).trim()
        );
        let status = ProcessStatus::parse(&line).expect("parsed");
        assert_eq!(
            (status.state, status.start_time, status.before_exec),
            ('S', 4242, true)
        );
    }
}

//! Pseudo-terminals.

use super::raw::check;
use crate::Result;
use rustix::fd::{AsRawFd, BorrowedFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::pty::OpenptFlags;
use rustix::termios::{OptionalActions, Termios, Winsize};

/// Opens a new pseudo-terminal of the devpts instance whose `ptmx` is `name` in `directory`;
/// returns the controlling side, unlocked.
///
/// # Errors
/// `openat`: ENOENT, ENOSPC when the instance is full.
pub fn open_in(directory: BorrowedFd<'_>, name: &str) -> Result<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let controller = check(
        "openat",
        rustix::fs::openat(directory, name, flags, Mode::empty()),
        || format!("{}, {name:?}", directory.as_raw_fd()),
    )?;
    check("ioctl", rustix::pty::unlockpt(&controller), || {
        format!("{}, TIOCSPTLCK", controller.as_raw_fd())
    })?;
    Ok(controller)
}

/// Opens the terminal side of a pseudo-terminal by its controlling side, not by any name (`TIOCGPTPEER`).
///
/// # Errors
/// `ioctl`.
pub fn peer(controller: BorrowedFd<'_>) -> Result<OwnedFd> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    check(
        "ioctl",
        rustix::pty::ioctl_tiocgptpeer(controller, flags),
        || format!("{}, TIOCGPTPEER", controller.as_raw_fd()),
    )
}

/// Makes a terminal the controlling one of this session (`TIOCSCTTY`).
///
/// # Errors
/// `ioctl`: EPERM when this process does not lead a session or the terminal belongs to another.
pub fn make_controlling(terminal: BorrowedFd<'_>) -> Result<()> {
    check("ioctl", rustix::process::ioctl_tiocsctty(terminal), || {
        format!("{}, TIOCSCTTY", terminal.as_raw_fd())
    })
}

/// Makes a process group of this session the one that the terminal's keys signal (`tcsetpgrp(3)`);
/// the caller should have SIGTTOU blocked.
///
/// # Errors
/// `ioctl`: ENOTTY when it is not this session's terminal, ESRCH.
pub fn set_foreground(terminal: BorrowedFd<'_>, group: u32) -> Result<()> {
    let shown = || format!("{}, TIOCSPGRP, {group}", terminal.as_raw_fd());
    let id = i32::try_from(group)
        .ok()
        .and_then(rustix::process::Pid::from_raw)
        .ok_or_else(|| crate::Error::new("ioctl", shown(), libc::ESRCH))?;
    check("ioctl", rustix::termios::tcsetpgrp(terminal, id), shown)
}

/// Sets the window size in characters.
///
/// # Errors
/// `ioctl`: ENOTTY.
pub fn set_size(terminal: BorrowedFd<'_>, columns: u16, rows: u16) -> Result<()> {
    let size = Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    check(
        "ioctl",
        rustix::termios::tcsetwinsize(terminal, size),
        || format!("{}, TIOCSWINSZ", terminal.as_raw_fd()),
    )
}

/// The window size in characters: (columns, rows).
///
/// # Errors
/// `ioctl`: ENOTTY.
pub fn size(terminal: BorrowedFd<'_>) -> Result<(u16, u16)> {
    let size = check("ioctl", rustix::termios::tcgetwinsize(terminal), || {
        format!("{}, TIOCGWINSZ", terminal.as_raw_fd())
    })?;
    Ok((size.ws_col, size.ws_row))
}

/// Whether the descriptor is a terminal.
#[must_use]
pub fn is_terminal(fd: BorrowedFd<'_>) -> bool {
    rustix::termios::isatty(fd)
}

/// A terminal in raw mode; dropping it gives the terminal its former mode again.
#[derive(Debug)]
pub struct RawMode {
    terminal: OwnedFd,
    former: Termios,
}

impl RawMode {
    /// Puts a terminal into raw mode: bytes pass as they are, and keys make no signals.
    ///
    /// # Errors
    /// `ioctl`: ENOTTY.
    pub fn enter(terminal: BorrowedFd<'_>) -> Result<Self> {
        let shown = || format!("{}, TCGETS", terminal.as_raw_fd());
        let former = check("ioctl", rustix::termios::tcgetattr(terminal), shown)?;
        let mut raw = former.clone();
        raw.make_raw();
        check(
            "ioctl",
            rustix::termios::tcsetattr(terminal, OptionalActions::Now, &raw),
            || format!("{}, TCSETS", terminal.as_raw_fd()),
        )?;
        let terminal = super::fd::duplicate_from(terminal, 3)?;
        Ok(Self { terminal, former })
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        // Nothing useful can be done about a terminal that has gone away.
        let _ = rustix::termios::tcsetattr(&self.terminal, OptionalActions::Now, &self.former);
    }
}

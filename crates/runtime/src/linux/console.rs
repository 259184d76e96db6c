//! The container's terminal.
//!
//! A pseudo-terminal of the container's own devpts instance; its controlling side goes to whoever
//! asked for it over a socket, the other side becomes standard input, output and error and
//! `/dev/console`. The terminal side is opened through the controlling side, never by the name that
//! the container could have replaced (CVE-2025-52565).
//!
//! Source: config.md (`process.terminal`); the socket protocol is that of the other runtimes: one
//! message with the descriptor beside it.

use super::rootfs::Rootfs;
use crate::error::{At, Result};
use dhow_sys::{Mode, OFlags, fd, mount, path, process, pty, socket, tree};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// The major number of the terminal sides of devpts.
const TERMINAL_MAJOR: u32 = 136;

/// A new terminal.
#[derive(Debug)]
pub struct Console {
    terminal: OwnedFd,
}

impl Console {
    /// Makes a terminal of the devpts at `/dev/pts`, sets its size, and sends its controlling side
    /// over the socket.
    ///
    /// # Errors
    /// The call; ENODEV when what is mounted there gave no terminal.
    pub fn open(
        root: BorrowedFd<'_>,
        size: Option<(u16, u16)>,
        receiver: BorrowedFd<'_>,
    ) -> Result<Self> {
        let step = "open a terminal";
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        let directory = path::open_in_root_no_links(root, Path::new("/dev/pts"), flags).at(step)?;
        let controller = pty::open_in(directory.as_fd(), "ptmx").at(step)?;
        let terminal = pty::peer(controller.as_fd()).at(step)?;
        let numbers = tree::device_numbers(&fd::stat(terminal.as_fd()).at(step)?);
        if numbers.0 != TERMINAL_MAJOR {
            return Err(dhow_sys::Error::new(
                "ioctl",
                "TIOCGPTPEER, which gave no terminal of a devpts",
                19,
            ))
            .at(step);
        }
        if let Some((columns, rows)) = size {
            pty::set_size(terminal.as_fd(), columns, rows).at("set the terminal's size")?;
        }
        socket::send(receiver, b"/dev/ptmx", &[controller.as_fd()])
            .at("send the terminal to the console socket")?;
        Ok(Self { terminal })
    }

    /// Shows it as `/dev/console`.
    ///
    /// # Errors
    /// The call.
    pub fn bind(&self, root: &Rootfs) -> Result<()> {
        let step = "bind /dev/console";
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        let dev = path::open_in_root_no_links(root.as_fd(), Path::new("/dev"), flags).at(step)?;
        let target = path::create_file_in_root(
            dev.as_fd(),
            Path::new("console"),
            Mode::from_raw_mode(0o620),
        )
        .at(step)?;
        let copy = mount::copy_tree_at(self.terminal.as_fd(), false).at(step)?;
        mount::attach(copy.as_fd(), target.as_fd()).at(step)
    }

    /// Makes it this session's controlling terminal and standard input, output and error; the
    /// user who will run owns it.
    ///
    /// # Errors
    /// The call.
    pub fn take(&self, uid: u32, gid: u32) -> Result<()> {
        let step = "take the terminal";
        pty::make_controlling(self.terminal.as_fd()).at(step)?;
        if uid != 0 {
            // Some programs open their terminal by name again. A namespace without the group cannot
            // have it changed; the user then reaches the open descriptors all the same.
            let _ = tree::set_owner_of(self.terminal.as_fd(), uid, gid);
        }
        for number in 0..3 {
            fd::become_standard(self.terminal.as_fd(), number).at(step)?;
        }
        Ok(())
    }
}

/// Connects to the socket to which the terminal's controlling side shall go.
///
/// # Errors
/// `connect`.
pub fn receiver(path: &Path) -> Result<OwnedFd> {
    socket::connect_stream(path).at("connect to the console socket")
}

/// Starts a session of its own, so that the caller's terminal cannot signal the container.
///
/// # Errors
/// `setsid`.
pub fn new_session() -> Result<()> {
    process::new_session().at("start a session")
}

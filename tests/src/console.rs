//! Terminals, and the sockets over which a runtime hands out descriptors.

use crate::processes;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::OwnedFd;
use rustix::io::IoSliceMut;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Winsize, tcgetwinsize, tcsetwinsize};
use std::fs;
use std::mem::MaybeUninit;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The master side of a terminal.
#[derive(Debug)]
pub struct Terminal {
    master: OwnedFd,
    seen: String,
}

impl Terminal {
    /// A new pseudo-terminal on the host: the master, and the side for a process.
    ///
    /// # Panics
    /// When the kernel has none to give.
    #[must_use]
    pub fn open() -> (Self, OwnedFd) {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags).expect("open /dev/ptmx");
        unlockpt(&master).expect("unlock the terminal");
        let peer = ioctl_tiocgptpeer(&master, flags).expect("open the other side");
        (Self::new(master), peer)
    }

    /// A master that a runtime sent.
    #[must_use]
    pub fn new(master: OwnedFd) -> Self {
        Self {
            master,
            seen: String::new(),
        }
    }

    /// Types this text.
    ///
    /// # Panics
    /// When the terminal is gone.
    pub fn write(&self, text: &str) {
        rustix::io::write(&self.master, text.as_bytes()).expect("write to the terminal");
    }

    /// Sets its size in columns and rows.
    ///
    /// # Panics
    /// When the terminal is gone.
    pub fn resize(&self, columns: u16, rows: u16) {
        let size = Winsize {
            ws_col: columns,
            ws_row: rows,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&self.master, size).expect("resize the terminal");
    }

    /// Its size in columns and rows.
    ///
    /// # Panics
    /// When the terminal is gone.
    #[must_use]
    pub fn size(&self) -> (u16, u16) {
        let size = tcgetwinsize(&self.master).expect("size of the terminal");
        (size.ws_col, size.ws_row)
    }

    /// Reads until this text has come, and returns everything seen so far.
    ///
    /// # Panics
    /// When it has not after ten seconds, or the other side closed.
    #[track_caller]
    pub fn expect(&mut self, text: &str) -> &str {
        let start = Instant::now();
        while !self.seen.contains(text) {
            let is_open = self.read(Duration::from_millis(200));
            assert!(
                is_open && start.elapsed() < Duration::from_secs(10),
                "{text:?} did not come; the terminal said {:?}",
                self.seen
            );
        }
        &self.seen
    }

    /// Reads until the other side closes, and returns everything seen.
    ///
    /// # Panics
    /// When it has not closed after ten seconds.
    pub fn read_to_end(&mut self) -> &str {
        let start = Instant::now();
        while self.read(Duration::from_millis(200)) {
            assert!(
                start.elapsed() < Duration::from_secs(10),
                "the terminal stays open"
            );
        }
        &self.seen
    }

    /// Reads what is there within the time; false when the other side has closed.
    fn read(&mut self, limit: Duration) -> bool {
        if !is_readable(&self.master, limit) {
            return true;
        }
        let mut bytes = [0; 4096];
        // EIO is how a terminal says that its other side closed.
        match rustix::io::read(&self.master, &mut bytes) {
            Ok(0) | Err(_) => false,
            Ok(count) => {
                self.seen
                    .push_str(&String::from_utf8_lossy(&bytes[..count]));
                true
            }
        }
    }
}

/// A listening socket at a path, on which a runtime sends descriptors.
#[derive(Debug)]
pub struct DescriptorSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl DescriptorSocket {
    /// Listens at this path, which anybody may connect to.
    ///
    /// # Panics
    /// When it cannot.
    #[must_use]
    pub fn listen(path: PathBuf) -> Self {
        use std::os::unix::fs::PermissionsExt as _;
        let listener = UnixListener::bind(&path).expect("listen on a socket");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).expect("open it to all");
        Self { listener, path }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Waits for one message: its bytes and its descriptors.
    ///
    /// # Panics
    /// When none has come after ten seconds.
    #[must_use]
    pub fn receive(&self) -> (Vec<u8>, Vec<OwnedFd>) {
        let limit = Duration::from_secs(10);
        assert!(
            is_readable(&self.listener, limit),
            "nobody connected to {:?}",
            self.path
        );
        let (stream, _) = self.listener.accept().expect("accept");
        assert!(
            is_readable(&stream, limit),
            "nothing was sent to {:?}",
            self.path
        );
        let mut bytes = vec![0; 1 << 16];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let message = recvmsg(
            &stream,
            &mut [IoSliceMut::new(&mut bytes)],
            &mut ancillary,
            RecvFlags::CMSG_CLOEXEC,
        )
        .expect("receive a message");
        bytes.truncate(message.bytes);
        let descriptors = ancillary
            .drain()
            .filter_map(|part| match part {
                RecvAncillaryMessage::ScmRights(fds) => Some(fds.collect::<Vec<_>>()),
                _ => None,
            })
            .flatten()
            .collect();
        (bytes, descriptors)
    }

    /// Waits for a terminal.
    ///
    /// # Panics
    /// When something else comes.
    #[must_use]
    pub fn terminal(&self) -> Terminal {
        let (_, mut descriptors) = self.receive();
        assert_eq!(descriptors.len(), 1, "one descriptor is sent");
        Terminal::new(descriptors.remove(0))
    }
}

fn is_readable(fd: &impl rustix::fd::AsFd, limit: Duration) -> bool {
    let mut set = [PollFd::new(fd, PollFlags::IN)];
    poll(&mut set, Some(&processes::timespec(limit))).is_ok_and(|count| count > 0)
}

//! The engine's end of the conversation with `dhow-monitor`.
//!
//! The two programs share no code, only this protocol; it is drawn in the monitor's `attach.rs`.

use crate::doing::Doing;
use crate::error::{Error, Result};
use crate::runtime::parse_failure;
use crate::view::{Exit, Moment};
use dhow_sys::{socket, stream};
use std::ffi::OsString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::process::{Command, Stdio};

/// The longest message: a piece of output and its first byte.
pub(crate) const MESSAGE: usize = 32 * 1024 + 1;

/// A connection to a monitor.
#[derive(Debug)]
pub(crate) struct Connection(OwnedFd);

/// What a monitor says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// Nothing now.
    Nothing,
    /// A piece of output: 1 or 2, and so many bytes from the second of the buffer on.
    Output(u8, usize),
    /// The container has ended: code, signal, killed for want of memory.
    Exited(u8, Option<u8>, bool),
    /// The connection has ended.
    Gone,
}

/// Starts a monitor, which starts the container, and waits until it runs.
pub(crate) fn start(program: &Path, words: &[OsString]) -> Result<Connection> {
    let (near, far) = socket::pair().doing(|| "make a socket for the monitor".into())?;
    let status = Command::new(program)
        .args(words)
        .stdin(Stdio::from(far))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // It goes on in a child of its own, so this returns at once.
        .status();
    let status = status.map_err(|source| Error::Spawn {
        program: program.to_path_buf(),
        source,
    })?;
    if !status.success() {
        return Err(Error::MonitorLost);
    }
    let mut message = vec![0; MESSAGE];
    let (length, _) =
        socket::receive(near.as_fd(), &mut message).doing(|| "hear from the monitor".into())?;
    match message[..length].split_first() {
        Some((b'R', _)) => Ok(Connection(near)),
        Some((b'F', [_, text @ ..])) => {
            Err(Error::Start(parse_failure(&String::from_utf8_lossy(text))))
        }
        _ => Err(Error::MonitorLost),
    }
}

impl Connection {
    /// Connects to a running monitor by its container's volatile directory; `None` when there is none.
    pub(crate) fn open(living: &OwnedFd, viewer: bool) -> Result<Option<Self>> {
        let connected = socket::connect(living.as_fd(), "attach");
        let socket = match connected {
            Ok(socket) => socket,
            Err(error) if matches!(error.name().as_str(), "ENOENT" | "ECONNREFUSED") => {
                return Ok(None);
            }
            Err(error) => return Err(error).doing(|| "connect to the monitor".into()),
        };
        let hello: &[u8] = if viewer { b"A" } else { b"O" };
        match socket::send(socket.as_fd(), hello, &[]) {
            Ok(()) => Ok(Some(Self(socket))),
            Err(error) if matches!(error.name().as_str(), "EPIPE" | "ECONNRESET") => Ok(None),
            Err(error) => Err(error).doing(|| "greet the monitor".into()),
        }
    }

    /// Takes the next message, if there is one.
    pub(crate) fn listen(&self, buffer: &mut [u8]) -> Said {
        let length = match stream::receive(self.as_fd(), buffer) {
            Ok(None) => return Said::Nothing,
            // Said once when the monitor closed with our words unread; its last ones come after it.
            Err(error) if error.name() == "ECONNRESET" => return Said::Nothing,
            Ok(Some(0)) | Err(_) => return Said::Gone,
            Ok(Some(length)) => length,
        };
        match &buffer[..length] {
            [kind @ (b'1' | b'2'), data @ ..] => Said::Output(kind - b'0', data.len()),
            [b'X', code, signal, oom] => {
                Said::Exited(*code, (*signal > 0).then_some(*signal), *oom == 1)
            }
            _ => Said::Nothing,
        }
    }

    /// Sends a message; false when there is no room for it now.
    pub(crate) fn say(&self, parts: &[&[u8]]) -> Result<bool> {
        match stream::send(self.as_fd(), parts) {
            // It has ended; its last words are still to be read.
            Err(error) if matches!(error.name().as_str(), "EPIPE" | "ECONNRESET") => Ok(true),
            result => result.doing(|| "speak to the monitor".into()),
        }
    }

    /// Waits for the end of the connection, which is the monitor's farewell; false after `timeout` milliseconds.
    pub(crate) fn wait_for_end(&self, timeout: Option<u64>) -> Result<bool> {
        let deadline =
            timeout.map(|ms| std::time::Instant::now() + std::time::Duration::from_millis(ms));
        let mut buffer = vec![0; MESSAGE];
        loop {
            let left = deadline.map(|deadline| {
                let left = deadline.saturating_duration_since(std::time::Instant::now());
                u64::try_from(left.as_millis()).unwrap_or(0)
            });
            let ready = dhow_sys::fd::poll(&[(self.as_fd(), dhow_sys::fd::Interest::Read)], left)
                .doing(|| "wait for the monitor".into())?;
            if !ready[0] {
                return Ok(false);
            }
            if self.listen(&mut buffer) == Said::Gone {
                return Ok(true);
            }
        }
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// An end that a connection told, for a container whose record is gone before it could be read.
pub(crate) fn told(code: u8, signal: Option<u8>, oom_killed: bool) -> Exit {
    Exit {
        code,
        signal,
        oom_killed,
        finished: Moment::now(),
        reason: None,
    }
}

//! The messages between the parent and the container's process during the birth.
//!
//! ```text
//!   parent                                  child
//!     │  ── Go ───────────────────────────▶   │   its ids are mapped, it is in its cgroup
//!     │  ◀─────────────────────── Prepared ── │   mounts are made, the host is still visible
//!     │     (prestart, createRuntime hooks)   │
//!     │  ── Go ───────────────────────────▶   │   createContainer hooks, pivot, identity, …
//!     │  ◀────────────────────────── Ready ── │   everything is done but the execve
//!     │  ── Start (only `run`, `exec`) ───▶   │
//!     │  ◀───────────── end of file: execve has happened, the socket is close-on-exec
//!
//!   at any point instead:
//!     │  ◀──────── Failed(step, call, errno)  │   and the child has ended
//!     │            end of file                │   the child was killed
//! ```
//!
//! Each message is one packet; descriptors ride beside it.

use crate::error::{Error, Failure, Result};
use dhow_sys::{fd, socket};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// A failure's words are cut to fit one packet.
const LONGEST: usize = 8192;

/// One end of the handshake.
#[derive(Debug)]
pub struct Channel(OwnedFd);

/// What the child says.
#[derive(Debug)]
pub enum Said {
    /// Mounts are made; hooks of the runtime's namespaces may run.
    Prepared,
    /// Everything is done but the execve; a seccomp listener may come with it.
    Ready,
    /// The process that was cloned first has cloned the container's and hands over its pidfd.
    Moved(OwnedFd),
    /// The filter is installed; this is its listener.
    Listener(OwnedFd),
    /// It could not.
    Failed(Failure),
    /// The socket is closed: by execve, or by death.
    End,
}

const ECONNRESET: i32 = 104;

const GO: u8 = b'g';
const START: u8 = b's';
const PREPARED: u8 = b'p';
const READY: u8 = b'r';
const MOVED: u8 = b'm';
const LISTENER: u8 = b'l';
const FAILED: u8 = b'f';

impl Channel {
    /// A connected pair: (parent's end, child's end).
    ///
    /// # Errors
    /// `socketpair`.
    pub fn pair() -> dhow_sys::Result<(Self, Self)> {
        socket::pair().map(|(parent, child)| (Self(parent), Self(child)))
    }

    /// The end of a connection that was made through the gate.
    #[must_use]
    pub fn over(socket: OwnedFd) -> Self {
        Self(socket)
    }

    /// Parent: the child may go on.
    ///
    /// # Errors
    /// `sendmsg`: EPIPE when it has ended.
    pub fn go(&self) -> dhow_sys::Result<()> {
        socket::send(self.0.as_fd(), &[GO], &[])
    }

    /// Parent: the child shall execute its program.
    ///
    /// # Errors
    /// `sendmsg`: EPIPE when it has ended.
    pub fn start(&self) -> dhow_sys::Result<()> {
        socket::send(self.0.as_fd(), &[START], &[])
    }

    /// Parent: waits for what the child says next.
    ///
    /// # Errors
    /// `recvmsg`.
    pub fn hear(&self) -> dhow_sys::Result<Said> {
        let mut packet = [0; LONGEST];
        let (length, mut descriptors) = match socket::receive(self.0.as_fd(), &mut packet) {
            // A child that ends with our message unread resets the connection, which is told before
            // what the child said last.
            Err(error) if error.code() == ECONNRESET => {
                match socket::receive(self.0.as_fd(), &mut packet) {
                    Err(error) if error.code() == ECONNRESET => return Ok(Said::End),
                    result => result?,
                }
            }
            result => result?,
        };
        let broken =
            || dhow_sys::Error::new("recvmsg", "a message that the child cannot have sent", 71);
        match packet.first().filter(|_| length > 0) {
            None => Ok(Said::End),
            Some(&PREPARED) => Ok(Said::Prepared),
            Some(&READY) => Ok(Said::Ready),
            Some(&MOVED) => descriptors.pop().map(Said::Moved).ok_or_else(broken),
            Some(&LISTENER) => descriptors.pop().map(Said::Listener).ok_or_else(broken),
            Some(&FAILED) => Ok(Said::Failed(decode(&packet[1..length]))),
            Some(_) => Err(broken()),
        }
    }

    /// Parent: expects one particular message; everything else is an error.
    ///
    /// # Errors
    /// [`Error::Birth`] with what the child told, or that it ended without a word.
    pub fn expect(&self, wanted: fn(&Said) -> bool, doing: &str) -> Result<Said> {
        match self.hear() {
            Ok(said) if wanted(&said) => Ok(said),
            Ok(Said::Failed(failure)) => Err(Error::Birth(failure)),
            Ok(_) => {
                let text = "the container's process ended without a word; was it killed, or out of memory?";
                Err(Error::Birth(Failure {
                    step: doing.into(),
                    text: text.into(),
                    code: 0,
                }))
            }
            Err(source) => Err(Error::step(doing, source)),
        }
    }

    /// Parent: after a failure of its own. What the child said before is the cause, when it said something:
    /// it has ended, and what we wanted to do for it could only fail.
    #[must_use]
    pub fn cause(&self, ours: Error) -> Error {
        let said = fd::poll(&[(self.as_fd(), fd::Interest::Read)], Some(0));
        if !said.is_ok_and(|ready| ready[0]) {
            return ours;
        }
        match self.hear() {
            Ok(Said::Failed(failure)) => Error::Birth(failure),
            _ => ours,
        }
    }

    /// Child: waits for [`Channel::go`] or [`Channel::start`]; false when the parent is gone.
    ///
    /// # Errors
    /// `recvmsg`.
    pub fn await_word(&self) -> dhow_sys::Result<bool> {
        let mut packet = [0; 8];
        let (length, _) = socket::receive(self.0.as_fd(), &mut packet)?;
        Ok(length > 0)
    }

    /// Child: waits for [`Channel::start`].
    ///
    /// # Errors
    /// `recvmsg`; EPIPE when the parent is gone.
    pub fn await_start(&self) -> dhow_sys::Result<()> {
        if self.await_word()? {
            return Ok(());
        }
        Err(dhow_sys::Error::new("recvmsg", "the runtime is gone", 32))
    }

    /// Child: mounts are made.
    ///
    /// # Errors
    /// `sendmsg`.
    pub fn prepared(&self) -> dhow_sys::Result<()> {
        socket::send(self.0.as_fd(), &[PREPARED], &[])
    }

    /// Child: everything is done but the execve.
    ///
    /// # Errors
    /// `sendmsg`.
    pub fn ready(&self) -> dhow_sys::Result<()> {
        socket::send(self.0.as_fd(), &[READY], &[])
    }

    /// Child: another process, held by this pidfd, takes over.
    ///
    /// # Errors
    /// `sendmsg`.
    pub fn moved(&self, pidfd: BorrowedFd<'_>) -> dhow_sys::Result<()> {
        socket::send(self.0.as_fd(), &[MOVED], &[pidfd])
    }

    /// Child: hands over the filter's listener and waits until it has arrived.
    ///
    /// # Errors
    /// `sendmsg`, `recvmsg`.
    pub fn listener(&self, listener: BorrowedFd<'_>) -> dhow_sys::Result<()> {
        socket::send(self.0.as_fd(), &[LISTENER], &[listener])?;
        self.await_word().map(drop)
    }

    /// Child: says why it ends.
    pub fn failed(&self, error: &Error) {
        let Failure { step, text, code } = Failure::from(error);
        let mut packet = format!("f{code}\0{step}\0{text}").into_bytes();
        packet.truncate(LONGEST);
        // Nobody listens any more: then nobody needs to know.
        let _ = socket::send(self.0.as_fd(), &packet, &[]);
    }

    /// The socket, for polling.
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn decode(packet: &[u8]) -> Failure {
    let text = String::from_utf8_lossy(packet);
    let mut parts = text.splitn(3, '\0');
    let code = parts.next().and_then(|code| code.parse().ok()).unwrap_or(0);
    let mut word = || parts.next().unwrap_or_default().to_owned();
    Failure {
        step: word(),
        text: word(),
        code,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_crosses_whole() {
        let (parent, child) = Channel::pair().expect("socket pair");
        let error = Error::step(
            "mount filesystems",
            dhow_sys::Error::new("fsopen", "\"nope\"", 19),
        );
        child.failed(&error);
        let Ok(Said::Failed(failure)) = parent.hear() else {
            panic!("no failure arrived")
        };
        assert_eq!(
            (failure.step.as_str(), failure.code),
            ("mount filesystems", 19)
        );
        assert!(
            failure.text.starts_with("fsopen(\"nope\") = ENODEV"),
            "{}",
            failure.text
        );
        drop(child);
        assert!(matches!(parent.hear(), Ok(Said::End)));
    }
}

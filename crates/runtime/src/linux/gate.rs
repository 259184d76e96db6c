//! The start gate: where the container's process waits between `create` and `start`.
//!
//! It is a listening socket in the state directory. `start` connects and says the word; the same
//! connection then carries back what goes wrong until the execve, or end of file once that has
//! happened, because every descriptor of ours is close-on-exec.

use super::handshake::Channel;
use crate::error::{At, Result};
use dhow_sys::socket;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// The gate's name in the state directory.
pub const NAME: &str = "gate";

/// The waiting side.
#[derive(Debug)]
pub enum Gate {
    /// `create`: somebody will connect.
    Socket(OwnedFd),
    /// `run`: the parent stays and says the word on the handshake's channel.
    Parent,
}

impl Gate {
    /// Makes the gate in a state directory.
    ///
    /// # Errors
    /// `bind`.
    pub fn make(directory: BorrowedFd<'_>) -> Result<Self> {
        socket::listen(directory, NAME)
            .map(Self::Socket)
            .at("make the start gate")
    }

    /// Child: waits for the word, and returns the connection on which to report what follows.
    ///
    /// # Errors
    /// `accept4`, `recvmsg`; EPIPE when the parent of `run` has died.
    pub fn wait(self, channel: Channel) -> Result<Channel> {
        let step = "wait at the start gate";
        let Self::Socket(listener) = self else {
            let word = channel.await_word().at(step)?;
            let gone = || dhow_sys::Error::new("recvmsg", "the runtime is gone", 32);
            return if word {
                Ok(channel)
            } else {
                Err(gone()).at(step)
            };
        };
        drop(channel);
        loop {
            let connection = Channel::over(socket::accept(listener.as_fd()).at(step)?);
            // A caller that was killed before it said the word does not open the gate.
            if connection.await_word().unwrap_or(false) {
                return Ok(connection);
            }
        }
    }
}

/// Parent: opens the gate of a container and waits until its program is executed.
///
/// # Errors
/// `connect`: ECONNREFUSED when nobody waits; what the container's process reports.
pub fn open(directory: BorrowedFd<'_>) -> Result<Channel> {
    let step = "open the start gate";
    let channel = Channel::over(socket::connect(directory, NAME).at(step)?);
    channel.start().at(step)?;
    Ok(channel)
}

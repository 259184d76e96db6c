//! The start gate: where the container's process waits between `create` and `start`.
//!
//! It is a listening socket in the state directory. `start` connects and says the word; the same
//! connection then carries back what goes wrong until the execve, or end of file once that has
//! happened, because every descriptor of ours is close-on-exec.

use super::handshake::Channel;
use crate::error::{At, Result};
use dhow_sys::{process, socket};
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

    /// Child: waits for the word. The connection is the one on which to report what follows.
    ///
    /// # Errors
    /// `recvmsg`; EPIPE when the parent of `run` has died.
    pub fn wait(self, channel: Channel) -> (Channel, Result<()>) {
        let listener = match self {
            Self::Socket(listener) => listener,
            Self::Parent => {
                let opened = channel.await_start().at("wait at the start gate");
                return (channel, opened);
            }
        };
        drop(channel);
        let mut failures = 0;
        while failures < PATIENCE {
            // A caller that was killed before it said the word does not open the gate.
            match socket::accept(listener.as_fd()).map(Channel::over) {
                Ok(connection) if connection.await_start().is_ok() => return (connection, Ok(())),
                Ok(_) => {}
                Err(_) => failures += 1,
            }
        }
        // Nobody is there to tell: the gate is the only way in.
        process::exit(1)
    }
}

/// How often a connection may fail to be taken: the container waits for hours, and the trouble may pass.
const PATIENCE: u32 = 16;

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

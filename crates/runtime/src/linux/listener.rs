//! Handing a seccomp listener to the agent that will answer its notifications.
//!
//! Source: config-linux.md (`seccomp.listenerPath`, `containerProcessState`).

use crate::error::{At, Result};
use crate::plan::seccomp::Listener;
use crate::spec::State;
use dhow_sys::socket;
use serde_json::json;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

/// Sends the listener and the process's state to the agent's socket.
///
/// # Errors
/// `connect`, `sendmsg`.
pub fn send(agent: &Listener, listener: &OwnedFd, pid: u32, state: &State) -> Result<()> {
    let step = "hand the seccomp listener to its agent";
    let socket = socket::connect_stream(Path::new(&agent.path)).at(step)?;
    let message = json!({
        "ociVersion": state.oci_version,
        "fds": ["seccompFd"],
        "pid": pid,
        "metadata": agent.metadata.as_deref().unwrap_or(""),
        "state": state,
    });
    socket::send(
        socket.as_fd(),
        message.to_string().as_bytes(),
        &[listener.as_fd()],
    )
    .at(step)
}

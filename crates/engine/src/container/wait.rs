//! Wait for a container's end, without asking again and again.

use crate::doing::Doing;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::monitor::{self, Connection, MESSAGE, Said};
use crate::status;
use crate::view::{Exit, State};
use dhow_sys::fd::{Interest, poll};
use dhow_sys::process;
use std::os::fd::AsFd;

/// `wait`
pub(crate) fn wait(engine: &Engine, name: &str) -> Result<Exit> {
    let (directory, record) = engine.open_container(name)?;
    let mut told = None;
    loop {
        let pid = match status::state(engine.store(), &directory)? {
            State::Exited(exit) => return Ok(exit),
            // With --rm its directory may be gone by now; the monitor has told how it ended.
            State::Created => match told {
                Some(exit) => return Ok(exit),
                None => {
                    return Err(Error::WrongState {
                        verb: "wait for",
                        name: record.name,
                        state: "created",
                    });
                }
            },
            State::Running { pid, .. } => pid,
        };
        let living = engine.store().living(&record.id);
        let connection = match living {
            Some(living) => Connection::open(&living, false)?,
            None => None,
        };
        match connection {
            Some(connection) => told = hear(&connection)?.or(told),
            // No monitor: either it has just written the end, or it was killed and only the process
            // is left to wait for.
            None => {
                if let Ok(pidfd) = process::open(pid) {
                    poll(&[(pidfd.as_fd(), Interest::Read)], None)
                        .doing(|| format!("wait for process {pid}"))?;
                }
                status::wait_for_monitor(engine.store(), &record.id)?;
            }
        }
    }
}

/// Listens until the connection ends; what it told of the container's end.
fn hear(connection: &Connection) -> Result<Option<Exit>> {
    let mut buffer = vec![0; MESSAGE];
    let mut told = None;
    loop {
        poll(&[(connection.as_fd(), Interest::Read)], None)
            .doing(|| "wait for the monitor".into())?;
        match connection.listen(&mut buffer) {
            Said::Exited(code, signal, oom) => told = Some(monitor::told(code, signal, oom)),
            Said::Gone => return Ok(told),
            Said::Output(..) | Said::Nothing => {}
        }
    }
}

/// How a container ended, as it was written down.
pub(crate) fn recorded(engine: &Engine, id: &str) -> Option<Exit> {
    let (directory, _) = engine.open_container(id).ok()?;
    match status::state(engine.store(), &directory) {
        Ok(State::Exited(exit)) => Some(exit),
        _ => None,
    }
}

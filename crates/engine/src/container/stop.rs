//! Stop a container gently, or send it any signal.

use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::monitor::Connection;
use crate::signals;
use crate::status;
use crate::view::{Container, State};

/// `SIGKILL`
const KILL: u8 = 9;
/// Seconds between the gentle signal and the other.
const TIMEOUT: u32 = 10;
/// How long a killed container may take to be gone, in milliseconds.
const PATIENCE: u64 = 10_000;

/// `stop`
pub(crate) fn stop(engine: &Engine, name: &str, timeout: Option<u32>) -> Result<Container> {
    let (directory, record) = engine.open_container(name)?;
    let container = Container {
        id: record.id.clone(),
        name: record.name.clone(),
    };
    let is_running = || -> Result<bool> {
        let state = status::state(engine.store(), &directory)?;
        Ok(matches!(state, State::Running { .. }))
    };
    if !is_running()? {
        return Ok(container);
    }
    // Connected before the signal is sent, so that its end cannot be missed.
    let connection = match engine.store().living(&record.id) {
        Some(living) => Connection::open(&living, false)?,
        None => None,
    };
    let runtime = engine.runtime(&record.runtime);
    let signal = |number: u8| match runtime.kill(&record.id, number) {
        // It may have ended by itself meanwhile.
        Err(error) if is_running()? => Err(error),
        _ => Ok(()),
    };
    let seconds = timeout.unwrap_or(TIMEOUT);
    let Some(connection) = connection else {
        // Its monitor was killed: nobody can tell us the end, so there is no gentle way.
        signal(KILL)?;
        runtime.delete(&record.id)?;
        return Ok(container);
    };
    if seconds > 0 {
        signal(record.stop_signal)?;
        if connection.wait_for_end(Some(u64::from(seconds) * 1000))? {
            return Ok(container);
        }
    }
    signal(KILL)?;
    if connection.wait_for_end(Some(PATIENCE))? {
        return Ok(container);
    }
    Err(Error::WrongState {
        verb: "stop",
        name: container.name,
        state: "still running although it was killed",
    })
}

/// `kill`
pub(crate) fn kill(engine: &Engine, name: &str, signal: &str) -> Result<Container> {
    let number = signals::number("--signal", signal)?;
    let (directory, record) = engine.open_container(name)?;
    let state = status::state(engine.store(), &directory)?;
    if !matches!(state, State::Running { .. }) {
        return Err(Error::WrongState {
            verb: "kill",
            name: record.name,
            state: state.word(),
        });
    }
    engine.runtime(&record.runtime).kill(&record.id, number)?;
    Ok(Container {
        id: record.id,
        name: record.name,
    })
}

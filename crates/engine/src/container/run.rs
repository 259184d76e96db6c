//! Create and start in one go, and see to the end of containers that go away with their process.

use super::attach::Session;
use super::create::{Made, create};
use super::remove;
use super::start::{DETACHED, Part, launch};
use crate::engine::Engine;
use crate::error::Result;
use crate::options::ContainerOptions;
use crate::record::Record;
use crate::store::Locked;
use crate::view::{Attach, Container, Ended};

/// `run -d`.
pub(crate) fn detached(engine: &Engine, options: &ContainerOptions) -> Result<Container> {
    let Made { directory, record } = create(engine, options)?;
    match launch(engine, &directory, &record, DETACHED) {
        Ok(_) => Ok(Container {
            id: record.id,
            name: record.name,
        }),
        Err(error) => {
            forget(engine, &directory, &record);
            Err(error)
        }
    }
}

/// `run`, with the caller's streams.
pub(crate) fn attached(
    engine: &Engine,
    options: &ContainerOptions,
    attach: &Attach,
) -> Result<Ended> {
    let Made { directory, record } = create(engine, options)?;
    watch(engine, directory, &record, attach)
}

/// `start -a`.
pub(crate) fn start_attached(engine: &Engine, name: &str, attach: &Attach) -> Result<Ended> {
    let (directory, record) = engine.lock(name)?;
    watch(engine, directory, &record, attach)
}

fn watch(engine: &Engine, directory: Locked, record: &Record, attach: &Attach) -> Result<Ended> {
    // Signals are held from here on, so that none is lost between the start and the forwarding.
    let session = Session::begin(attach, record.options.tty, record.options.interactive)?;
    let part = Part {
        attached: true,
        size: session.size(),
    };
    let connection = match launch(engine, &directory, record, part) {
        Ok(connection) => connection,
        Err(error) => {
            forget(engine, &directory, record);
            return Err(error);
        }
    };
    let runtime = engine.runtime(&record.runtime);
    // Others may now stop, inspect or rename it.
    drop(directory);
    let ended = session.relay(&connection, &|signal| {
        runtime.kill(&record.id, signal).is_ok()
    })?;
    drop(connection);
    match ended {
        // The monitor left the clean-up to us, because we were there to hear the end.
        Ended::Exited(exit) if record.options.remove => {
            remove::after_end(engine, &record.id)?;
            Ok(Ended::Exited(exit))
        }
        Ended::Exited(told) => Ok(Ended::Exited(
            super::wait::recorded(engine, &record.id).unwrap_or(told),
        )),
        Ended::Detached => Ok(Ended::Detached),
    }
}

/// A container that goes away with its process goes away too when there was none.
fn forget(engine: &Engine, directory: &Locked, record: &Record) {
    if record.options.remove {
        // The failed start is what the caller is told.
        let _ = remove::clear(engine, directory, record);
    }
}

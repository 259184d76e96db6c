//! Remove a container and all that belongs to it.
//!
//! The order: process, runtime's state, sockets, root filesystem, record, name. Killed at any point,
//! the same command once more finishes the work, because each part counts as removed when it is
//! missing.

use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::images::image_error;
use crate::monitor::Connection;
use crate::record::Record;
use crate::rootless;
use crate::status;
use crate::store::Locked;
use crate::view::{Container, State};

/// `SIGKILL`
const KILL: u8 = 9;
/// How long a killed container may take to be gone, in milliseconds.
const PATIENCE: u64 = 10_000;

/// `rm`
pub(crate) fn remove(engine: &Engine, name: &str, force: bool) -> Result<Container> {
    let (directory, record) = engine.lock(name)?;
    let running = matches!(
        status::state(engine.store(), directory.directory())?,
        State::Running { .. }
    );
    if running && !force {
        return Err(Error::WrongState {
            verb: "remove",
            name: record.name,
            state: "running",
        });
    }
    let connection = match engine.store().living(&record.id) {
        Some(living) => Connection::open(&living, false)?,
        None => None,
    };
    if running {
        // It may end by itself at this very moment; what counts is that it is gone below.
        let _ = engine.runtime(&record.runtime).kill(&record.id, KILL);
    }
    if let Some(connection) = connection {
        connection.wait_for_end(Some(PATIENCE))?;
    }
    clear(engine, &directory, &record)?;
    Ok(Container {
        id: record.id,
        name: record.name,
    })
}

/// After a container with `--rm` has ended: by the engine that watched it, or by the monitor's helper.
/// One that somebody has started again, or removed, is left alone.
pub(crate) fn after_end(engine: &Engine, id: &str) -> Result<()> {
    let (directory, record) = match engine.lock(id) {
        Err(Error::NoSuchContainer { .. }) => return Ok(()),
        result => result?,
    };
    let state = status::state(engine.store(), directory.directory())?;
    if matches!(state, State::Running { .. }) {
        return Ok(());
    }
    clear(engine, &directory, &record)
}

/// Removes everything of a container whose process has ended, or was never there.
pub(crate) fn clear(engine: &Engine, directory: &Locked, record: &Record) -> Result<()> {
    let store = engine.store();
    // The monitor has done it, unless it was killed.
    if store.runtime_root().join(&record.id).exists() {
        engine.runtime(&record.runtime).delete(&record.id)?;
    }
    store.remove_living(&record.id)?;
    if record.has_root {
        discard(engine, &record.id)?;
    }
    for volume in &record.anonymous_volumes {
        rootless::remove_tree(engine, &store.volume_directory(volume))?;
    }
    if engine.config().rootless {
        // What the container's other users own in its upper directories is not ours to remove.
        let path = store.directory_of(&record.id);
        if let Err(Error::Call { .. }) = store.remove(directory) {
            rootless::remove_tree(engine, &path)?;
        }
    } else {
        store.remove(directory)?;
    }
    store.drop_name(&record.name, &record.id)
}

pub(crate) fn discard(engine: &Engine, id: &str) -> Result<()> {
    let images = engine.images_store()?;
    match images.discard(id) {
        Ok(_) => Ok(()),
        Err(error)
            if engine.config().rootless && error.kind() == dhow_image::ErrorKind::Permission =>
        {
            rootless::discard(engine, images, id)
        }
        Err(error) => Err(image_error(
            format!("remove the root of container {id}"),
            error,
        )),
    }
}

//! Remove what operations that were killed in the middle have left behind.

use super::remove;
use crate::engine::Engine;
use crate::error::Result;
use crate::images::image_error;
use crate::rootless;
use crate::status;
use crate::view::State;

/// Sweeps; how many things were removed.
pub(crate) fn sweep(engine: &Engine) -> Result<usize> {
    let store = engine.store();
    let mut removed = 0;
    // A container's directory is made before anything else of it: what was there before the list of
    // directories was taken, and is not in it, has no container.
    let images = engine.images_store()?;
    let roots = images.roots();
    let roots = roots.map_err(|error| image_error("list the roots".into(), error))?;
    let names = store.names()?;
    let living = store.living_ids()?;
    for id in store.ids()? {
        let Some(directory) = store.open_id(&id)? else {
            continue;
        };
        // Somebody works on it: then it is not litter.
        let Some(locked) = directory.try_lock(store)? else {
            continue;
        };
        match locked.directory().record()? {
            None => {
                store.remove(&locked)?;
                removed += 1;
            }
            Some(record) if record.options.remove => {
                let state = status::state(store, locked.directory())?;
                if matches!(state, State::Exited(_)) && !status::has_monitor(store, &id) {
                    remove::clear(engine, &locked, &record)?;
                    removed += 1;
                }
            }
            Some(_) => {}
        }
    }
    let ids = store.ids()?;
    for (name, id) in names.iter().filter(|(_, id)| !ids.contains(id)) {
        store.drop_name(name, id)?;
        removed += 1;
    }
    for id in living.iter().filter(|id| !ids.contains(id)) {
        if !status::has_monitor(store, id) {
            store.remove_living(id)?;
            removed += 1;
        }
    }
    for key in roots.iter().filter(|key| !ids.contains(key)) {
        remove::discard(engine, key)?;
        removed += 1;
    }
    rootless::collect(engine, images)?;
    Ok(removed)
}

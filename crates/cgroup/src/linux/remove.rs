//! Removing a group with everything below it, from the deepest on.

use super::freeze::wait_event;
use super::group::Group;
use super::hierarchy::{EBUSY, Hierarchy, is_gone};
use crate::{Error, Result};
use dhow_sys::{Mode, OFlags, cgroupfs, path};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How long killed processes may take to be gone.
const PATIENCE: Duration = Duration::from_secs(10);

impl Group {
    /// Removes the group if nothing is left in it, as is usual once the container's first process has
    /// ended and taken its pid namespace along. False when there is more to do, or anything was in the
    /// way: [`Group::kill`] and [`Group::remove`] then go on from there.
    #[must_use]
    pub fn remove_if_empty(&self) -> bool {
        // A scope is systemd's to remove.
        self.unit.is_none()
            && self.present().all(|hierarchy| {
                let removed = hierarchy.remove_own();
                let gone = removed.map_or_else(|error| is_gone(&error), |()| true);
                if gone {
                    remove_parents(hierarchy);
                }
                gone
            })
    }

    /// Removes the group in every hierarchy, with groups that the container made below it and with
    /// parents that were made for it and are empty. What is gone already is no error. Processes that
    /// are ending are waited for. A group that was there before the container, where its bundle says, is
    /// only emptied (runtime.md, Delete: what the container did not create is not deleted).
    ///
    /// # Errors
    /// Conflict when processes are still there after ten seconds; Permission, Kernel. All hierarchies are
    /// tried before the first error is returned.
    pub fn remove(&self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let mut result = Ok(());
        if let Some(unit) = &self.unit {
            result = unit.stop();
        }
        // The unified hierarchy first: it announces when the processes have ended, and in the others
        // they have ended then too.
        let (unified, others): (Vec<_>, Vec<_>) =
            self.present().partition(|hierarchy| hierarchy.is_v2());
        for hierarchy in unified.into_iter().chain(others) {
            let removed = remove(hierarchy, deadline);
            remove_parents(hierarchy);
            result = result.and(removed);
        }
        result
    }
}

/// Removes a group that nothing was put in, and the parents made for it; an undo, so failures say nothing.
pub(super) fn remove_empty(hierarchy: &Hierarchy) {
    if let Ok(root) = hierarchy.root() {
        let _ = cgroupfs::remove_group(root, hierarchy.relative());
    }
    remove_parents(hierarchy);
}

fn remove_parents(hierarchy: &Hierarchy) {
    let Ok(root) = hierarchy.root() else { return };
    let mut path = hierarchy.relative();
    for _ in 0..hierarchy.parents_made.load(Ordering::Relaxed) {
        let Some((parent, _)) = path.rsplit_once('/') else {
            return;
        };
        // Another container may live below it by now: then it stays.
        if cgroupfs::remove_group(root, parent).is_err() {
            return;
        }
        path = parent;
    }
}

fn remove(hierarchy: &Hierarchy, deadline: Instant) -> Result<()> {
    let failed = |source| Error::Remove {
        path: hierarchy.directory.clone(),
        source,
    };
    match hierarchy.root() {
        // The mount itself is gone, as in a foreign mount namespace.
        Err(error) if is_gone(&error) => return Ok(()),
        root => root.map_err(failed)?,
    };
    let mut pause = Duration::from_micros(200);
    loop {
        match hierarchy.remove_own() {
            Ok(()) => return Ok(()),
            Err(error) if is_gone(&error) => return Ok(()),
            Err(error) if error.code() == EBUSY => {}
            Err(error) => return Err(failed(error)),
        }
        if let Err(error) = remove_below(hierarchy)
            && !is_gone(&error)
        {
            return Err(failed(error));
        }
        if Instant::now() >= deadline {
            let processes = hierarchy.pids().map_or(0, |pids| pids.len());
            return Err(Error::Stuck {
                doing: "remove",
                path: hierarchy.directory.clone(),
                seconds: PATIENCE.as_secs(),
                processes,
            });
        }
        if hierarchy.is_v2() {
            match wait_event(hierarchy, "populated 0", deadline) {
                Err(error) if !is_gone(&error) => return Err(failed(error)),
                _ => {}
            }
        }
        // An emptied group may be busy for a moment more (the last exit holds it).
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

/// Removes what can be removed below a group. However deep the tree is, two descriptors suffice: each
/// pass goes down one chain, taking the childless groups beside it along.
fn remove_below(hierarchy: &Hierarchy) -> std::result::Result<(), dhow_sys::Error> {
    loop {
        let mut here = hierarchy.open_group()?;
        let mut removed = false;
        loop {
            let (next, some) = remove_children(here.as_fd())?;
            removed |= some;
            match next {
                Some(next) => here = next,
                None => break,
            }
        }
        // Nothing more could be removed: done, or processes are still in the deepest ones.
        if !removed {
            return Ok(());
        }
    }
}

/// Removes the childless groups in a directory; returns one that is left, and whether any was removed.
fn remove_children(
    directory: BorrowedFd<'_>,
) -> std::result::Result<(Option<OwnedFd>, bool), dhow_sys::Error> {
    let mut removed = false;
    let mut left = None;
    for name in cgroupfs::children(directory)? {
        let name = Path::new(&name);
        match cgroupfs::remove_group(directory, &name.to_string_lossy()) {
            Ok(()) => removed = true,
            Err(error) if error.code() == EBUSY => {
                // Prefer one with children: one without waits for its processes only.
                let flags = OFlags::RDONLY | OFlags::DIRECTORY;
                let opened = path::open_beneath(directory, name, flags, Mode::empty());
                if let Ok(opened) = opened
                    && (left.is_none() || !cgroupfs::children(opened.as_fd())?.is_empty())
                {
                    left = Some(opened);
                }
            }
            Err(error) if is_gone(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok((left, removed))
}

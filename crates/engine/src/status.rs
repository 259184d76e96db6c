//! What a container does at the moment: asked of the kernel, each time.
//!
//! ```text
//!  exit written ──────────────────────────────────────────▶ exited
//!  started, another boot ─────────────────────────────────▶ exited: host restarted
//!  started, monitor holds its lock or the process lives ──▶ running
//!  started, none of both ─────────────────────────────────▶ exited: its monitor was killed
//!  neither ───────────────────────────────────────────────▶ created
//! ```
//!
//! `start` removes `exit` and `started` before a new run, under the container's lock.

use crate::doing::Doing;
use crate::error::Result;
use crate::record::Started;
use crate::store::{Directory, Store};
use crate::view::{Exit, State};
use dhow_sys::procfs::{ProcessStatus, Procfs};
use dhow_sys::{OFlags, lock, path};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

/// The state of a container.
pub(crate) fn state(store: &Store, directory: &Directory) -> Result<State> {
    if let Some(exit) = directory.document::<Exit>("exit")? {
        return Ok(State::Exited(exit));
    }
    let Some(started) = directory.document::<Started>("started")? else {
        return Ok(State::Created);
    };
    let procfs = Procfs::open_host().doing(|| "open /proc".into())?;
    if boot_id(&procfs)? != started.boot_id {
        return Ok(ended(&started, "host restarted"));
    }
    if has_monitor(store, &directory.id) || lives(&procfs, &started) {
        return Ok(State::Running {
            pid: started.pid,
            started: started.started,
        });
    }
    // The monitor may have written the end since the first look.
    if let Some(exit) = directory.document::<Exit>("exit")? {
        return Ok(State::Exited(exit));
    }
    Ok(ended(&started, "its monitor was killed"))
}

/// An end of which nobody knows the status.
fn ended(started: &Started, reason: &str) -> State {
    State::Exited(Exit {
        code: 255,
        signal: None,
        oom_killed: false,
        finished: started.started,
        reason: Some(reason.to_owned()),
    })
}

/// The identity of this boot.
fn boot_id(procfs: &Procfs) -> Result<String> {
    let bytes = procfs
        .read("sys/kernel/random/boot_id")
        .doing(|| "read the boot id".into())?;
    Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
}

/// Whether a monitor holds its lock: it alone does for longer than a look takes.
pub(crate) fn has_monitor(store: &Store, id: &str) -> bool {
    monitor_lock(store, id)
        .is_some_and(|file| matches!(lock::try_exclusive(file.as_fd()), Ok(false)))
}

/// Waits until no monitor holds its lock.
pub(crate) fn wait_for_monitor(store: &Store, id: &str) -> Result<()> {
    match monitor_lock(store, id) {
        Some(file) => lock::shared(file.as_fd()).doing(|| "wait for the monitor".into()),
        None => Ok(()),
    }
}

fn monitor_lock(store: &Store, id: &str) -> Option<OwnedFd> {
    let living = store.living(id)?;
    let opened = path::open_beneath(
        living.as_fd(),
        Path::new("monitor"),
        OFlags::RDWR,
        dhow_sys::Mode::empty(),
    );
    opened.ok()
}

/// Whether the first process is the one that was started, and has not ended.
fn lives(procfs: &Procfs, started: &Started) -> bool {
    ProcessStatus::of(procfs, started.pid)
        .is_ok_and(|status| status.start_time == started.start_time && !status.ended())
}

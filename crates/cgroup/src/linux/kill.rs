//! Signalling everything in a group, whatever it does meanwhile.

use super::freeze;
use super::group::Group;
use super::hierarchy::{EINVAL, ENOENT, Hierarchy, is_gone};
use crate::{Error, Result};
use dhow_sys::process;
use std::os::fd::AsFd;

const SIGKILL: u8 = 9;
const ESRCH: i32 = 3;

/// Rounds of the walk; each kills all that the one before has seen born.
const ROUNDS: usize = 1000;

/// Processes held at a time; each costs a descriptor.
const BATCH: usize = 128;

impl Group {
    /// Sends SIGKILL to all processes in the group and below: by `cgroup.kill` (Linux 5.14) at once, else by
    /// a walk over the frozen group. A frozen group is thawed, since v1 delivers no signal before. Returns
    /// when the signals are sent; [`Group::remove`] waits for the end. A group that is gone is no error.
    ///
    /// # Errors
    /// Permission or Kernel; Unsupported when the container has no group.
    pub fn kill(&self) -> Result<()> {
        let hierarchy = self.lifecycle().ok_or(Error::NoGroup {
            doing: "kill the processes",
        })?;
        let failed = |source| Error::Kill {
            path: hierarchy.directory.clone(),
            source,
        };
        let freezer = self.v1("freezer");
        if hierarchy.is_v2() {
            match hierarchy.write("cgroup.kill", "1") {
                Ok(()) => return thaw_v1(freezer).map_err(failed),
                Err(error) if is_gone(&error) => {}
                Err(error) => return Err(failed(error)),
            }
        }
        // No such file, or no such group: the walk finds nothing in the latter case.
        match freezer {
            Some(freezer) => {
                // Best effort: a group that cannot be frozen is walked until nobody is left.
                let _ = freeze::freeze_v1(freezer);
                let result = walk(hierarchy, SIGKILL);
                thaw_v1(Some(freezer)).and(result).map_err(failed)
            }
            None => walk(hierarchy, SIGKILL).map_err(failed),
        }
    }

    /// Sends a signal to all processes in the group and below; SIGKILL as [`Group::kill`] does. Those of a
    /// frozen group get it when they are thawed.
    ///
    /// # Errors
    /// Permission or Kernel; Unsupported when the container has no group.
    pub fn signal_all(&self, signal: u8) -> Result<()> {
        if signal == SIGKILL {
            return self.kill();
        }
        let hierarchy = self.lifecycle().ok_or(Error::NoGroup {
            doing: "signal the processes",
        })?;
        walk(hierarchy, signal).map_err(|source| Error::Kill {
            path: hierarchy.directory.clone(),
            source,
        })
    }

    /// Lets a process of the group die that has got SIGKILL: the freezer of v1 holds it back.
    ///
    /// # Errors
    /// Permission or Kernel.
    pub fn let_die(&self) -> Result<()> {
        let freezer = self.v1("freezer");
        thaw_v1(freezer).map_err(|source| Error::Freeze {
            doing: "thaw",
            path: freezer.map_or_else(Default::default, |freezer| freezer.directory.clone()),
            source,
        })
    }
}

fn thaw_v1(freezer: Option<&Hierarchy>) -> std::result::Result<(), dhow_sys::Error> {
    match freezer.map(|freezer| freezer.write("freezer.state", "THAWED")) {
        Some(Err(error)) if !is_gone(&error) => Err(error),
        _ => Ok(()),
    }
}

/// Signals every process that has not got the signal yet, until a round finds no new one.
fn walk(hierarchy: &Hierarchy, number: u8) -> std::result::Result<(), dhow_sys::Error> {
    let mut before = Vec::new();
    for _ in 0..ROUNDS {
        let pids = hierarchy.pids()?;
        let new: Vec<u32> = pids
            .iter()
            .copied()
            .filter(|pid| !before.contains(pid))
            .collect();
        if new.is_empty() {
            return Ok(());
        }
        for some in new.chunks(BATCH) {
            signal(hierarchy, some, number)?;
        }
        before = pids;
    }
    Ok(())
}

/// Signals processes of the group: each is held by a pidfd first and signalled only if its number is then
/// still listed, so that a number given away meanwhile hits nobody.
fn signal(
    hierarchy: &Hierarchy,
    pids: &[u32],
    number: u8,
) -> std::result::Result<(), dhow_sys::Error> {
    let mut held = Vec::with_capacity(pids.len());
    for pid in pids {
        match process::open(*pid) {
            Ok(pidfd) => held.push((pid, pidfd)),
            // Ended; or the number of a thread, whose leader is listed in another group.
            Err(error) if [ESRCH, ENOENT, EINVAL].contains(&error.code()) => {}
            Err(error) => return Err(error),
        }
    }
    let still = hierarchy.pids()?;
    for (_, pidfd) in held.iter().filter(|(pid, _)| still.contains(pid)) {
        match process::signal(pidfd.as_fd(), number) {
            Err(error) if error.code() == ESRCH => {}
            result => result?,
        }
    }
    Ok(())
}

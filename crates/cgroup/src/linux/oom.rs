//! Being told when the processes of a group run out of memory.
//!
//! v1 signals an eventfd that is registered for `memory.oom_control`, v2 announces changes of
//! `memory.events`; neither has to be asked again and again.

use super::group::Group;
use super::hierarchy::{Hierarchy, is_gone};
use crate::{Error, Result};
use dhow_sys::fd::Interest;
use dhow_sys::{OFlags, cgroupfs, fd};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// A watch on one group.
#[derive(Debug)]
pub struct OomWatch<'a> {
    place: &'a Hierarchy,
    announced: OwnedFd,
    /// v2: how many were killed when it was last read.
    kills: u64,
}

impl Group {
    /// Watches for lack of memory from now on; `None` without a memory controller.
    ///
    /// # Errors
    /// NotFound when the group is gone; Permission, Kernel.
    pub fn watch_oom(&self) -> Result<Option<OomWatch<'_>>> {
        if let Some(place) = self.v1("memory") {
            let control = open(place, "memory.oom_control", OFlags::RDONLY)?;
            let register = open(place, "cgroup.event_control", OFlags::WRONLY)?;
            let announced = cgroupfs::announce(register.as_fd(), control.as_fd());
            return Ok(Some(OomWatch {
                place,
                announced: announced
                    .map_err(|source| failed(place, "memory.oom_control", source))?,
                kills: 0,
            }));
        }
        let Some(place) = self.unified() else {
            return Ok(None);
        };
        match read(place) {
            Err(Error::Read { source, .. }) if is_gone(&source) => Ok(None),
            result => result.map(|(announced, kills)| {
                Some(OomWatch {
                    place,
                    announced,
                    kills,
                })
            }),
        }
    }
}

impl OomWatch<'_> {
    /// What to wait for before [`OomWatch::take`].
    #[must_use]
    pub fn wait_for(&self) -> (BorrowedFd<'_>, Interest) {
        let interest = if self.place.is_v2() {
            Interest::Changed
        } else {
            Interest::Read
        };
        (self.announced.as_fd(), interest)
    }

    /// Whether memory has run out since the last call.
    ///
    /// # Errors
    /// Permission, Kernel; a group that is gone is no error.
    pub fn take(&mut self) -> Result<bool> {
        if !self.place.is_v2() {
            let told = cgroupfs::take_announcement(self.announced.as_fd());
            let told = told.map_err(|source| failed(self.place, "memory.oom_control", source))?;
            // The removal of a group is announced too.
            return Ok(told && self.place.read("memory.oom_control").is_ok());
        }
        match read(self.place) {
            Err(Error::Read { source, .. }) if is_gone(&source) => Ok(false),
            result => {
                let (announced, kills) = result?;
                self.announced = announced;
                let more = kills > self.kills;
                self.kills = kills;
                Ok(more)
            }
        }
    }
}

/// The open file, which announces the changes after this, and how many were killed until now.
fn read(place: &Hierarchy) -> Result<(OwnedFd, u64)> {
    const FILE: &str = "memory.events";
    let file = open(place, FILE, OFlags::RDONLY)?;
    let text = fd::read_all(file.as_fd(), 4096).map_err(|source| failed(place, FILE, source))?;
    let text = String::from_utf8_lossy(&text);
    let kills = text
        .lines()
        .find_map(|line| line.strip_prefix("oom_kill ")?.parse().ok());
    Ok((file, kills.unwrap_or(0)))
}

fn open(place: &Hierarchy, file: &str, flags: OFlags) -> Result<OwnedFd> {
    place
        .open(file, flags)
        .map_err(|source| failed(place, file, source))
}

fn failed(place: &Hierarchy, file: &str, source: dhow_sys::Error) -> Error {
    Error::Read {
        path: place.directory.join(file),
        source,
    }
}

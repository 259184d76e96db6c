//! Pausing and resuming all processes of a group.
//!
//! The unified hierarchy freezes where it is mounted: there a frozen process can still be killed, and
//! the kernel announces when all stand still.

use super::group::Group;
use super::hierarchy::Hierarchy;
use crate::{Error, Result};
use dhow_sys::{OFlags, cgroupfs, fd};
use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long processes may take to stand still (one in uninterruptible sleep cannot).
const PATIENCE: Duration = Duration::from_secs(10);

impl Group {
    /// Stops all processes in the group and below, and returns when they stand still.
    ///
    /// # Errors
    /// Conflict when some do not within ten seconds (they are resumed again); Permission, Kernel;
    /// Unsupported when the container has no group or the host no freezer.
    pub fn freeze(&self) -> Result<()> {
        let hierarchy = self.freezer("pause the processes")?;
        let result = if hierarchy.is_v2() {
            freeze_v2(hierarchy)
        } else {
            freeze_v1(hierarchy)
        };
        let stuck = match result {
            Ok(true) => return Ok(()),
            Ok(false) => Ok(()),
            Err(source) => Err(Error::Freeze {
                doing: "freeze",
                path: hierarchy.directory.clone(),
                source,
            }),
        };
        // Half frozen is worse than not frozen.
        let _ = self.thaw();
        stuck?;
        Err(Error::Stuck {
            doing: "freeze",
            path: hierarchy.directory.clone(),
            seconds: PATIENCE.as_secs(),
            processes: hierarchy.pids().map_or(0, |pids| pids.len()),
        })
    }

    /// Lets all processes of the group go on.
    ///
    /// # Errors
    /// Permission, Kernel; Unsupported when the container has no group or the host no freezer.
    pub fn thaw(&self) -> Result<()> {
        let hierarchy = self.freezer("resume the processes")?;
        let result = if hierarchy.is_v2() {
            hierarchy.write("cgroup.freeze", "0")
        } else {
            hierarchy.write("freezer.state", "THAWED")
        };
        result.map_err(|source| Error::Freeze {
            doing: "thaw",
            path: hierarchy.directory.clone(),
            source,
        })
    }

    /// Whether the group is frozen, or about to be.
    ///
    /// # Errors
    /// NotFound when the group is gone; Permission, Kernel.
    pub fn is_frozen(&self) -> Result<bool> {
        let Ok(hierarchy) = self.freezer("read the state of the processes") else {
            return Ok(false);
        };
        if hierarchy.is_v2() {
            Ok(hierarchy.get("cgroup.freeze")?.trim() == "1")
        } else {
            Ok(hierarchy.get("freezer.state")?.trim() != "THAWED")
        }
    }

    /// The directory in which all processes are held still, where there is one.
    #[must_use]
    pub fn freezer_directory(&self) -> Option<&Path> {
        let hierarchy = self.freezer("find the freezer").ok()?;
        Some(hierarchy.directory.as_path())
    }

    fn freezer(&self, doing: &'static str) -> Result<&Hierarchy> {
        self.unified()
            .or_else(|| self.v1("freezer"))
            .ok_or(Error::NoGroup { doing })
    }
}

/// Whether all stood still in time.
fn freeze_v2(hierarchy: &Hierarchy) -> std::result::Result<bool, dhow_sys::Error> {
    hierarchy.write("cgroup.freeze", "1")?;
    wait_event(hierarchy, "frozen 1", Instant::now() + PATIENCE)
}

/// Waits until a line stands in `cgroup.events`; the kernel announces every change of the file.
pub(super) fn wait_event(
    hierarchy: &Hierarchy,
    line: &str,
    deadline: Instant,
) -> std::result::Result<bool, dhow_sys::Error> {
    loop {
        // Opened again each time: read from the start, and the announcement counts from this read on.
        let events = hierarchy.open("cgroup.events", OFlags::RDONLY)?;
        let text = fd::read_all(events.as_fd(), 4096)?;
        if String::from_utf8_lossy(&text)
            .lines()
            .any(|found| found == line)
        {
            return Ok(true);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        cgroupfs::changed(
            events.as_fd(),
            u64::try_from(left.as_millis()).unwrap_or(u64::MAX).max(1),
        )?;
    }
}

/// Whether all stood still in time. v1 announces nothing and needs to be told again: a process that was
/// being born while the others were stopped stays `FREEZING` otherwise.
pub(super) fn freeze_v1(hierarchy: &Hierarchy) -> std::result::Result<bool, dhow_sys::Error> {
    let deadline = Instant::now() + PATIENCE;
    let mut pause = Duration::from_micros(50);
    loop {
        hierarchy.write("freezer.state", "FROZEN")?;
        if hierarchy.read("freezer.state")?.trim() == "FROZEN" {
            return Ok(true);
        }
        if Instant::now() >= deadline {
            return Ok(false);
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(10));
    }
}

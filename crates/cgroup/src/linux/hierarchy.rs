//! One container's directory in one hierarchy, and the only way to its control files: beneath the
//! open root of the mount, following no link and entering no other mount.

use super::layout::Version;
use crate::{Error, Result};
use dhow_sys::{Mode, OFlags, cgroupfs, path};
use serde::{Deserialize, Serialize};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// The largest control file that is read (a `cgroup.procs` of some hundred thousand processes).
const MOST: usize = 4 << 20;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Hierarchy {
    pub(crate) version: Version,
    /// Controllers of a v1 hierarchy; empty for v2.
    #[serde(default)]
    pub(crate) controllers: Vec<String>,
    /// The mount point of the hierarchy.
    pub(crate) mount: PathBuf,
    /// The container's directory, below `mount`.
    pub(crate) directory: PathBuf,
    /// How many parents of the directory were made by us, and go with it when they are empty.
    #[serde(default)]
    pub(crate) parents_made: AtomicUsize,
    /// The directory was there before, empty, at a configured path: it is its maker's to remove.
    #[serde(default)]
    pub(crate) existed: AtomicBool,
    /// The user may not use this hierarchy, and does without (rootless).
    #[serde(default)]
    pub(crate) absent: AtomicBool,
    #[serde(skip)]
    pub(crate) root: OnceLock<Arc<OwnedFd>>,
}

impl Hierarchy {
    pub(crate) fn is_v2(&self) -> bool {
        self.version == Version::V2
    }

    pub(crate) fn has(&self, controller: &str) -> bool {
        self.controllers.iter().any(|name| name == controller)
    }

    pub(crate) fn is_absent(&self) -> bool {
        self.absent.load(Ordering::Relaxed)
    }

    pub(crate) fn leave_out(&self) {
        self.absent.store(true, Ordering::Relaxed);
    }

    /// Removes the group, unless it is somebody else's: then what is in it must be gone.
    pub(super) fn remove_own(&self) -> std::result::Result<(), dhow_sys::Error> {
        if !self.existed.load(Ordering::Relaxed) {
            return cgroupfs::remove_group(self.root()?, self.relative());
        }
        let is_left =
            !self.pids()?.is_empty() || !cgroupfs::children(self.open_group()?.as_fd())?.is_empty();
        match is_left {
            true => Err(dhow_sys::Error::new(
                "unlinkat",
                self.directory.display().to_string(),
                EBUSY,
            )),
            false => Ok(()),
        }
    }

    /// The same place, to be changed.
    pub(super) fn copy(&self) -> Self {
        Self {
            version: self.version,
            controllers: self.controllers.clone(),
            mount: self.mount.clone(),
            directory: self.directory.clone(),
            parents_made: AtomicUsize::new(0),
            existed: AtomicBool::new(self.existed.load(Ordering::Relaxed)),
            absent: AtomicBool::new(self.is_absent()),
            root: self.root.clone(),
        }
    }

    /// The directory below the mount.
    pub(crate) fn relative(&self) -> &str {
        // Plan made the directory by joining checked text to the mount, so this cannot fail for a
        // group of ours; for a damaged state file it names nothing rather than the mount's root.
        self.directory
            .strip_prefix(&self.mount)
            .ok()
            .and_then(Path::to_str)
            .filter(|path| !path.is_empty() && !path.split('/').any(|part| part == ".."))
            .unwrap_or("dhow-no-such-group")
    }

    /// The open root of the mount; opened once per process.
    pub(crate) fn root(&self) -> std::result::Result<BorrowedFd<'_>, dhow_sys::Error> {
        if self.root.get().is_none() {
            let opened = Arc::new(path::open_directory(&self.mount)?);
            let _ = self.root.set(opened);
        }
        Ok(self.root.get().expect("set on the line above").as_fd())
    }

    /// The name of a control file below the root.
    fn name(&self, file: &str) -> String {
        format!("{}/{file}", self.relative())
    }

    /// Reads a control file of the group.
    pub(crate) fn read(&self, file: &str) -> std::result::Result<String, dhow_sys::Error> {
        self.read_at(&self.name(file))
    }

    /// Reads a control file of any group by its path below the root.
    pub(crate) fn read_at(&self, path: &str) -> std::result::Result<String, dhow_sys::Error> {
        let bytes = path::read_beneath(self.root()?, path, MOST)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// As [`Self::read`], with our error.
    pub(crate) fn get(&self, file: &str) -> Result<String> {
        self.read(file).map_err(|source| Error::Read {
            path: self.directory.join(file),
            source,
        })
    }

    /// Writes a control file of the group in one write.
    pub(crate) fn write(
        &self,
        file: &str,
        value: &str,
    ) -> std::result::Result<(), dhow_sys::Error> {
        self.write_at(&self.name(file), value)
    }

    /// Writes a control file of any group by its path below the root.
    pub(crate) fn write_at(
        &self,
        path: &str,
        value: &str,
    ) -> std::result::Result<(), dhow_sys::Error> {
        path::write_beneath(self.root()?, path, value.as_bytes())
    }

    /// Opens a control file of the group.
    pub(crate) fn open(
        &self,
        file: &str,
        flags: OFlags,
    ) -> std::result::Result<OwnedFd, dhow_sys::Error> {
        path::open_beneath(
            self.root()?,
            Path::new(&self.name(file)),
            flags,
            Mode::empty(),
        )
    }

    /// Opens the group's directory, readable.
    pub(crate) fn open_group(&self) -> std::result::Result<OwnedFd, dhow_sys::Error> {
        self.open_group_at(self.relative())
    }

    /// Opens any group's directory by its path below the root, readable.
    pub(crate) fn open_group_at(
        &self,
        path: &str,
    ) -> std::result::Result<OwnedFd, dhow_sys::Error> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        path::open_beneath(self.root()?, Path::new(path), flags, Mode::empty())
    }

    /// The process ids in the group and below; empty when it is gone.
    pub(crate) fn pids(&self) -> std::result::Result<Vec<u32>, dhow_sys::Error> {
        let mut pids = Vec::new();
        let mut pending = vec![self.relative().to_owned()];
        while let Some(group) = pending.pop() {
            let procs = match self.read_at(&format!("{group}/cgroup.procs")) {
                // A threaded group has no list of processes.
                Err(error) if error.code() == EOPNOTSUPP => {
                    self.read_at(&format!("{group}/cgroup.threads"))
                }
                result => result,
            };
            let opened = procs.and_then(|procs| Ok((procs, self.open_group_at(&group)?)));
            let (procs, directory) = match opened {
                Err(error) if is_gone(&error) => continue,
                opened => opened?,
            };
            pids.extend(
                procs
                    .lines()
                    .filter_map(|line| line.parse::<u32>().ok())
                    .filter(|pid| *pid != 0),
            );
            let children = cgroupfs::children(directory.as_fd())?;
            pending.extend(
                children
                    .iter()
                    .map(|name| format!("{group}/{}", name.to_string_lossy())),
            );
        }
        pids.sort_unstable();
        pids.dedup();
        Ok(pids)
    }
}

pub(crate) const ENOENT: i32 = 2;
pub(crate) const EBUSY: i32 = 16;
pub(crate) const ENODEV: i32 = 19;
pub(crate) const EEXIST: i32 = 17;
pub(crate) const EINVAL: i32 = 22;
const EOPNOTSUPP: i32 = 95;

/// The group was removed: before (ENOENT) or while it was open (ENODEV).
pub(crate) fn is_gone(error: &dhow_sys::Error) -> bool {
    [ENOENT, ENODEV].contains(&error.code())
}

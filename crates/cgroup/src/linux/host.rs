//! Which hierarchies this host has, and where we are in them.
//!
//! The usual mounts below `/sys/fs/cgroup` are tried first, each with two calls; the mount table,
//! which is long on a busy host, is read only when one of them does not show our own group.

use super::layout::{Mount, Place, Version, choose, mounts, places};
use crate::{Error, Result};
use dhow_sys::{Mode, OFlags, cgroupfs, fd, path};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// One hierarchy that is mounted and shows our group.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) version: Version,
    pub(crate) controllers: Vec<String>,
    pub(crate) mount: PathBuf,
    /// Our group below the mount, without slashes around; empty at the root.
    pub(crate) own: String,
    pub(crate) root: Arc<OwnedFd>,
}

/// The control group hierarchies of this host.
#[derive(Debug)]
pub struct Host {
    pub(crate) found: Vec<Found>,
    unified_controllers: OnceLock<Vec<String>>,
}

impl Host {
    /// Finds the mounted hierarchies that show this process's own group.
    ///
    /// # Errors
    /// Permission, NotFound or Kernel when `/proc/self/cgroup` cannot be read.
    pub fn detect() -> Result<Self> {
        let text = read_own("cgroup")?;
        let mut table: Option<Vec<Mount>> = None;
        let mut found = Vec::new();
        let places = places(&text);
        for place in &places {
            if let Some(usual) = usual(place, !found.is_empty()) {
                found.push(usual);
                continue;
            }
            if table.is_none() {
                if let Some(alone) = alone(&places) {
                    found = vec![alone];
                    break;
                }
                table = Some(mounts(&read_own("mountinfo")?));
            }
            found.extend(table.as_deref().and_then(|table| listed(place, table)));
        }
        Ok(Self {
            found,
            unified_controllers: OnceLock::new(),
        })
    }

    /// Whether the unified hierarchy is the only one.
    #[must_use]
    pub fn is_v2_only(&self) -> bool {
        matches!(self.found.as_slice(), [one] if one.version == Version::V2)
    }

    /// The controllers of all hierarchies, by their names there (`blkio` in v1 is `io` in v2); a named
    /// v1 hierarchy is `name=systemd`.
    pub fn controllers(&self) -> impl Iterator<Item = &str> {
        let v1 = self.found.iter().flat_map(|found| &found.controllers);
        v1.chain(self.unified_controllers()).map(String::as_str)
    }

    /// The mount points of the hierarchies, the controllers of each, and whether it is the unified one.
    pub fn mounts(&self) -> impl Iterator<Item = (&Path, &[String], bool)> {
        self.found.iter().map(|found| {
            let unified = found.version == Version::V2;
            let controllers = if unified {
                self.unified_controllers()
            } else {
                &found.controllers
            };
            (found.mount.as_path(), controllers, unified)
        })
    }

    /// The controllers that the root of the unified hierarchy offers; empty without one.
    pub(crate) fn unified_controllers(&self) -> &[String] {
        self.unified_controllers.get_or_init(|| {
            let unified = self.found.iter().find(|found| found.version == Version::V2);
            let text = unified.and_then(|found| {
                path::read_beneath(found.root.as_fd(), "cgroup.controllers", 1 << 16).ok()
            });
            let text = String::from_utf8_lossy(text.as_deref().unwrap_or_default()).into_owned();
            text.split_whitespace().map(str::to_owned).collect()
        })
    }
}

/// Reads a file of our own directory in `/proc`.
pub(crate) fn read_own(name: &str) -> Result<String> {
    let file = Path::new("/proc/self").join(name);
    let bytes = path::read_host(&file, 64 << 20).map_err(|source| Error::Detect {
        why: format!("cannot read /proc/self/{name}"),
        source: Some(source),
    })?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The unified hierarchy where it is mounted on `/sys/fs/cgroup` itself: then there is no other, whatever
/// version 1 hierarchies the kernel keeps without a mount.
fn alone(places: &[Place]) -> Option<Found> {
    let unified = places.iter().find(|place| place.version == Version::V2)?;
    let own = super::layout::below("/", &unified.path)?;
    open(unified, PathBuf::from("/sys/fs/cgroup"), own)
}

/// The hierarchy of a place at one of its usual mount points; `hybrid`: there are others beside it.
fn usual(place: &Place, hybrid: bool) -> Option<Found> {
    let base = Path::new("/sys/fs/cgroup");
    let own = super::layout::below("/", &place.path)?;
    let candidates = match place.version {
        Version::V2 if hybrid => vec![base.join("unified"), base.to_owned()],
        Version::V2 => vec![base.to_owned(), base.join("unified")],
        Version::V1 => {
            let names: Vec<&str> = place
                .controllers
                .iter()
                .map(|name| name.trim_start_matches("name="))
                .collect();
            let mut candidates = vec![base.join(names.join(","))];
            if names.len() > 1 {
                candidates.extend(names.iter().map(|name| base.join(name)));
            }
            candidates
        }
    };
    candidates
        .into_iter()
        .find_map(|mount| open(place, mount, own.clone()))
}

/// The hierarchy of a place by the mount table.
fn listed(place: &Place, table: &[Mount]) -> Option<Found> {
    let (mount, own) = choose(place, table)?;
    open(place, mount.point.clone(), own)
}

/// Opens a mount point if it is a hierarchy of the right version and shows our group.
fn open(place: &Place, mount: PathBuf, own: String) -> Option<Found> {
    let magic = match place.version {
        Version::V1 => cgroupfs::MAGIC_V1,
        Version::V2 => cgroupfs::MAGIC_V2,
    };
    let root = path::open_directory(&mount).ok()?;
    if fd::filesystem_magic(root.as_fd()).ok()? != magic {
        return None;
    }
    if !own.is_empty() {
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        path::open_beneath(root.as_fd(), Path::new(&own), flags, Mode::empty()).ok()?;
    }
    Some(Found {
        version: place.version,
        controllers: place.controllers.clone(),
        mount,
        own,
        root: Arc::new(root),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_host_is_understood() {
        let host = Host::detect().unwrap();
        if host.found.is_empty() {
            println!("skipped: no control groups here");
            return;
        }
        let text = read_own("mountinfo").unwrap();
        // The short way and the mount table agree.
        for place in places(&read_own("cgroup").unwrap()) {
            let short = usual(&place, false).map(|found| (found.mount, found.own));
            let long = listed(&place, &mounts(&text)).map(|found| (found.mount, found.own));
            if short.is_some() {
                assert_eq!(short, long, "{place:?}");
            }
        }
        assert_eq!(
            host.is_v2_only(),
            host.found.len() == 1 && host.found[0].version == Version::V2
        );
        assert!(host.controllers().count() > 0);
    }

    #[test]
    fn an_ordinary_directory_is_no_hierarchy() {
        let place = Place {
            version: Version::V1,
            controllers: vec!["memory".into()],
            path: "/".into(),
        };
        assert!(open(&place, std::env::temp_dir(), String::new()).is_none());
    }
}

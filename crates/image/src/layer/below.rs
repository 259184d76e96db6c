//! What the layers below already have under a name.
//!
//! A layer is unpacked into a directory of its own, but two things need those below: a directory
//! that the archive does not list must keep the owner and mode it has there, and a hard link may
//! point to a file that only they have.

use super::hide;
use dhow_sys::tree;
use dhow_sys::{FileType, Result, Stat};
use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

/// The unpacked layers below, the nearest first.
#[derive(Debug, Default)]
pub(crate) struct Below(Vec<OwnedFd>);

/// A file of the layers below: the directory it is in and what it is.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) directory: OwnedFd,
    pub(crate) stat: Stat,
}

enum Step {
    Found(Found),
    /// This layer says nothing; the next one may.
    Silent,
    /// This layer hides what is below.
    Hidden,
}

impl Below {
    /// `layers` are open directories, the nearest first.
    pub(crate) fn new(layers: Vec<OwnedFd>) -> Self {
        Self(layers)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The root of the nearest layer.
    pub(crate) fn root(&self) -> Option<BorrowedFd<'_>> {
        self.0.first().map(AsFd::as_fd)
    }

    /// All names in the roots of the layers below.
    pub(crate) fn root_names(&self) -> Result<Vec<std::ffi::OsString>> {
        let mut all = Vec::new();
        for layer in &self.0 {
            let layer = tree::open_directory(layer.as_fd(), ".".as_ref())?;
            all.extend(tree::names(layer.as_fd())?);
        }
        all.sort();
        all.dedup();
        Ok(all)
    }

    /// Finds what is visible under a path, which must lead through directories only.
    pub(crate) fn find(&self, path: &[&[u8]]) -> Result<Option<Found>> {
        for layer in &self.0 {
            match look(layer.as_fd(), path)? {
                Step::Found(found) => return Ok(Some(found)),
                Step::Hidden => return Ok(None),
                Step::Silent => {}
            }
        }
        Ok(None)
    }
}

fn look(layer: BorrowedFd<'_>, path: &[&[u8]]) -> Result<Step> {
    let mut directory = tree::open_directory(layer, ".".as_ref())?;
    let mut hides = false;
    for (at, component) in path.iter().enumerate() {
        let name = OsStr::from_bytes(component);
        let Some(stat) = tree::stat(directory.as_fd(), name)? else {
            return Ok(if hides { Step::Hidden } else { Step::Silent });
        };
        if hide::is_whiteout(directory.as_fd(), name, &stat)? {
            return Ok(Step::Hidden);
        }
        if at + 1 == path.len() {
            return Ok(Step::Found(Found { directory, stat }));
        }
        if tree::file_type(&stat) != FileType::Directory {
            return Ok(Step::Hidden);
        }
        directory = tree::open_directory(directory.as_fd(), name)?;
        hides |= hide::is_opaque(directory.as_fd())?;
    }
    Ok(Step::Silent)
}

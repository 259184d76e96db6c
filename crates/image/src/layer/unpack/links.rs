//! Hard links: the target is a name of this layer, or a file of one below that is copied up first.

use super::{Unpacker, at, contents, refuse};
use crate::Result;
use crate::layer::whiteout::Marker;
use crate::layer::{name, whiteout};
use crate::tar::Entry;
use dhow_sys::tree;
use dhow_sys::{FileType, Stat};
use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::rc::Rc;

impl Unpacker<'_> {
    /// Finds what a hard link points to: in this layer, or else copied up from one below.
    pub(super) fn link_target(
        &mut self,
        entry: &Entry,
        path: &[&[u8]],
    ) -> Result<(Rc<OwnedFd>, Vec<u8>, Stat)> {
        let target = name::components(&entry.link)
            .map_err(|reason| refuse(entry, format!("link target: {reason}")))?;
        let Some((last, parents)) = target.split_last() else {
            return Err(refuse(entry, "it is a hard link to the layer's root"));
        };
        if target == path {
            return Err(refuse(entry, "it is a hard link to itself"));
        }
        let marker = whiteout::marker(last).map_err(|reason| refuse(entry, reason))?;
        if marker != Marker::None || whiteout::check_parents(parents).is_err() {
            return Err(refuse(entry, "it is a hard link to a whiteout"));
        }
        let name = OsStr::from_bytes(last);
        let shown = String::from_utf8_lossy(&entry.link);
        let directory = self.directories.existing(entry, parents)?;
        let found = match &directory {
            Some(directory) => tree::stat(directory.as_fd(), name).map_err(at(entry))?,
            None => None,
        };
        let (directory, stat) = match (directory, found) {
            (Some(directory), Some(stat)) => (directory, stat),
            _ => {
                if (1..=target.len())
                    .any(|depth| self.gone.contains_key(&target[..depth].join(&b'/')))
                {
                    return Err(refuse(
                        entry,
                        format!(
                            "it is a hard link to {shown:?}, which a whiteout of this layer removed"
                        ),
                    ));
                }
                let found = self.options.below.find(&target).map_err(at(entry))?;
                let Some(found) = found else {
                    return Err(refuse(
                        entry,
                        format!("it is a hard link to {shown:?}, which does not exist"),
                    ));
                };
                if tree::file_type(&found.stat) != FileType::RegularFile {
                    return Err(refuse(
                        entry,
                        format!("it is a hard link to {shown:?} of a layer below, no regular file"),
                    ));
                }
                let directory = self.directories.parent(entry, parents)?;
                contents::copy_up(&found, directory.as_fd(), name, self.options.ownership)
                    .map_err(at(entry))?;
                let stat = tree::stat(directory.as_fd(), name).map_err(at(entry))?;
                (directory, stat.unwrap_or(found.stat))
            }
        };
        if tree::file_type(&stat) == FileType::Directory {
            return Err(refuse(
                entry,
                format!("it is a hard link to the directory {shown:?}"),
            ));
        }
        Ok((directory, last.to_vec(), stat))
    }
}

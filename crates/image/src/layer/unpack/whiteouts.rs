//! What a layer removes from those below. Most of it waits until the layer's end.

use super::{Unpacker, at};
use crate::layer::{Report, hide};
use crate::tar::Entry;
use crate::{Error, Result};
use dhow_sys::FileType;
use dhow_sys::tree;
use std::ffi::OsStr;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;

impl Unpacker<'_> {
    /// A whiteout. It waits for the end, when it is known what else this layer says of the name and of
    /// the directories around it: overlayfs shows a needless whiteout as a file that cannot be opened.
    pub(super) fn gone(&mut self, entry: &Entry, parents: &[&[u8]], name: &[u8]) -> Result<()> {
        // Refuses a way out of the layer at once.
        self.directories.existing(entry, parents)?;
        if !self.options.below.is_empty() {
            let path = [parents, &[name]].concat();
            self.gone.insert(path.join(&b'/'), entry.clone());
        }
        Ok(())
    }

    pub(super) fn opaque(&mut self, entry: &Entry, parents: &[&[u8]]) -> Result<()> {
        if self.options.below.is_empty() {
            return Ok(());
        }
        if parents.is_empty() {
            // Overlayfs does not look at its root for this mark; see `finish`.
            self.root_is_opaque = true;
            return Ok(());
        }
        let parent = self.directories.parent(entry, parents)?;
        hide::make_opaque(parent.as_fd()).map_err(at(entry))
    }

    /// Says what is gone, then finishes the directories.
    pub(super) fn finish(mut self) -> Result<Report> {
        let gone = std::mem::take(&mut self.gone);
        for (path, entry) in &gone {
            let path: Vec<&[u8]> = path.split(|byte| *byte == b'/').collect();
            self.hide(entry, &path)?;
        }
        if self.root_is_opaque {
            self.hide_all_at_root()
                .map_err(Error::kernel("hide what is below in", "/"))?;
        }
        self.directories.finish()?;
        Ok(self.report)
    }

    fn hide(&mut self, entry: &Entry, path: &[&[u8]]) -> Result<()> {
        let Some((last, parents)) = path.split_last() else {
            return Ok(());
        };
        let name = OsStr::from_bytes(last);
        if let Some(parent) = self.directories.existing(entry, parents)?
            && let Some(stat) = tree::stat(parent.as_fd(), name).map_err(at(entry))?
        {
            // A whiteout speaks of the layers below only: what this layer has stays, and hides them.
            if tree::file_type(&stat) == FileType::Directory {
                let directory = tree::open_directory(parent.as_fd(), name).map_err(at(entry))?;
                hide::make_opaque(directory.as_fd()).map_err(at(entry))?;
            }
            return Ok(());
        }
        let visible = self.options.below.find(path).map_err(at(entry))?.is_some();
        if !visible || self.directories.is_hidden(parents).map_err(at(entry))? {
            return Ok(());
        }
        let parent = self.directories.parent(entry, parents)?;
        hide::hide(parent.as_fd(), name).map_err(at(entry))
    }

    fn hide_all_at_root(&self) -> dhow_sys::Result<()> {
        let root = self.directories.root();
        for name in self.options.below.root_names()? {
            match tree::stat(root, &name)? {
                None => hide::hide(root, &name)?,
                Some(stat) if tree::file_type(&stat) == FileType::Directory => {
                    hide::make_opaque(tree::open_directory(root, &name)?.as_fd())?;
                }
                Some(_) => {}
            }
        }
        Ok(())
    }
}

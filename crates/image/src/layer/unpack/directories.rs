//! The directories of a layer while it is unpacked: finding them beneath the root, making those that
//! the archive does not list, and giving all of them their mode and time at the end.

use super::{EEXIST, Options, at, refuse, time};
use crate::layer::{Ownership, hide};
use crate::tar::Entry;
use crate::{Error, Result};
use dhow_sys::tree::{self, Time};
use dhow_sys::{FileType, Result as SysResult, Stat};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::rc::Rc;

const ENOENT: i32 = 2;
const EXDEV: i32 = 18;
const ENOTDIR: i32 = 20;
const ELOOP: i32 = 40;

/// What a directory gets at the end.
#[derive(Debug)]
struct Finish {
    mode: u32,
    time: Option<Time>,
    /// Device and inode, so that nothing that took its name later gets it.
    identity: (u64, u64),
}

pub(super) struct Directories<'a> {
    root: Rc<OwnedFd>,
    options: &'a Options,
    /// By path in the archive's words, joined with slashes.
    finish: BTreeMap<Vec<u8>, Finish>,
    /// The directory of the entry before: entries of one directory mostly follow each other.
    last: Option<(Vec<u8>, Rc<OwnedFd>)>,
}

fn join(path: &[&[u8]]) -> Vec<u8> {
    path.join(&b'/')
}

fn identity(directory: BorrowedFd<'_>) -> SysResult<(u64, u64)> {
    let stat = dhow_sys::fd::stat(directory)?;
    Ok((stat.st_dev, stat.st_ino))
}

impl<'a> Directories<'a> {
    pub(super) fn new(root: OwnedFd, options: &'a Options) -> Self {
        Self {
            root: Rc::new(root),
            options,
            finish: BTreeMap::new(),
            last: None,
        }
    }

    pub(super) fn root(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    /// The directory that `path` leads to, made where it is missing.
    pub(super) fn parent(&mut self, entry: &Entry, path: &[&[u8]]) -> Result<Rc<OwnedFd>> {
        if let Some(directory) = self.existing(entry, path)? {
            return Ok(directory);
        }
        let mut here = Rc::clone(&self.root);
        for depth in 1..=path.len() {
            here = match self.existing(entry, &path[..depth])? {
                Some(directory) => directory,
                None => self.make_implied(entry, here.as_fd(), &path[..depth])?,
            };
        }
        self.last = Some((join(path), Rc::clone(&here)));
        Ok(here)
    }

    /// The directory that `path` leads to, or `None` when something on the way is missing (or hidden
    /// by a whiteout of this layer).
    pub(super) fn existing(
        &mut self,
        entry: &Entry,
        path: &[&[u8]],
    ) -> Result<Option<Rc<OwnedFd>>> {
        if path.is_empty() {
            return Ok(Some(Rc::clone(&self.root)));
        }
        let joined = join(path);
        if let Some((known, directory)) = &self.last
            && *known == joined
        {
            return Ok(Some(Rc::clone(directory)));
        }
        let shown = String::from_utf8_lossy(&joined).into_owned();
        match tree::directory_beneath(self.root(), OsStr::from_bytes(&joined)) {
            Ok(directory) => {
                let directory = Rc::new(directory);
                self.last = Some((joined, Rc::clone(&directory)));
                Ok(Some(directory))
            }
            Err(error) if matches!(error.code(), ENOENT | ENOTDIR) => Ok(None),
            Err(error) if error.code() == EXDEV => Err(refuse(
                entry,
                format!("the way to {shown:?} leads out of the layer through a symbolic link"),
            )),
            Err(error) if error.code() == ELOOP => Err(refuse(
                entry,
                format!("the way to {shown:?} is a loop of symbolic links"),
            )),
            Err(error) => Err(at(entry)(error)),
        }
    }

    /// Makes a directory that an entry needs and the archive did not list: as the layers below have
    /// it, or else plain.
    fn make_implied(
        &mut self,
        entry: &Entry,
        parent: BorrowedFd<'_>,
        path: &[&[u8]],
    ) -> Result<Rc<OwnedFd>> {
        let name = OsStr::from_bytes(path.last().copied().unwrap_or_default());
        tree::make_directory(parent, name, 0o700).map_err(|error| match error.code() {
            EEXIST => in_the_way(entry, parent, name, path),
            _ => at(entry)(error),
        })?;
        let directory = tree::open_directory(parent, name).map_err(at(entry))?;
        let mut mode = 0o755;
        let mut time = None;
        if let Some(stat) = self.below(path).map_err(at(entry))? {
            self.own_as(directory.as_fd(), &stat).map_err(at(entry))?;
            mode = stat.st_mode & 0o7777;
            time = Some(modified(&stat));
        }
        self.note(join(path), mode, time, directory.as_fd())
            .map_err(at(entry))?;
        Ok(Rc::new(directory))
    }

    fn below(&self, path: &[&[u8]]) -> SysResult<Option<Stat>> {
        let found = self.options.below.find(path)?;
        Ok(found
            .map(|found| found.stat)
            .filter(|stat| tree::file_type(stat) == FileType::Directory))
    }

    fn own_as(&self, directory: BorrowedFd<'_>, stat: &Stat) -> SysResult<()> {
        match self.options.ownership {
            Ownership::Keep => tree::set_owner_of(directory, stat.st_uid, stat.st_gid),
            Ownership::Squash => Ok(()),
        }
    }

    /// Whether a directory of this layer on the way hides everything below it.
    pub(super) fn is_hidden(&self, path: &[&[u8]]) -> SysResult<bool> {
        for depth in 1..=path.len() {
            match tree::directory_beneath(self.root(), OsStr::from_bytes(&join(&path[..depth]))) {
                Ok(directory) if hide::is_opaque(directory.as_fd())? => return Ok(true),
                Ok(_) => {}
                Err(error) if matches!(error.code(), ENOENT | ENOTDIR) => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    /// Remembers what the directory of an entry gets at the end.
    pub(super) fn remember(
        &mut self,
        entry: &Entry,
        path: &[&[u8]],
        mode: u32,
        directory: BorrowedFd<'_>,
    ) -> SysResult<()> {
        self.note(join(path), mode, Some(time(entry.time)), directory)
    }

    fn note(
        &mut self,
        path: Vec<u8>,
        mode: u32,
        time: Option<Time>,
        directory: BorrowedFd<'_>,
    ) -> SysResult<()> {
        let identity = identity(directory)?;
        self.finish.insert(
            path,
            Finish {
                mode,
                time,
                identity,
            },
        );
        Ok(())
    }

    /// Forgets a path that was removed, and all beneath it.
    pub(super) fn forget(&mut self, path: &[&[u8]]) {
        // Any remembered directory may have been reached through what is gone.
        self.last = None;
        let joined = join(path);
        let beneath = [joined.as_slice(), b"/"].concat();
        self.finish.remove(&joined);
        let gone: Vec<_> = self
            .finish
            .range(beneath.clone()..)
            .take_while(|(path, _)| path.starts_with(&beneath))
            .map(|(path, _)| path.clone())
            .collect();
        for path in gone {
            self.finish.remove(&path);
        }
    }

    /// Gives all directories their mode and time; the root gets those of the layer below when the
    /// archive does not mention it.
    pub(super) fn finish(mut self) -> Result<()> {
        let root_is_listed = self.finish.contains_key(&Vec::new());
        // Children sort after their parents, and a closed parent would lock them in.
        while let Some((path, finish)) = self.finish.pop_last() {
            self.finish_one(&path, &finish).map_err(Error::kernel(
                "finish the layer's directory",
                String::from_utf8_lossy(&path),
            ))?;
        }
        if root_is_listed {
            return Ok(());
        }
        self.finish_unlisted_root()
            .map_err(Error::kernel("finish the layer's directory", "/"))
    }

    fn finish_one(&self, path: &[u8], finish: &Finish) -> SysResult<()> {
        let way = if path.is_empty() { b"." } else { path };
        let opened = tree::directory_beneath(self.root(), OsStr::from_bytes(way))
            .and_then(|directory| tree::open_directory(directory.as_fd(), ".".as_ref()));
        let directory = match opened {
            // Replaced by a later entry, by way of a link.
            Err(error) if matches!(error.code(), ENOENT | ENOTDIR | EXDEV | ELOOP) => return Ok(()),
            result => result?,
        };
        if identity(directory.as_fd())? != finish.identity {
            return Ok(());
        }
        if let Some(time) = finish.time {
            tree::set_time_of(directory.as_fd(), time)?;
        }
        tree::set_mode_of(directory.as_fd(), finish.mode)
    }

    fn finish_unlisted_root(&self) -> SysResult<()> {
        let root = tree::open_directory(self.root(), ".".as_ref())?;
        let mut mode = 0o755;
        if let Some(below) = self.options.below.root() {
            let stat = dhow_sys::fd::stat(below)?;
            self.own_as(root.as_fd(), &stat)?;
            tree::set_time_of(root.as_fd(), modified(&stat))?;
            mode = stat.st_mode & 0o7777;
        }
        tree::set_mode_of(root.as_fd(), mode)
    }
}

/// Something that is no directory stands on the way to an entry.
fn in_the_way(entry: &Entry, parent: BorrowedFd<'_>, name: &OsStr, path: &[&[u8]]) -> Error {
    let what = match tree::stat(parent, name) {
        Ok(Some(stat)) if tree::file_type(&stat) == FileType::Symlink => {
            "a symbolic link that leads to no directory"
        }
        _ => "no directory",
    };
    let shown = String::from_utf8_lossy(&join(path)).into_owned();
    refuse(entry, format!("{shown:?} on the way to it is {what}"))
}

fn modified(stat: &Stat) -> Time {
    Time {
        seconds: stat.st_mtime,
        nanoseconds: u32::try_from(stat.st_mtime_nsec).unwrap_or(0),
    }
}

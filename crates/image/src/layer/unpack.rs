//! The one place that trusts no path: entries of a stranger's tar become files in one directory.
//!
//! Rules, each with a test in `tests/hostile.rs`:
//! - The directory an entry goes to is opened beneath the layer by the kernel (`openat2`,
//!   `RESOLVE_BENEATH`): links on the way are followed only while they stay inside, and an entry
//!   behind one that leaves is refused by name.
//! - The last component is never followed and never opened when it exists: what stands in the way is
//!   removed, then the entry is created exclusively.
//! - Owner, then attributes, then mode, then time: a change of owner clears capabilities and set-id
//!   bits, and a closed mode would refuse attributes.
//! - Modes and times of directories come last, children before parents, because adding a file
//!   changes the one and may be refused by the other.

mod contents;
mod directories;
mod links;
mod whiteouts;

use super::below::Below;
use super::hide;
use super::whiteout::{self, Marker};
use super::{Ownership, Report, name};
use crate::tar::{Entry, Kind, Moment, Reader};
use crate::{Error, Limits, Result};
use dhow_sys::tree::{self, Node, Time};
use dhow_sys::{FileType, xattr};
use directories::Directories;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

/// How a layer is unpacked.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) ownership: Ownership,
    pub(crate) limits: Limits,
    pub(crate) below: Below,
}

const EPERM: i32 = 1;
const EEXIST: i32 = 17;
const EINVAL: i32 = 22;
const E2BIG: i32 = 7;
const EOPNOTSUPP: i32 = 95;

/// Unpacks the tar that `stream` gives into the empty directory `target`.
///
/// # Errors
/// `InvalidInput`, naming the entry, for whatever is malformed or would leave the directory; Kernel
/// for a full disk and the like. What was unpacked by then stays for the caller to remove.
pub(crate) fn unpack(stream: impl Read, target: OwnedFd, options: &Options) -> Result<Report> {
    let mut unpacker = Unpacker {
        directories: Directories::new(target, options),
        options,
        report: Report::default(),
        logical_bytes: 0,
        root_is_opaque: false,
        gone: BTreeMap::new(),
        buffer: vec![0; 256 * 1024],
    };
    let mut reader = Reader::new(stream);
    while let Some(entry) = reader.next_entry()? {
        unpacker.count(&entry)?;
        unpacker.apply(&entry, &mut reader)?;
    }
    unpacker.finish()
}

struct Unpacker<'a> {
    directories: Directories<'a>,
    options: &'a Options,
    report: Report,
    /// Sizes of all files, holes included.
    logical_bytes: u64,
    root_is_opaque: bool,
    /// Paths that whiteouts name, with the entry of each.
    gone: BTreeMap<Vec<u8>, Entry>,
    buffer: Vec<u8>,
}

/// For `map_err`: the failed system call while unpacking an entry.
fn at(entry: &Entry) -> impl FnOnce(dhow_sys::Error) -> Error {
    Error::kernel("unpack the layer entry", entry.shown())
}

fn refuse(entry: &Entry, reason: impl Into<String>) -> Error {
    Error::entry(&entry.name, reason)
}

impl Unpacker<'_> {
    fn count(&mut self, entry: &Entry) -> Result<()> {
        let exceeded = |limit, unit| Error::TooLarge {
            what: format!("the layer at entry {:?}", entry.shown()),
            limit,
            unit,
        };
        self.report.entries += 1;
        if self.report.entries > self.options.limits.layer_entries {
            return Err(exceeded(self.options.limits.layer_entries, "entries"));
        }
        let size = entry
            .sparse
            .as_ref()
            .map_or(entry.size, |sparse| sparse.real_size);
        self.logical_bytes = self.logical_bytes.saturating_add(size);
        if self.logical_bytes > self.options.limits.layer_bytes {
            return Err(exceeded(self.options.limits.layer_bytes, "bytes"));
        }
        Ok(())
    }

    fn apply<R: Read>(&mut self, entry: &Entry, reader: &mut Reader<R>) -> Result<()> {
        let components = name::components(&entry.name).map_err(|reason| refuse(entry, reason))?;
        let Some((last, parents)) = components.split_last() else {
            return self.root(entry);
        };
        whiteout::check_parents(parents).map_err(|reason| refuse(entry, reason))?;
        match whiteout::marker(last).map_err(|reason| refuse(entry, reason))? {
            Marker::None => self.make(entry, parents, last, reader),
            Marker::Gone(name) => self.gone(entry, parents, name),
            Marker::Opaque => self.opaque(entry, parents),
            Marker::Aufs => {
                self.report.skip(&entry.name, "bookkeeping of aufs");
                Ok(())
            }
        }
    }

    /// An entry for the layer's root, which is a directory and stays one.
    fn root(&mut self, entry: &Entry) -> Result<()> {
        if entry.kind != Kind::Directory {
            return Err(refuse(
                entry,
                "it would replace the layer's root, which must be a directory",
            ));
        }
        let root = self.directories.parent(entry, &[])?;
        self.adorn_directory(entry, root.as_fd(), ".".as_ref())?;
        self.directories
            .remember(entry, &[], self.mode(entry), root.as_fd())
            .map_err(at(entry))
    }

    fn make<R: Read>(
        &mut self,
        entry: &Entry,
        parents: &[&[u8]],
        last: &[u8],
        reader: &mut Reader<R>,
    ) -> Result<()> {
        let path = [parents, &[last]].concat();
        let parent = self.directories.parent(entry, parents)?;
        let name = OsStr::from_bytes(last);
        let link = match entry.kind {
            Kind::HardLink => Some(self.link_target(entry, &path)?),
            _ => None,
        };
        let existing = tree::stat(parent.as_fd(), name).map_err(at(entry))?;
        if let (Some((_, _, target)), Some(existing)) = (&link, &existing)
            && (target.st_dev, target.st_ino) == (existing.st_dev, existing.st_ino)
        {
            return Ok(());
        }
        let merge = entry.kind == Kind::Directory
            && existing
                .as_ref()
                .is_some_and(|stat| tree::file_type(stat) == FileType::Directory);
        let replaced = existing.is_some() && !merge;
        if replaced {
            tree::remove_tree(parent.as_fd(), name).map_err(at(entry))?;
            self.directories.forget(&path);
        }
        match entry.kind {
            Kind::Directory => {
                if !merge {
                    tree::make_directory(parent.as_fd(), name, 0o700).map_err(at(entry))?;
                }
                let directory = tree::open_directory(parent.as_fd(), name).map_err(at(entry))?;
                if replaced && !self.options.below.is_empty() {
                    // A file or whiteout of this layer stood here and hid what is below.
                    hide::make_opaque(directory.as_fd()).map_err(at(entry))?;
                }
                self.adorn_directory(entry, directory.as_fd(), ".".as_ref())?;
                let mode = self.mode(entry);
                self.directories
                    .remember(entry, &path, mode, directory.as_fd())
                    .map_err(at(entry))
            }
            Kind::Regular => self.regular(entry, parent.as_fd(), name, reader),
            Kind::HardLink => match link {
                Some((directory, target, _)) => tree::make_hard_link(
                    directory.as_fd(),
                    OsStr::from_bytes(&target),
                    parent.as_fd(),
                    name,
                )
                .map_err(at(entry)),
                None => Ok(()),
            },
            Kind::Symlink => self.symlink(entry, parent.as_fd(), name),
            Kind::Character | Kind::Block | Kind::Fifo => self.node(entry, parent.as_fd(), name),
        }
    }

    fn regular<R: Read>(
        &mut self,
        entry: &Entry,
        parent: BorrowedFd<'_>,
        name: &OsStr,
        reader: &mut Reader<R>,
    ) -> Result<()> {
        let file = tree::create_file(parent, name, 0o600).map_err(at(entry))?;
        let file = std::fs::File::from(file);
        contents::write(&file, entry, reader, &mut self.buffer)?;
        self.own(entry, file.as_fd())?;
        self.attributes(entry, file.as_fd())?;
        tree::set_mode_of(file.as_fd(), self.mode(entry)).map_err(at(entry))?;
        tree::set_time_of(file.as_fd(), time(entry.time)).map_err(at(entry))
    }

    fn symlink(&mut self, entry: &Entry, parent: BorrowedFd<'_>, name: &OsStr) -> Result<()> {
        if entry.link.is_empty() {
            return Err(refuse(entry, "it is a symbolic link to nothing"));
        }
        tree::make_symlink(parent, name, OsStr::from_bytes(&entry.link)).map_err(at(entry))?;
        self.own_name(entry, parent, name)?;
        tree::set_time(parent, name, time(entry.time)).map_err(at(entry))
    }

    fn node(&mut self, entry: &Entry, parent: BorrowedFd<'_>, name: &OsStr) -> Result<()> {
        let (major, minor) = entry.device;
        let node = match entry.kind {
            Kind::Character if (major, minor) == (0, 0) => {
                return Err(refuse(
                    entry,
                    "it is a character device 0:0, which overlayfs takes for a whiteout",
                ));
            }
            Kind::Character => Node::Character(major, minor),
            Kind::Block => Node::Block(major, minor),
            _ => Node::Fifo,
        };
        match tree::make_node(parent, name, node, 0o600) {
            // Only the first user namespace makes devices; docker and podman leave them out too.
            Err(error) if error.code() == EPERM && node != Node::Fifo => {
                self.report.skip(&entry.name, "device nodes need root");
                return Ok(());
            }
            result => result.map_err(at(entry))?,
        }
        self.own_name(entry, parent, name)?;
        tree::set_mode(parent, name, self.mode(entry)).map_err(at(entry))?;
        tree::set_time(parent, name, time(entry.time)).map_err(at(entry))
    }

    fn adorn_directory(
        &mut self,
        entry: &Entry,
        directory: BorrowedFd<'_>,
        name: &OsStr,
    ) -> Result<()> {
        let directory = tree::open_directory(directory, name).map_err(at(entry))?;
        self.own(entry, directory.as_fd())?;
        self.attributes(entry, directory.as_fd())
    }

    /// The permission bits an entry gets.
    fn mode(&self, entry: &Entry) -> u32 {
        match self.options.ownership {
            Ownership::Keep => entry.mode,
            // The owner must be able to list, copy and remove what is there.
            Ownership::Squash if entry.kind == Kind::Directory => entry.mode & 0o1777 | 0o700,
            Ownership::Squash => entry.mode & 0o1777 | 0o400,
        }
    }

    fn own(&self, entry: &Entry, file: BorrowedFd<'_>) -> Result<()> {
        if self.options.ownership == Ownership::Squash {
            return Ok(());
        }
        tree::set_owner_of(file, entry.uid, entry.gid).map_err(|error| unowned(entry, error))
    }

    fn own_name(&self, entry: &Entry, parent: BorrowedFd<'_>, name: &OsStr) -> Result<()> {
        if self.options.ownership == Ownership::Squash {
            return Ok(());
        }
        tree::set_owner(parent, name, entry.uid, entry.gid).map_err(|error| unowned(entry, error))
    }

    /// Sets the attributes that an image may set: those of users, and file capabilities. Others (an
    /// overlay's own, a security label, an access list with ids of elsewhere) are left out.
    fn attributes(&mut self, entry: &Entry, file: BorrowedFd<'_>) -> Result<()> {
        for (name, value) in &entry.xattrs {
            let shown = String::from_utf8_lossy(name);
            let capability = name == b"security.capability";
            let user = name.starts_with(b"user.") && !name.starts_with(b"user.overlay.");
            if !(user || capability && self.options.ownership == Ownership::Keep) {
                self.report
                    .skip(&entry.name, format!("the attribute {shown:?}"));
                continue;
            }
            match xattr::set(file, OsStr::from_bytes(name), value) {
                Err(error) if matches!(error.code(), EPERM | EOPNOTSUPP) => {
                    self.report.skip(
                        &entry.name,
                        format!("the attribute {shown:?}, which the system refuses"),
                    );
                }
                Err(error) if matches!(error.code(), E2BIG | EINVAL) => {
                    return Err(refuse(
                        entry,
                        format!("its attribute {shown:?} is not valid"),
                    ));
                }
                result => result.map_err(at(entry))?,
            }
        }
        Ok(())
    }
}

fn unowned(entry: &Entry, error: dhow_sys::Error) -> Error {
    match error.code() {
        EINVAL => refuse(
            entry,
            format!(
                "its owner {}:{} has no place in this user namespace's id ranges",
                entry.uid, entry.gid
            ),
        ),
        _ => at(entry)(error),
    }
}

fn time(moment: Moment) -> Time {
    Time {
        seconds: moment.seconds,
        nanoseconds: moment.nanoseconds,
    }
}

impl Report {
    /// Notes that an entry was left out, and why.
    pub(crate) fn skip(&mut self, entry: &[u8], reason: impl Into<String>) {
        if self.skipped.len() < Self::SKIPPED_MAX {
            self.skipped.push(super::Skipped {
                entry: String::from_utf8_lossy(entry).into_owned(),
                reason: reason.into(),
            });
        }
    }
}

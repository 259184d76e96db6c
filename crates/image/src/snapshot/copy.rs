//! Roots by copying: one directory with all files of all layers, for hosts without overlayfs.
//!
//! Data is shared by reflinks where the filesystem can, and copied in the kernel where it cannot.

use super::{Root, RootOptions, Snapshotter};
use crate::layer::{Ownership, hide};
use crate::{Error, Result};
use dhow_sys::tree::{self, Node, Time};
use dhow_sys::{FileType, Result as SysResult, Stat, xattr};
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

const EPERM: i32 = 1;
const EOPNOTSUPP: i32 = 95;

#[derive(Debug)]
pub(super) struct Copy;

impl Snapshotter for Copy {
    fn name(&self) -> &'static str {
        "copy"
    }

    fn prepare(&self, place: &Path, layers: &[PathBuf], options: &RootOptions) -> Result<()> {
        let place_fd =
            dhow_sys::path::open_directory(place).map_err(Error::kernel("open", place))?;
        tree::make_directory(place_fd.as_fd(), "rootfs".as_ref(), 0o700)
            .map_err(Error::kernel("create", place))?;
        let open = || tree::open_directory(place_fd.as_fd(), "rootfs".as_ref());
        for layer in layers {
            let from = dhow_sys::path::open_directory(layer)
                .map_err(Error::kernel("open the layer", layer))?;
            let copying = Copying {
                from,
                to: open().map_err(Error::kernel("open", place))?,
                ownership: options.ownership,
                links: HashMap::new(),
                finish: Vec::new(),
            };
            copying
                .run()
                .map_err(Error::kernel("copy the layer", layer))?;
        }
        if let Some((uid, gid)) = options.owner {
            let root = open().map_err(Error::kernel("open", place))?;
            tree::set_owner_of(root.as_fd(), uid, gid)
                .map_err(Error::kernel("set the owner of", place))?;
        }
        Ok(())
    }

    fn root(&self, place: &Path, _layers: &[PathBuf], _options: &RootOptions) -> Result<Root> {
        Ok(Root::Directory(place.join("rootfs")))
    }
}

/// One layer being copied over what the layers below left.
struct Copying {
    from: OwnedFd,
    to: OwnedFd,
    ownership: Ownership,
    /// Files with several names: where their first copy went.
    links: HashMap<(u64, u64), (Vec<u8>, OsString)>,
    /// Directories and what they get at the end.
    finish: Vec<(Vec<u8>, Stat)>,
}

impl Copying {
    /// Walks by paths from the top, so that two descriptors suffice for any depth.
    fn run(mut self) -> SysResult<()> {
        let mut waiting = vec![Vec::new()];
        while let Some(path) = waiting.pop() {
            let from = open(&self.from, &path)?;
            let to = open(&self.to, &path)?;
            let stat = dhow_sys::fd::stat(from.as_fd())?;
            if self.ownership == Ownership::Keep {
                tree::set_owner_of(to.as_fd(), stat.st_uid, stat.st_gid)?;
            }
            // A lower layer may have closed the root.
            tree::set_mode_of(to.as_fd(), 0o700)?;
            copy_attributes(from.as_fd(), to.as_fd())?;
            self.finish.push((path.clone(), stat));
            for name in tree::names(from.as_fd())? {
                if self.entry(&path, from.as_fd(), to.as_fd(), &name)? {
                    let mut below = path.clone();
                    if !below.is_empty() {
                        below.push(b'/');
                    }
                    below.extend_from_slice(name.as_bytes());
                    waiting.push(below);
                }
            }
        }
        // Children first: a closed parent would lock them in.
        self.finish.sort_by(|(one, _), (other, _)| other.cmp(one));
        for (path, stat) in &self.finish {
            let directory = open(&self.to, path)?;
            tree::set_time_of(directory.as_fd(), modified(stat))?;
            tree::set_mode_of(directory.as_fd(), stat.st_mode & 0o7777)?;
        }
        Ok(())
    }

    /// Copies one name; true for a directory, whose content is still to come.
    fn entry(
        &mut self,
        path: &[u8],
        from: BorrowedFd<'_>,
        to: BorrowedFd<'_>,
        name: &OsStr,
    ) -> SysResult<bool> {
        let Some(stat) = tree::stat(from, name)? else {
            return Ok(false);
        };
        let whiteout = hide::is_whiteout(from, name, &stat)?;
        let directory = tree::file_type(&stat) == FileType::Directory;
        let existing = tree::stat(to, name)?;
        let merges = directory
            && existing
                .as_ref()
                .is_some_and(|there| tree::file_type(there) == FileType::Directory)
            && !hide::is_opaque(tree::open_directory(from, name)?.as_fd())?;
        if existing.is_some() && !merges {
            tree::remove_tree(to, name)?;
        }
        if whiteout {
            return Ok(false);
        }
        if directory {
            if merges {
                // A lower layer may have closed it.
                tree::set_mode(to, name, 0o700)?;
            } else {
                tree::make_directory(to, name, 0o700)?;
            }
            return Ok(true);
        }
        if stat.st_nlink > 1 {
            if let Some((first_path, first_name)) = self.links.get(&(stat.st_dev, stat.st_ino)) {
                let first = open(&self.to, first_path)?;
                tree::make_hard_link(first.as_fd(), first_name, to, name)?;
                return Ok(false);
            }
            self.links
                .insert((stat.st_dev, stat.st_ino), (path.to_vec(), name.to_owned()));
        }
        self.file(from, to, name, &stat)?;
        Ok(false)
    }

    fn file(
        &self,
        from: BorrowedFd<'_>,
        to: BorrowedFd<'_>,
        name: &OsStr,
        stat: &Stat,
    ) -> SysResult<()> {
        let keep = self.ownership == Ownership::Keep;
        let mode = stat.st_mode & 0o7777;
        let (major, minor) = tree::device_numbers(stat);
        let node = match tree::file_type(stat) {
            FileType::RegularFile => {
                let source = File::from(tree::open_file(from, name)?);
                let copy = File::from(tree::create_file(to, name, 0o600)?);
                copy_contents(&source, &copy)?;
                if keep {
                    tree::set_owner_of(copy.as_fd(), stat.st_uid, stat.st_gid)?;
                }
                copy_attributes(source.as_fd(), copy.as_fd())?;
                tree::set_mode_of(copy.as_fd(), mode)?;
                return tree::set_time_of(copy.as_fd(), modified(stat));
            }
            FileType::Symlink => {
                tree::make_symlink(to, name, &tree::read_link(from, name)?)?;
                if keep {
                    tree::set_owner(to, name, stat.st_uid, stat.st_gid)?;
                }
                return tree::set_time(to, name, modified(stat));
            }
            FileType::CharacterDevice => Node::Character(major, minor),
            FileType::BlockDevice => Node::Block(major, minor),
            FileType::Fifo => Node::Fifo,
            // A socket is nothing without the process that made it.
            _ => return Ok(()),
        };
        match tree::make_node(to, name, node, 0o600) {
            Err(error) if error.code() == EPERM => return Ok(()),
            result => result?,
        }
        if keep {
            tree::set_owner(to, name, stat.st_uid, stat.st_gid)?;
        }
        tree::set_mode(to, name, mode)?;
        tree::set_time(to, name, modified(stat))
    }
}

fn open(root: &OwnedFd, path: &[u8]) -> SysResult<OwnedFd> {
    if path.is_empty() {
        return tree::open_directory(root.as_fd(), ".".as_ref());
    }
    let directory = tree::directory_beneath(root.as_fd(), OsStr::from_bytes(path))?;
    tree::open_directory(directory.as_fd(), ".".as_ref())
}

fn modified(stat: &Stat) -> Time {
    Time {
        seconds: stat.st_mtime,
        nanoseconds: u32::try_from(stat.st_mtime_nsec).unwrap_or(0),
    }
}

/// Copies all attributes but overlayfs's own.
fn copy_attributes(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> SysResult<()> {
    for name in xattr::list(from)? {
        let bytes = name.as_bytes();
        if bytes.starts_with(b"user.overlay.") || bytes.starts_with(b"trusted.overlay.") {
            continue;
        }
        let Some(value) = xattr::get(from, &name)? else {
            continue;
        };
        match xattr::set(to, &name, &value) {
            // What this filesystem or user cannot set could not have been promised either.
            Err(error) if matches!(error.code(), EPERM | EOPNOTSUPP) => {}
            result => result?,
        }
    }
    Ok(())
}

/// Makes the new file `to` equal to `from`: shared where possible, holes kept.
pub(crate) fn copy_contents(from: &File, to: &File) -> SysResult<()> {
    if tree::reflink(from.as_fd(), to.as_fd())? {
        return Ok(());
    }
    let stat = dhow_sys::fd::stat(from.as_fd())?;
    let holes = stat.st_blocks.saturating_mul(512) < stat.st_size;
    let copied = if holes {
        copy_sparse(from, to)
    } else {
        // `std` asks copy_file_range(2) first.
        std::io::copy(&mut &*from, &mut &*to).map(drop)
    };
    copied.map_err(|error| {
        dhow_sys::Error::new("copy_file_range", "", error.raw_os_error().unwrap_or(5))
    })
}

fn copy_sparse(mut from: &File, mut to: &File) -> std::io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    let mut size = 0_u64;
    loop {
        let count = from.read(&mut buffer)?;
        if count == 0 {
            return to.set_len(size);
        }
        size += count as u64;
        if buffer[..count].iter().all(|byte| *byte == 0) {
            to.seek(SeekFrom::Start(size))?;
        } else {
            to.write_all(&buffer[..count])?;
        }
    }
}

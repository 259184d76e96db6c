//! A regular file's bytes: from the archive, or copied up from a layer below.

use crate::layer::Ownership;
use crate::layer::below::Found;
use crate::tar::{Entry, Reader};
use crate::{Error, Result};
use dhow_sys::tree::{self, Time};
use dhow_sys::xattr;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, BorrowedFd};

/// Writes the stored bytes of an entry into a new file, leaving the holes of a sparse one.
pub(super) fn write<R: Read>(
    mut file: &File,
    entry: &Entry,
    reader: &mut Reader<R>,
    buffer: &mut [u8],
) -> Result<()> {
    let failed = |source| Error::Io {
        doing: format!("write the layer entry {:?}", entry.shown()),
        source,
    };
    let Some(sparse) = &entry.sparse else {
        return copy(file, entry.size, entry, reader, buffer);
    };
    for (offset, length) in &sparse.regions {
        file.seek(SeekFrom::Start(*offset)).map_err(failed)?;
        copy(file, *length, entry, reader, buffer)?;
    }
    file.set_len(sparse.real_size).map_err(failed)
}

fn copy<R: Read>(
    mut file: &File,
    mut left: u64,
    entry: &Entry,
    reader: &mut Reader<R>,
    buffer: &mut [u8],
) -> Result<()> {
    while left > 0 {
        let wanted = usize::try_from(left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let count = match reader.read(&mut buffer[..wanted]) {
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(reader.failed(error)),
        };
        file.write_all(&buffer[..count])
            .map_err(|source| Error::Io {
                doing: format!("write the layer entry {:?}", entry.shown()),
                source,
            })?;
        left -= count as u64;
    }
    Ok(())
}

/// Copies a file of a layer below into this one, with all that belongs to it, so that it can be linked.
pub(super) fn copy_up(
    found: &Found,
    directory: BorrowedFd<'_>,
    name: &OsStr,
    ownership: Ownership,
) -> dhow_sys::Result<()> {
    let from = File::from(tree::open_file(found.directory.as_fd(), name)?);
    let to = File::from(tree::create_file(directory, name, 0o600)?);
    crate::snapshot::copy_contents(&from, &to)?;
    let stat = &found.stat;
    if ownership == Ownership::Keep {
        tree::set_owner_of(to.as_fd(), stat.st_uid, stat.st_gid)?;
    }
    for attribute in xattr::list(from.as_fd())? {
        if let Some(value) = xattr::get(from.as_fd(), &attribute)? {
            xattr::set(to.as_fd(), &attribute, &value)?;
        }
    }
    tree::set_mode_of(to.as_fd(), stat.st_mode & 0o7777)?;
    let time = Time {
        seconds: stat.st_mtime,
        nanoseconds: u32::try_from(stat.st_mtime_nsec).unwrap_or(0),
    };
    tree::set_time_of(to.as_fd(), time)
}

//! `tmpcopyup`: what a directory held before a tmpfs covers it, copied into the tmpfs.

use dhow_sys::{FileType, Stat, tree};
use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};

/// No real directory tree is deeper.
const DEEPEST: usize = 128;

/// Copies directories, files and links with owner and mode; other kinds of files are left out.
///
/// # Errors
/// The call, with the file's name.
pub fn directory(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> dhow_sys::Result<()> {
    copy(from, to, DEEPEST)
}

fn copy(from: BorrowedFd<'_>, to: BorrowedFd<'_>, depth: usize) -> dhow_sys::Result<()> {
    if depth == 0 {
        return Err(dhow_sys::Error::new(
            "openat2",
            "a tree deeper than 128 directories",
            40,
        ));
    }
    let listed = tree::open_directory(from, OsStr::new("."))?;
    for name in tree::names(listed.as_fd())? {
        if let Some(stat) = tree::stat(from, &name)? {
            entry(from, to, &name, &stat, depth)?;
        }
    }
    Ok(())
}

fn entry(
    from: BorrowedFd<'_>,
    to: BorrowedFd<'_>,
    name: &OsStr,
    stat: &Stat,
    depth: usize,
) -> dhow_sys::Result<()> {
    let mode = stat.st_mode & 0o7777;
    match tree::file_type(stat) {
        FileType::Directory => {
            tree::make_directory(to, name, mode)?;
            let inner = (
                tree::open_directory(from, name)?,
                tree::open_directory(to, name)?,
            );
            copy(inner.0.as_fd(), inner.1.as_fd(), depth - 1)?;
        }
        FileType::RegularFile => {
            let mut source = File::from(tree::open_file(from, name)?);
            let mut target = File::from(tree::create_file(to, name, mode)?);
            std::io::copy(&mut source, &mut target).map_err(|error| {
                dhow_sys::Error::new(
                    "write",
                    format!("{name:?}"),
                    error.raw_os_error().unwrap_or(0),
                )
            })?;
        }
        FileType::Symlink => tree::make_symlink(to, name, &tree::read_link(from, name)?)?,
        _ => return Ok(()),
    }
    tree::set_owner(to, name, stat.st_uid, stat.st_gid)?;
    if tree::file_type(stat) == FileType::Symlink {
        Ok(())
    } else {
        tree::set_mode(to, name, mode)
    }
}

//! Small files of our own, by open directory and name: logs, locks, and documents that are replaced
//! as a whole.

use super::raw::check;
use super::{Mode, OFlags, tree};
use crate::Result;
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::ffi::OsStr;

fn open(dir: BorrowedFd<'_>, name: &OsStr, flags: OFlags, mode: u32) -> Result<OwnedFd> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    check(
        "openat",
        rustix::fs::openat(dir, name, flags, Mode::from_raw_mode(mode)),
        || format!("{}, {name:?}, {flags:?}, 0{mode:o}", dir.as_raw_fd()),
    )
}

/// Opens the file `name` for appending, making it when it is missing.
///
/// # Errors
/// `openat`: ELOOP when it is a symbolic link, ENOSPC, EROFS.
pub fn append(dir: BorrowedFd<'_>, name: &OsStr, mode: u32) -> Result<OwnedFd> {
    open(
        dir,
        name,
        OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE,
        mode,
    )
}

/// Opens the file `name` to lock it, making it when it is missing.
///
/// # Errors
/// `openat`: ELOOP when it is a symbolic link, ENOSPC, EROFS.
pub fn lockable(dir: BorrowedFd<'_>, name: &OsStr) -> Result<OwnedFd> {
    open(dir, name, OFlags::RDWR | OFlags::CREATE, 0o600)
}

/// Replaces the file `name` by one with this content: readers see the old or the new one, whole.
/// With `durable` it also survives a power cut once this returns.
///
/// The content goes to the name with `.new` added first; callers hold a lock that keeps others from
/// replacing the same file at the same time.
///
/// # Errors
/// `openat`, `write`, `fdatasync`, `renameat`, `fsync`: ENOSPC, EIO, EROFS.
pub fn replace(
    dir: BorrowedFd<'_>,
    name: &OsStr,
    content: &[u8],
    mode: u32,
    durable: bool,
) -> Result<()> {
    let mut fresh = name.to_owned();
    fresh.push(".new");
    // What a killed writer left is written over.
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC;
    let file = open(dir, &fresh, flags, mode)?;
    super::stream::write_all(file.as_fd(), content)?;
    if durable {
        check("fdatasync", rustix::fs::fdatasync(&file), || {
            format!("{fresh:?}")
        })?;
    }
    tree::rename(dir, &fresh, dir, name)?;
    if durable {
        // O_PATH descriptors cannot be synced.
        let directory = super::path::reopen(dir, OFlags::RDONLY | OFlags::DIRECTORY)?;
        check("fsync", rustix::fs::fsync(&directory), || {
            dir.as_raw_fd().to_string()
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaced_and_appended() {
        let path = std::env::temp_dir().join(format!("dhow-file-{}", std::process::id()));
        std::fs::create_dir(&path).expect("directory");
        let dir = crate::path::open_directory(&path).expect("open");
        let (dir, name) = (dir.as_fd(), OsStr::new("x"));
        replace(dir, name, b"one", 0o600, false).expect("first");
        replace(dir, name, b"2", 0o600, true).expect("second");
        let file = append(dir, name, 0o600).expect("append");
        super::super::stream::write_all(file.as_fd(), b"34").expect("write");
        assert_eq!(std::fs::read(path.join("x")).expect("read"), b"234");
        std::os::unix::fs::symlink("x", path.join("link")).expect("link");
        let error = append(dir, OsStr::new("link"), 0o600).expect_err("a link");
        assert_eq!(error.code(), libc::ELOOP);
        std::fs::remove_dir_all(&path).expect("clean up");
    }
}

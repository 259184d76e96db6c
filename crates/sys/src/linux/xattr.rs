//! Extended attributes of open files (`xattr(7)`).
//!
//! Only by descriptor: a path could be swapped for a link between the check and the call, and links
//! carry none of the attributes that images may set.

use super::raw::check;
use crate::Result;
use rustix::fd::{AsRawFd, BorrowedFd};
use rustix::fs::XattrFlags;
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

/// The largest value the kernel accepts, in bytes (`XATTR_SIZE_MAX`).
pub const VALUE_MAX: usize = 64 * 1024;

/// Sets an attribute, replacing an earlier value.
///
/// # Errors
/// `fsetxattr`: EPERM, EOPNOTSUPP where the filesystem has none of this kind, E2BIG, ENOSPC.
pub fn set(fd: BorrowedFd<'_>, name: &OsStr, value: &[u8]) -> Result<()> {
    check(
        "fsetxattr",
        rustix::fs::fsetxattr(fd, name, value, XattrFlags::empty()),
        || format!("{}, {name:?}, {} bytes", fd.as_raw_fd(), value.len()),
    )
}

/// The value of an attribute, `None` when it is not set or not supported here.
///
/// # Errors
/// `fgetxattr`.
pub fn get(fd: BorrowedFd<'_>, name: &OsStr) -> Result<Option<Vec<u8>>> {
    let mut value = vec![0; 256];
    loop {
        match rustix::fs::fgetxattr(fd, name, &mut value[..]) {
            Ok(length) => {
                value.truncate(length);
                return Ok(Some(value));
            }
            Err(Errno::NODATA | Errno::OPNOTSUPP) => return Ok(None),
            Err(Errno::RANGE) if value.len() < VALUE_MAX => value.resize(VALUE_MAX, 0),
            Err(errno) => {
                return check("fgetxattr", Err(errno), || {
                    format!("{}, {name:?}", fd.as_raw_fd())
                });
            }
        }
    }
}

/// The names of all attributes that the caller may see; empty where there are none.
///
/// # Errors
/// `flistxattr`.
pub fn list(fd: BorrowedFd<'_>) -> Result<Vec<OsString>> {
    let mut names = vec![0; 1024];
    loop {
        match rustix::fs::flistxattr(fd, &mut names[..]) {
            Ok(length) => {
                names.truncate(length);
                break;
            }
            Err(Errno::OPNOTSUPP) => return Ok(Vec::new()),
            Err(Errno::RANGE) if names.len() < VALUE_MAX => names.resize(VALUE_MAX, 0),
            Err(errno) => return check("flistxattr", Err(errno), || fd.as_raw_fd().to_string()),
        }
    }
    Ok(names
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty())
        .map(|name| OsStr::from_bytes(name).to_owned())
        .collect())
}

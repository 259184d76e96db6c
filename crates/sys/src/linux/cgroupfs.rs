//! What cgroupfs offers beyond plain files: announcements of change, and groups as directories.

use super::raw::check;
use crate::Result;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::fd::{AsRawFd, BorrowedFd, OwnedFd};
use rustix::fs::{Dir, FileType};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::time::{Duration, Instant};

/// `CGROUP_SUPER_MAGIC`: a hierarchy of cgroup v1.
pub const MAGIC_V1: u64 = 0x0027_e0eb;
/// `CGROUP2_SUPER_MAGIC`: the hierarchy of cgroup v2.
pub const MAGIC_V2: u64 = 0x6367_7270;

/// Waits until a file that has been read announces a change (`POLLPRI`), at most `timeout`
/// milliseconds; `false` when that time has passed.
///
/// # Errors
/// `poll`; EINTR is retried.
pub fn changed(fd: BorrowedFd<'_>, timeout: u64) -> Result<bool> {
    let deadline = Instant::now() + Duration::from_millis(timeout);
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(left.subsec_nanos()),
        };
        let mut polled = [PollFd::from_borrowed_fd(fd, PollFlags::PRI)];
        match poll(&mut polled, Some(&left)) {
            Ok(count) => return Ok(count > 0),
            Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return check("poll", Err(errno), || format!("{}, PRI", fd.as_raw_fd())),
        }
    }
}

/// Has the kernel announce events of a control file of cgroup v1 (`cgroup.event_control`); returns the
/// `eventfd(2)` that becomes readable with each.
///
/// # Errors
/// `eventfd2`; `write`: EINVAL for a file that has no events, ENOENT when the group is gone.
pub fn announce(register: BorrowedFd<'_>, file: BorrowedFd<'_>) -> Result<OwnedFd> {
    let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
    let announced = check("eventfd2", eventfd(0, flags), || format!("0, {flags:?}"))?;
    let text = format!("{} {}", announced.as_raw_fd(), file.as_raw_fd());
    super::fd::write_once(register, text.as_bytes())?;
    Ok(announced)
}

/// Whether anything was announced since the last call.
///
/// # Errors
/// `read`, other than EAGAIN.
pub fn take_announcement(announced: BorrowedFd<'_>) -> Result<bool> {
    let mut count = [0; 8];
    Ok(super::stream::read(announced, &mut count)?.is_some())
}

/// Creates a group: the directory `path` beneath an open one.
///
/// # Errors
/// `mkdirat`: EEXIST, ENOENT when the parent is missing, EACCES, EROFS, EAGAIN at a limit of the parent.
pub fn make_group(directory: BorrowedFd<'_>, path: &str) -> Result<()> {
    let result = rustix::fs::mkdirat(directory, path, super::Mode::from_raw_mode(0o755));
    check("mkdirat", result, || {
        format!("{}, {path:?}", directory.as_raw_fd())
    })
}

/// Removes a group that has neither processes nor children.
///
/// # Errors
/// `unlinkat`: ENOENT, EBUSY while it is in use, EACCES, EROFS.
pub fn remove_group(directory: BorrowedFd<'_>, path: &str) -> Result<()> {
    let result = rustix::fs::unlinkat(directory, path, super::AtFlags::REMOVEDIR);
    check("unlinkat", result, || {
        format!("{}, {path:?}, REMOVEDIR", directory.as_raw_fd())
    })
}

/// The groups directly below an open (readable) directory, in no order.
///
/// # Errors
/// `getdents64`.
pub fn children(directory: BorrowedFd<'_>) -> Result<Vec<OsString>> {
    let shown = || directory.as_raw_fd().to_string();
    let mut found = Vec::new();
    for entry in check("getdents64", Dir::read_from(directory), shown)? {
        let entry = check("getdents64", entry, shown)?;
        let name = entry.file_name().to_bytes();
        if entry.file_type() == FileType::Directory && name != b"." && name != b".." {
            found.push(OsString::from_vec(name.to_vec()));
        }
    }
    Ok(found)
}

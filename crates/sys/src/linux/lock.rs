//! Advisory locks that die with their holder.

use super::raw::check;
use crate::Result;
use rustix::fd::{AsRawFd, BorrowedFd};
use rustix::fs::FlockOperation;

/// Takes the exclusive lock on an open file, waiting for it (`flock(2)`); released when the last
/// copy of the descriptor closes, so a killed holder leaves no stale lock.
///
/// # Errors
/// `flock`.
pub fn exclusive(fd: BorrowedFd<'_>) -> Result<()> {
    let result = rustix::io::retry_on_intr(|| rustix::fs::flock(fd, FlockOperation::LockExclusive));
    check("flock", result, || format!("{}, LOCK_EX", fd.as_raw_fd()))
}

/// Gives a lock back before the descriptor closes.
///
/// # Errors
/// `flock`.
pub fn release(fd: BorrowedFd<'_>) -> Result<()> {
    let result = rustix::fs::flock(fd, FlockOperation::Unlock);
    check("flock", result, || format!("{}, LOCK_UN", fd.as_raw_fd()))
}

/// Takes a shared lock, waiting for it.
///
/// # Errors
/// `flock`.
pub fn shared(fd: BorrowedFd<'_>) -> Result<()> {
    let result = rustix::io::retry_on_intr(|| rustix::fs::flock(fd, FlockOperation::LockShared));
    check("flock", result, || format!("{}, LOCK_SH", fd.as_raw_fd()))
}

/// Takes the exclusive lock if it is free; false when somebody holds it.
///
/// # Errors
/// `flock`, other than EWOULDBLOCK.
pub fn try_exclusive(fd: BorrowedFd<'_>) -> Result<bool> {
    match rustix::fs::flock(fd, FlockOperation::NonBlockingLockExclusive) {
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
        result => check("flock", result, || {
            format!("{}, LOCK_EX|LOCK_NB", fd.as_raw_fd())
        })
        .map(|()| true),
    }
}

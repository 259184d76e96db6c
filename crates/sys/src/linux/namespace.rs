//! Joining and leaving namespaces.

use super::raw::{check, check_raw, syscall};
use crate::Result;
use rustix::fd::{AsRawFd, BorrowedFd, OwnedFd};

/// `CLONE_NEWTIME`
pub const TIME: u64 = 0x0000_0080;
/// `CLONE_NEWNS`
pub const MOUNT: u64 = 0x0002_0000;
/// `CLONE_NEWCGROUP`
pub const CGROUP: u64 = 0x0200_0000;
/// `CLONE_NEWUTS`
pub const UTS: u64 = 0x0400_0000;
/// `CLONE_NEWIPC`
pub const IPC: u64 = 0x0800_0000;
/// `CLONE_NEWUSER`
pub const USER: u64 = 0x1000_0000;
/// `CLONE_NEWPID`
pub const PID: u64 = 0x2000_0000;
/// `CLONE_NEWNET`
pub const NETWORK: u64 = 0x4000_0000;

/// Moves the calling thread into new namespaces (`unshare(2)`).
///
/// # Errors
/// `unshare`: EPERM, ENOSPC when the limit of namespaces is reached, EINVAL when the kernel lacks one.
pub fn unshare(flags: u64) -> Result<()> {
    let bits = usize::try_from(flags).unwrap_or(0);
    // SAFETY: the call takes no pointers, and none of the flags above separates memory or descriptors.
    // NEED: rustix marks the whole call unsafe for the sake of CLONE_FILES.
    let result = unsafe { syscall(libc::SYS_unshare, [bits, 0, 0, 0, 0, 0]) };
    check_raw("unshare", result, || format!("{flags:#x}")).map(drop)
}

/// Moves the calling thread into one namespace (an open `/proc/PID/ns/*`, with `kind` one of the
/// constants above) or into several of a process at once (a pidfd, Linux 5.8, with their union).
///
/// # Errors
/// `setns`: EPERM, EINVAL when the descriptor is of another kind, ESRCH when the process has ended.
pub fn join(fd: BorrowedFd<'_>, kind: u64) -> Result<()> {
    let number = usize::try_from(fd.as_raw_fd()).unwrap_or(usize::MAX);
    let bits = usize::try_from(kind).unwrap_or(0);
    // SAFETY: the call takes no pointers.
    // NEED: one call for both kinds of descriptor.
    let result = unsafe { syscall(libc::SYS_setns, [number, bits, 0, 0, 0, 0]) };
    check_raw("setns", result, || format!("{number}, {kind:#x}")).map(drop)
}

/// Opens a namespace file by host path, as the caller of the runtime names it.
///
/// # Errors
/// `open`.
pub fn open(path: &std::path::Path) -> Result<OwnedFd> {
    let flags = super::OFlags::RDONLY | super::OFlags::CLOEXEC;
    check(
        "open",
        rustix::fs::open(path, flags, super::Mode::empty()),
        || format!("{}", path.display()),
    )
}

/// The kind of an open namespace file (`NS_GET_NSTYPE`), one of the constants above.
///
/// # Errors
/// `ioctl`: ENOTTY when the file is no namespace.
pub fn kind(fd: BorrowedFd<'_>) -> Result<u64> {
    const NS_GET_NSTYPE: usize = 0xb703;
    let number = usize::try_from(fd.as_raw_fd()).unwrap_or(usize::MAX);
    // SAFETY: this request takes no argument.
    // NEED: rustix has no NS_GET_NSTYPE.
    let result = unsafe { syscall(libc::SYS_ioctl, [number, NS_GET_NSTYPE, 0, 0, 0, 0]) };
    check_raw("ioctl", result, || format!("{number}, NS_GET_NSTYPE")).map(|value| value as u64)
}

/// Whether this process is in the user namespace that the kernel began with, whose inode number is
/// fixed (`USER_NS_INIT_INO` of `linux/nsfs.h`).
#[must_use]
pub fn is_initial_user() -> bool {
    const INITIAL: u64 = 0xefff_fffd;
    rustix::fs::stat("/proc/self/ns/user").is_ok_and(|stat| stat.st_ino == INITIAL)
}

/// Sets the host name of this UTS namespace.
///
/// # Errors
/// `sethostname`: EINVAL over 64 bytes, EPERM.
pub fn set_hostname(name: &str) -> Result<()> {
    check(
        "sethostname",
        rustix::system::sethostname(name.as_bytes()),
        || format!("{name:?}"),
    )
}

/// Sets the NIS domain name of this UTS namespace.
///
/// # Errors
/// `setdomainname`: EINVAL over 64 bytes, EPERM.
pub fn set_domainname(name: &str) -> Result<()> {
    check(
        "setdomainname",
        rustix::system::setdomainname(name.as_bytes()),
        || format!("{name:?}"),
    )
}

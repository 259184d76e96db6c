//! Keeping our own binary out of a container's reach.
//!
//! A process of the container can reach the file behind `/proc/PID/exe` of the process that is
//! about to become it, and write to it once nobody executes it any more (CVE-2019-5736). So a
//! process that will enter a container runs from a copy that cannot be written: an overlay of the
//! binary's directory that is read-only and attached nowhere (no bytes are copied, the page cache is
//! shared), else a sealed memory file.

use super::raw::check;
use super::{Mode, OFlags, mount, process};
use crate::{Error, Result};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use rustix::fs::{MemfdFlags, SealFlags, StatVfsMountFlags};
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Makes sure that this process runs from a file that no container can write, executing itself
/// anew from one when needed; call it before anything else.
///
/// Nothing is done when the file is safe as it is: on a read-only mount, sealed, or neither owned
/// by this user nor writable for it.
///
/// # Errors
/// The call that failed when no protected copy could be made.
pub fn protect() -> Result<()> {
    let own = check(
        "open",
        rustix::fs::open(
            "/proc/self/exe",
            OFlags::RDONLY | OFlags::CLOEXEC,
            Mode::empty(),
        ),
        || "/proc/self/exe".into(),
    )?;
    if is_safe(own.as_fd())? {
        return Ok(());
    }
    let copy = read_only_overlay().or_else(|_| sealed_memory(own.as_fd()))?;
    let arguments = c_strings(std::env::args_os().map(|s| s.as_bytes().to_vec()))?;
    let environment = c_strings(
        std::env::vars_os().map(|(key, value)| [key.as_bytes(), b"=", value.as_bytes()].concat()),
    )?;
    Err(process::exec_fd(copy.as_fd(), &arguments, &environment))
}

fn c_strings(strings: impl Iterator<Item = Vec<u8>>) -> Result<Vec<CString>> {
    strings
        .map(|s| {
            CString::new(s)
                .map_err(|_| Error::new("execveat", "a NUL byte in the arguments", libc::EINVAL))
        })
        .collect()
}

fn is_safe(own: BorrowedFd<'_>) -> Result<bool> {
    let shown = || format!("{}", own.as_raw_fd());
    let mounted = check("fstatvfs", rustix::fs::fstatvfs(own), shown)?;
    if mounted.f_flag.contains(StatVfsMountFlags::RDONLY) {
        return Ok(true);
    }
    if rustix::fs::fcntl_get_seals(own).is_ok_and(|seals| seals.contains(SealFlags::WRITE)) {
        return Ok(true);
    }
    let owner = super::fd::stat(own)?.st_uid;
    let writable = super::fd::may(own, super::fd::Access::Write)?;
    Ok(!writable && owner != super::id::effective_user())
}

/// Opens this binary through a read-only overlay mount that only we hold.
fn read_only_overlay() -> Result<OwnedFd> {
    let link = check(
        "readlink",
        rustix::fs::readlink("/proc/self/exe", Vec::new()),
        || "/proc/self/exe".into(),
    )?;
    let path = PathBuf::from(std::ffi::OsStr::from_bytes(link.as_bytes()));
    let (directory, name) = path
        .parent()
        .zip(path.file_name())
        .ok_or_else(|| Error::new("readlink", "/proc/self/exe", libc::EINVAL))?;
    let overlay = mount::Filesystem::open("overlay")?;
    // Without an upper layer the kernel wants two lower ones.
    let lower = directory
        .to_str()
        .filter(|text| !text.contains([':', '\\', ',']))
        .ok_or_else(|| Error::new("fsconfig", "overlay, lowerdir", libc::EINVAL))?;
    let second = if lower.starts_with("/etc") {
        "/usr"
    } else {
        "/etc"
    };
    overlay.set("lowerdir", &format!("{lower}:{second}"))?;
    let mounted = overlay.mount(mount::RDONLY | mount::NODEV | mount::NOSUID)?;
    super::path::open_beneath(
        mounted.as_fd(),
        Path::new(name),
        OFlags::RDONLY,
        Mode::empty(),
    )
}

/// Copies this binary into a memory file and seals it.
fn sealed_memory(own: BorrowedFd<'_>) -> Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let exec = MemfdFlags::from_bits_retain(0x10);
    let name = c"dhow-runtime";
    let copy = rustix::fs::memfd_create(name, flags | exec)
        .or_else(|_| rustix::fs::memfd_create(name, flags));
    let copy = check("memfd_create", copy, || "CLOEXEC|ALLOW_SEALING".into())?;
    let mut left = usize::try_from(super::fd::stat(own)?.st_size).unwrap_or(0);
    while left > 0 {
        match check(
            "sendfile",
            rustix::fs::sendfile(&copy, own, None, left),
            || format!("{left} bytes"),
        )? {
            0 => {
                return Err(Error::new(
                    "sendfile",
                    format!("{left} bytes missing"),
                    libc::EIO,
                ));
            }
            count => left -= count,
        }
    }
    let seals = SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
    check("fcntl", rustix::fs::fcntl_add_seals(&copy, seals), || {
        format!("F_ADD_SEALS, {seals:?}")
    })?;
    Ok(copy)
}

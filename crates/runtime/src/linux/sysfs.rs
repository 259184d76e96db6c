//! The host's cgroups below a bound `/sys`.
//!
//! An attribute reaches one mount, and the cgroup hierarchies are mounts of their own below `/sys`. Bound
//! read-only with everything below, `/sys` would still show them as the host has them: writable for
//! an ordinary user where a group was given to that user, so that a container without a cgroup
//! namespace could leave its limits (CVE-2023-25809). Whoever wants to write to cgroups inside asks
//! for a mount of type `cgroup`, which shows the container's own.

use dhow_sys::mount::{self, Change, RDONLY};
use dhow_sys::{OFlags, fd, path};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

/// `SYSFS_MAGIC`
const MAGIC: u64 = 0x6265_6572;

/// Makes the cgroup hierarchies below a mount read-only, if it is a sysfs and has any. The mount is
/// attached already: the kernel changes no mount in the middle of a tree that is not.
///
/// # Errors
/// `statfs`, `openat2`, `mount_setattr`.
pub fn protect_cgroups(tree: BorrowedFd<'_>) -> dhow_sys::Result<()> {
    if fd::filesystem_magic(tree)? != MAGIC {
        return Ok(());
    }
    let place = Path::new("fs/cgroup");
    let cgroups = match path::open_in_root_no_links(tree, place, OFlags::PATH) {
        Err(error) if error.code() == 2 => return Ok(()),
        result => result?,
    };
    let change = Change {
        set: RDONLY,
        recursive: true,
        ..Change::default()
    };
    match mount::change(cgroups.as_fd(), change) {
        // EINVAL: nothing is mounted there, and the directory is as read-only as all of `/sys`.
        Err(error) if error.code() == 22 => Ok(()),
        result => result,
    }
}

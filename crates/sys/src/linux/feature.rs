//! Asking the kernel what it can do, by trying: version numbers lie where distributions patch, and
//! where a filter hides calls.
//!
//! Every question is a call with arguments that cannot succeed, so nothing changes; what counts is
//! whether the refusal is about the arguments or about the call itself.

use super::raw::{check_raw, syscall};
use crate::{Error, Result};

/// A call, or a flag of one, that came after the oldest kernel that we run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feature {
    /// `openat2(2)`, Linux 5.6.
    Openat2,
    /// `fsopen(2)` and its family, Linux 5.2.
    MountApi,
    /// `mount_setattr(2)`, Linux 5.12.
    MountSetattr,
    /// `close_range(2)` with `CLOSE_RANGE_CLOEXEC`, Linux 5.11.
    CloseRange,
    /// `pidfd_open(2)`, Linux 5.3.
    Pidfd,
    /// `clone3(2)` with `CLONE_INTO_CGROUP`, Linux 5.7.
    CloneIntoCgroup,
}

/// Whether this kernel, as seen through the filters on this process, has a feature.
///
/// # Errors
/// The call with ENOSYS when it is absent or hidden, EPERM when a filter forbids it (never for
/// [`Feature::MountApi`], which answers EPERM to everybody without CAP_SYS_ADMIN), EINVAL when
/// the call is there and the flag is not.
pub fn probe(feature: Feature) -> Result<()> {
    match feature {
        Feature::Openat2 => refused_for_its_arguments("openat2", libc::SYS_openat2, true),
        Feature::MountApi => refused_for_its_arguments("fsopen", libc::SYS_fsopen, false),
        Feature::MountSetattr => {
            refused_for_its_arguments("mount_setattr", libc::SYS_mount_setattr, true)
        }
        Feature::CloseRange => super::fd::cloexec_from(u32::MAX),
        Feature::Pidfd => super::process::open(std::process::id()).map(drop),
        Feature::CloneIntoCgroup => clone_into_cgroup(),
    }
}

/// Makes a call whose arguments are all zero, which each of these refuses with EINVAL or EFAULT.
fn refused_for_its_arguments(
    call: &'static str,
    number: libc::c_long,
    permission_counts: bool,
) -> Result<()> {
    // SAFETY: null pointers are refused by the kernel, never followed.
    // NEED: no wrapper lets one make a call that must fail.
    match unsafe { syscall(number, [0; 6]) } {
        Err(code) if code == libc::ENOSYS || (permission_counts && code == libc::EPERM) => {
            Err(Error::new(call, "0, 0, 0, 0", code))
        }
        _ => Ok(()),
    }
}

/// Asks for a clone into a cgroup that cannot be open: EBADF means that the flag is understood.
fn clone_into_cgroup() -> Result<()> {
    const INTO_CGROUP: u64 = 0x2_0000_0000;
    const NO_DESCRIPTOR: u64 = 0x3fff_fff0;
    // The eleven fields of struct clone_args: flags first, exit_signal fifth, cgroup last.
    let mut arguments = [0_u64; 11];
    arguments[0] = INTO_CGROUP;
    arguments[4] = u64::from(libc::SIGCHLD.unsigned_abs());
    arguments[10] = NO_DESCRIPTOR;
    let call = [
        &raw const arguments as usize,
        size_of_val(&arguments),
        0,
        0,
        0,
        0,
    ];
    // SAFETY: the structure is live and of the stated size; the descriptor is beyond every limit, so
    // the call fails before there is a process.
    // NEED: rustix has no clone3.
    match unsafe { syscall(libc::SYS_clone3, call) } {
        Err(libc::EBADF) => Ok(()),
        Err(code) => Err(Error::new("clone3", "CLONE_INTO_CGROUP", code)),
        Ok(0) => super::process::exit(0),
        Ok(_) => Err(Error::new("clone3", "CLONE_INTO_CGROUP", libc::EBADF)),
    }
}

/// The version of Landlock's interface, from 1 (Linux 5.13).
///
/// # Errors
/// `landlock_create_ruleset`: ENOSYS when it is not built in, EOPNOTSUPP when it is switched off.
pub fn landlock_version() -> Result<u32> {
    const ASK_FOR_VERSION: usize = 1;
    // SAFETY: with this flag, pointer and size must be zero.
    // NEED: rustix has no Landlock.
    let result = unsafe {
        syscall(
            libc::SYS_landlock_create_ruleset,
            [0, 0, ASK_FOR_VERSION, 0, 0, 0],
        )
    };
    check_raw("landlock_create_ruleset", result, || {
        "NULL, 0, VERSION".into()
    })
    .map(|version| u32::try_from(version).unwrap_or(0))
}

/// The kernel's release as `uname(2)` tells it, such as `6.12.9-amd64`.
#[must_use]
pub fn kernel_release() -> String {
    let name = rustix::system::uname();
    name.release().to_string_lossy().into_owned()
}

/// Whether this process may write the file, or make entries in the directory, at a host path.
#[must_use]
pub fn may_write(path: &std::path::Path) -> bool {
    use rustix::fs::{Access, AtFlags, CWD, accessat};
    accessat(CWD, path, Access::WRITE_OK, AtFlags::EACCESS).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_no_kernel_has_is_absent() {
        let error = refused_for_its_arguments("nothing", 4242, true).unwrap_err();
        assert_eq!(error.name(), "ENOSYS");
    }

    #[test]
    fn asking_makes_no_process_and_the_oldest_features_are_there() {
        probe(Feature::CloneIntoCgroup).unwrap();
        probe(Feature::Openat2).unwrap();
        probe(Feature::MountApi).unwrap();
        probe(Feature::Pidfd).unwrap();
        assert!(kernel_release().contains('.'));
    }
}

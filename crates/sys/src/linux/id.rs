//! Who a process is: users, groups, capabilities.
//!
//! Raw system calls on purpose: libc's wrappers signal every thread of the process to agree on the
//! ids, which a single-threaded child between clone and execve does not need.

use super::raw::{check, check_raw, syscall};
use crate::Result;

/// The five capability sets as bit masks; bit N is capability number N (`capabilities(7)`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CapabilitySets {
    /// What counts in permission checks.
    pub effective: u64,
    /// What may be made effective.
    pub permitted: u64,
    /// What survives execve of a file with matching inheritable bits.
    pub inheritable: u64,
}

#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Data {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

const VERSION_3: u32 = 0x2008_0522;

/// The effective user id.
#[must_use]
pub fn effective_user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// The effective group id.
#[must_use]
pub fn effective_group() -> u32 {
    rustix::process::getegid().as_raw()
}

/// Sets real, effective and saved user id.
///
/// # Errors
/// `setresuid`: EPERM, EINVAL when the id is not mapped in this user namespace.
pub fn set_user(uid: u32) -> Result<()> {
    let id = uid as usize;
    // SAFETY: the call takes no pointers.
    // NEED: one thread only, see the module's words.
    let result = unsafe { syscall(libc::SYS_setresuid, [id, id, id, 0, 0, 0]) };
    check_raw("setresuid", result, || format!("{uid}, {uid}, {uid}")).map(drop)
}

/// Sets real, effective and saved group id.
///
/// # Errors
/// `setresgid`: EPERM, EINVAL when the id is not mapped in this user namespace.
pub fn set_group(gid: u32) -> Result<()> {
    let id = gid as usize;
    // SAFETY: the call takes no pointers.
    // NEED: one thread only, see the module's words.
    let result = unsafe { syscall(libc::SYS_setresgid, [id, id, id, 0, 0, 0]) };
    check_raw("setresgid", result, || format!("{gid}, {gid}, {gid}")).map(drop)
}

/// Replaces the supplementary groups.
///
/// # Errors
/// `setgroups`: EPERM, also when `/proc/self/setgroups` says `deny`.
pub fn set_groups(groups: &[u32]) -> Result<()> {
    let arguments = [groups.len(), groups.as_ptr() as usize, 0, 0, 0, 0];
    // SAFETY: the pointer and length describe a live slice of gid_t.
    // NEED: one thread only, see the module's words.
    let result = unsafe { syscall(libc::SYS_setgroups, arguments) };
    check_raw("setgroups", result, || format!("{groups:?}")).map(drop)
}

/// The supplementary groups.
///
/// # Errors
/// `getgroups`.
pub fn groups() -> Result<Vec<u32>> {
    let groups = check("getgroups", rustix::process::getgroups(), String::new)?;
    Ok(groups.iter().map(|gid| gid.as_raw()).collect())
}

/// The calling thread's capability sets.
///
/// # Errors
/// `capget`.
pub fn capabilities() -> Result<CapabilitySets> {
    let mut header = Header {
        version: VERSION_3,
        pid: 0,
    };
    let mut data = [Data::default(); 2];
    let arguments = [
        &raw mut header as usize,
        data.as_mut_ptr() as usize,
        0,
        0,
        0,
        0,
    ];
    // SAFETY: header and data are live and of the size that version 3 asks for.
    // NEED: rustix drops bits that it has no name for.
    let result = unsafe { syscall(libc::SYS_capget, arguments) };
    check_raw("capget", result, String::new)?;
    let join = |low: u32, high: u32| u64::from(low) | (u64::from(high) << 32);
    Ok(CapabilitySets {
        effective: join(data[0].effective, data[1].effective),
        permitted: join(data[0].permitted, data[1].permitted),
        inheritable: join(data[0].inheritable, data[1].inheritable),
    })
}

/// Replaces the calling thread's capability sets.
///
/// # Errors
/// `capset`: EPERM when a bit is asked for that is not held.
pub fn set_capabilities(sets: CapabilitySets) -> Result<()> {
    let mut header = Header {
        version: VERSION_3,
        pid: 0,
    };
    let half = |shift: u32| {
        let cut = |mask: u64| u32::try_from((mask >> shift) & 0xffff_ffff).unwrap_or(0);
        Data {
            effective: cut(sets.effective),
            permitted: cut(sets.permitted),
            inheritable: cut(sets.inheritable),
        }
    };
    let data = [half(0), half(32)];
    let arguments = [&raw mut header as usize, data.as_ptr() as usize, 0, 0, 0, 0];
    // SAFETY: header and data are live and of the size that version 3 asks for.
    // NEED: rustix drops bits that it has no name for.
    let result = unsafe { syscall(libc::SYS_capset, arguments) };
    check_raw("capset", result, || format!("{sets:x?}")).map(drop)
}

fn prctl(call: &'static str, option: i32, a: usize, b: usize) -> Result<usize> {
    let arguments = [usize::try_from(option).unwrap_or(0), a, b, 0, 0, 0];
    // SAFETY: every option used in this module takes numbers, no pointers.
    // NEED: rustix drops capability bits that it has no name for.
    let result = unsafe { syscall(libc::SYS_prctl, arguments) };
    check_raw(call, result, || format!("{a}, {b}"))
}

/// The highest capability number that this kernel knows, found by asking for the middle again and again.
#[must_use]
pub fn last_capability() -> u32 {
    let (mut known, mut unknown) = (0, 64);
    while unknown - known > 1 {
        let middle = u32::midpoint(known, unknown);
        if bounding_has(middle).is_ok() {
            known = middle;
        } else {
            unknown = middle;
        }
    }
    known
}

/// Whether a capability is in the bounding set.
///
/// # Errors
/// `prctl(PR_CAPBSET_READ)`: EINVAL when the kernel does not know the number.
pub fn bounding_has(capability: u32) -> Result<bool> {
    prctl(
        "prctl(PR_CAPBSET_READ)",
        libc::PR_CAPBSET_READ,
        capability as usize,
        0,
    )
    .map(|value| value == 1)
}

/// Drops a capability from the bounding set for good.
///
/// # Errors
/// `prctl(PR_CAPBSET_DROP)`: EPERM without CAP_SETPCAP.
pub fn drop_bounding(capability: u32) -> Result<()> {
    prctl(
        "prctl(PR_CAPBSET_DROP)",
        libc::PR_CAPBSET_DROP,
        capability as usize,
        0,
    )
    .map(drop)
}

/// Empties the ambient set.
///
/// # Errors
/// `prctl(PR_CAP_AMBIENT)`.
pub fn clear_ambient() -> Result<()> {
    let option = usize::try_from(libc::PR_CAP_AMBIENT_CLEAR_ALL).unwrap_or(4);
    prctl(
        "prctl(PR_CAP_AMBIENT, CLEAR_ALL)",
        libc::PR_CAP_AMBIENT,
        option,
        0,
    )
    .map(drop)
}

/// Adds a capability to the ambient set.
///
/// # Errors
/// `prctl(PR_CAP_AMBIENT)`: EPERM when it is not both permitted and inheritable.
pub fn raise_ambient(capability: u32) -> Result<()> {
    let option = usize::try_from(libc::PR_CAP_AMBIENT_RAISE).unwrap_or(2);
    prctl(
        "prctl(PR_CAP_AMBIENT, RAISE)",
        libc::PR_CAP_AMBIENT,
        option,
        capability as usize,
    )
    .map(drop)
}

/// Whether changing from uid 0 keeps the permitted set (`PR_SET_KEEPCAPS`); cleared by execve.
///
/// # Errors
/// `prctl(PR_SET_KEEPCAPS)`.
pub fn keep_capabilities(on: bool) -> Result<()> {
    prctl(
        "prctl(PR_SET_KEEPCAPS)",
        libc::PR_SET_KEEPCAPS,
        usize::from(on),
        0,
    )
    .map(drop)
}

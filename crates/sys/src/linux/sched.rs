//! Scheduling, limits and memory placement of the calling thread.

use super::raw::{check_raw, syscall};
use crate::Result;

/// `struct sched_attr` of `sched_setattr(2)`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Size of this structure, filled in by [`set_attributes`].
    pub size: u32,
    /// `SCHED_OTHER` 0, `SCHED_FIFO` 1, `SCHED_RR` 2, `SCHED_BATCH` 3, `SCHED_IDLE` 5, `SCHED_DEADLINE` 6.
    pub policy: u32,
    /// `SCHED_FLAG_*`.
    pub flags: u64,
    /// Nice value for `SCHED_OTHER` and `SCHED_BATCH`.
    pub nice: i32,
    /// Static priority for `SCHED_FIFO` and `SCHED_RR`.
    pub priority: u32,
    /// Nanoseconds, `SCHED_DEADLINE`.
    pub runtime: u64,
    /// Nanoseconds, `SCHED_DEADLINE`.
    pub deadline: u64,
    /// Nanoseconds, `SCHED_DEADLINE`.
    pub period: u64,
}

/// Sets scheduling policy and attributes (`sched_setattr(2)`).
///
/// # Errors
/// `sched_setattr`: EPERM, EINVAL.
pub fn set_attributes(attributes: Attributes) -> Result<()> {
    let mut attributes = attributes;
    attributes.size = u32::try_from(size_of::<Attributes>()).unwrap_or(48);
    let arguments = [0, &raw const attributes as usize, 0, 0, 0, 0];
    // SAFETY: the structure is live and carries its own size.
    // NEED: rustix has no sched_setattr.
    let result = unsafe { syscall(libc::SYS_sched_setattr, arguments) };
    check_raw("sched_setattr", result, || format!("{attributes:?}")).map(drop)
}

/// Sets the I/O priority: class 1 real-time, 2 best effort, 3 idle; level 0 to 7 (`ioprio_set(2)`).
///
/// # Errors
/// `ioprio_set`: EPERM, EINVAL.
pub fn set_io_priority(class: u32, level: u32) -> Result<()> {
    const WHO_PROCESS: usize = 1;
    let value = ((class << 13) | level) as usize;
    // SAFETY: the call takes no pointers.
    // NEED: rustix has no ioprio_set.
    let result = unsafe { syscall(libc::SYS_ioprio_set, [WHO_PROCESS, 0, value, 0, 0, 0]) };
    check_raw("ioprio_set", result, || {
        format!("class {class}, level {level}")
    })
    .map(drop)
}

/// Pins the calling thread to these CPUs.
///
/// # Errors
/// `sched_setaffinity`: EINVAL when none of them is online and allowed.
pub fn set_affinity(cpus: &[u32]) -> Result<()> {
    let words = cpus.iter().max().map_or(1, |&max| max as usize / 64 + 1);
    let mut mask = vec![0u64; words];
    for &cpu in cpus {
        mask[cpu as usize / 64] |= 1 << (cpu % 64);
    }
    let arguments = [0, words * 8, mask.as_ptr() as usize, 0, 0, 0];
    // SAFETY: pointer and length describe the live mask.
    // NEED: rustix limits the set to 1024 CPUs.
    let result = unsafe { syscall(libc::SYS_sched_setaffinity, arguments) };
    check_raw("sched_setaffinity", result, || format!("{cpus:?}")).map(drop)
}

/// Sets the default memory policy: `mode` with flags ORed in, and the node mask (`set_mempolicy(2)`).
///
/// # Errors
/// `set_mempolicy`: EINVAL.
pub fn set_memory_policy(mode: u32, nodes: &[u32]) -> Result<()> {
    let words = nodes.iter().max().map_or(1, |&max| max as usize / 64 + 1);
    let mut mask = vec![0u64; words];
    for &node in nodes {
        mask[node as usize / 64] |= 1 << (node % 64);
    }
    let (pointer, bits) = if nodes.is_empty() {
        (0, 0)
    } else {
        (mask.as_ptr() as usize, words * 64 + 1)
    };
    // SAFETY: pointer and bit count describe the live mask, or are both zero.
    // NEED: rustix has no set_mempolicy.
    let result = unsafe {
        syscall(
            libc::SYS_set_mempolicy,
            [mode as usize, pointer, bits, 0, 0, 0],
        )
    };
    check_raw("set_mempolicy", result, || format!("{mode:#x}, {nodes:?}")).map(drop)
}

/// Sets the execution domain (`personality(2)`); returns the one before.
///
/// # Errors
/// `personality`: EINVAL.
pub fn set_personality(persona: u32) -> Result<u32> {
    // SAFETY: the call takes no pointers.
    // NEED: rustix has no personality.
    let result = unsafe { syscall(libc::SYS_personality, [persona as usize, 0, 0, 0, 0, 0]) };
    check_raw("personality", result, || format!("{persona:#x}"))
        .map(|old| u32::try_from(old & 0xffff_ffff).unwrap_or(0))
}

/// A resource limit: soft and hard, `u64::MAX` is unlimited (`prlimit(2)`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct Limit {
    /// What is enforced.
    pub soft: u64,
    /// How far the soft limit may be raised.
    pub hard: u64,
}

/// Sets a resource limit of a process (0: this one) and returns the former one; `None` only asks.
/// `resource` is the kernel's `RLIMIT_*` number.
///
/// # Errors
/// `prlimit`: EPERM when raising a hard limit without CAP_SYS_RESOURCE, EINVAL.
pub fn limit(pid: u32, resource: u32, new: Option<Limit>) -> Result<Limit> {
    let mut old = Limit { soft: 0, hard: 0 };
    let new_pointer = new
        .as_ref()
        .map_or(0, |limit| std::ptr::from_ref(limit) as usize);
    let arguments = [
        pid as usize,
        resource as usize,
        new_pointer,
        &raw mut old as usize,
        0,
        0,
    ];
    // SAFETY: both structures are live; the kernel's rlimit64 has this layout.
    // NEED: rustix has no name for some resources.
    let result = unsafe { syscall(libc::SYS_prlimit64, arguments) };
    check_raw("prlimit", result, || {
        format!("{pid}, resource {resource}, {new:?}")
    })?;
    Ok(old)
}

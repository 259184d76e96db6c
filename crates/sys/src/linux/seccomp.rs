//! Installing a seccomp program (`seccomp(2)`).

use super::raw::{check_raw, syscall};
use crate::{Error, Result};
use rustix::fd::{FromRawFd, OwnedFd};

/// One instruction of a classic BPF program, as the kernel wants it.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instruction {
    /// Operation.
    pub code: u16,
    /// Jump distance when true.
    pub jt: u8,
    /// Jump distance when false.
    pub jf: u8,
    /// Operand.
    pub k: u32,
}

#[repr(C)]
struct Program {
    length: u16,
    instructions: *const Instruction,
}

/// The kernel's flag that asks for a notification descriptor.
pub const FLAG_NEW_LISTENER: u32 = 1 << 3;

/// Installs a program on the calling thread; with [`FLAG_NEW_LISTENER`] returns the descriptor on
/// which notifications arrive (close-on-exec by the kernel).
///
/// # Errors
/// `seccomp`: EACCES without no_new_privs or CAP_SYS_ADMIN, EINVAL for a bad program or a flag that
/// this kernel does not know.
pub fn install(instructions: &[Instruction], flags: u32) -> Result<Option<OwnedFd>> {
    const SET_MODE_FILTER: usize = 1;
    let shown = || {
        format!(
            "SET_MODE_FILTER, {flags:#x}, {} instructions",
            instructions.len()
        )
    };
    let length = u16::try_from(instructions.len())
        .map_err(|_| Error::new("seccomp", shown(), libc::EINVAL))?;
    let program = Program {
        length,
        instructions: instructions.as_ptr(),
    };
    let arguments = [
        SET_MODE_FILTER,
        flags as usize,
        &raw const program as usize,
        0,
        0,
        0,
    ];
    // SAFETY: the program and its instructions are live, and their length is right.
    // NEED: rustix has no seccomp.
    let result = unsafe { syscall(libc::SYS_seccomp, arguments) };
    let value = check_raw("seccomp", result, shown)?;
    if flags & FLAG_NEW_LISTENER == 0 {
        return Ok(None);
    }
    let number = i32::try_from(value).map_err(|_| Error::new("seccomp", shown(), libc::EBADF))?;
    // SAFETY: with this flag the kernel returns a new descriptor that nobody else owns.
    // NEED: it arrives as a number.
    Ok(Some(unsafe { OwnedFd::from_raw_fd(number) }))
}

/// Whether this kernel knows a seccomp action (`SECCOMP_RET_*`), by asking it.
#[must_use]
pub fn knows_action(action: u32) -> bool {
    const GET_ACTION_AVAIL: usize = 2;
    let arguments = [GET_ACTION_AVAIL, 0, &raw const action as usize, 0, 0, 0];
    // SAFETY: the action is a live u32.
    // NEED: rustix has no seccomp.
    unsafe { syscall(libc::SYS_seccomp, arguments) }.is_ok()
}

//! Signals of this process: masks, dispositions, and reading them from a descriptor.

use super::raw::{check_raw, syscall};
use crate::{Error, Result};
use rustix::fd::{AsRawFd, FromRawFd, OwnedFd};

/// A set of signals; bit N-1 stands for signal N.
pub type Set = u64;

/// Every signal.
pub const ALL: Set = u64::MAX;

fn set_mask(set: Set) -> Result<Set> {
    const SETMASK: usize = 2;
    let mut old: Set = 0;
    let arguments = [
        SETMASK,
        &raw const set as usize,
        &raw mut old as usize,
        8,
        0,
        0,
    ];
    // SAFETY: both sets are live and of the stated size.
    // NEED: rustix has no safe way to set the mask.
    let result = unsafe { syscall(libc::SYS_rt_sigprocmask, arguments) };
    check_raw("rt_sigprocmask", result, || {
        format!("SIG_SETMASK, {set:#x}")
    })?;
    Ok(old)
}

/// Blocks the signals of `set` and no others; returns the mask before.
///
/// # Errors
/// `rt_sigprocmask`.
pub fn block(set: Set) -> Result<Set> {
    set_mask(set)
}

/// Lets the program that `command` starts begin with this mask; else it inherits its parent's.
pub fn mask_in_child(command: &mut std::process::Command, mask: Set) {
    use std::os::unix::process::CommandExt;
    let set = move || {
        // It fails for a bad pointer or size only, and these are neither.
        let _ = set_mask(mask);
        Ok(())
    };
    // SAFETY: between fork and execve it makes one system call on memory of its own, no allocation.
    // NEED: std leaves the mask as it is, and has no safe way to change it in the child.
    unsafe { command.pre_exec(set) };
}

/// Gives every ignored signal of `ignored` its default action again; handlers need no help, execve
/// resets them.
///
/// # Errors
/// `rt_sigaction`.
pub fn reset_dispositions(ignored: Set) -> Result<()> {
    // The kernel's struct sigaction: handler, flags, restorer, mask. All zero is SIG_DFL.
    let default = [0u64; 4];
    for signal in 1..=64usize {
        if ignored & (1 << (signal - 1)) == 0 {
            continue;
        }
        let arguments = [signal, default.as_ptr() as usize, 0, 8, 0, 0];
        // SAFETY: the structure is live and as large as the kernel's on every 64-bit architecture.
        // NEED: std offers no way to reset a disposition.
        let result = unsafe { syscall(libc::SYS_rt_sigaction, arguments) };
        check_raw("rt_sigaction", result, || format!("{signal}, SIG_DFL"))?;
    }
    Ok(())
}

/// A descriptor from which blocked signals are read (`signalfd(2)`), non-blocking.
#[derive(Debug)]
pub struct SignalFd(OwnedFd);

impl SignalFd {
    /// Opens one for the signals of `set`, which should be blocked.
    ///
    /// # Errors
    /// `signalfd4`.
    pub fn new(set: Set) -> Result<Self> {
        let flags = usize::try_from(libc::SFD_CLOEXEC | libc::SFD_NONBLOCK).unwrap_or(0);
        let arguments = [usize::MAX, &raw const set as usize, 8, flags, 0, 0];
        // SAFETY: the set is live and of the stated size.
        // NEED: rustix has no signalfd.
        let result = unsafe { syscall(libc::SYS_signalfd4, arguments) };
        let value = check_raw("signalfd4", result, || format!("-1, {set:#x}"))?;
        let number =
            i32::try_from(value).map_err(|_| Error::new("signalfd4", "-1", libc::EBADF))?;
        // SAFETY: the kernel returned a new descriptor that nobody else owns.
        // NEED: it arrives as a number.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(number) }))
    }

    /// The next pending signal, or `None`.
    ///
    /// # Errors
    /// `read`, other than EAGAIN.
    pub fn next(&self) -> Result<Option<u8>> {
        let mut information = [0u8; 128];
        match rustix::io::retry_on_intr(|| rustix::io::read(&self.0, &mut information)) {
            Ok(count) if count >= 4 => Ok(Some(information[0])),
            Ok(_) | Err(rustix::io::Errno::AGAIN) => Ok(None),
            Err(errno) => super::raw::check("read", Err(errno), || self.0.as_raw_fd().to_string()),
        }
    }
}

impl rustix::fd::AsFd for SignalFd {
    fn as_fd(&self) -> rustix::fd::BorrowedFd<'_> {
        self.0.as_fd()
    }
}

//! How a system call without a safe wrapper is made, and how its result becomes an [`Error`].

use crate::{Error, Result};

/// Makes a system call with up to six arguments and returns its value or errno.
///
/// # Safety
/// The arguments must be valid for `number`: pointers must point to live memory of the size that
/// the call reads or writes.
pub(crate) unsafe fn syscall(
    number: libc::c_long,
    arguments: [usize; 6],
) -> std::result::Result<usize, i32> {
    let [a, b, c, d, e, f] = arguments;
    // SAFETY: the caller promises that the arguments fit the call.
    // NEED: these calls have no wrapper in rustix.
    let value = unsafe { libc::syscall(number, a, b, c, d, e, f) };
    usize::try_from(value).map_err(|_| errno())
}

/// The calling thread's `errno`.
pub(crate) fn errno() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

/// Turns the result of a rustix call into ours; `arguments` is only formatted on failure.
pub(crate) fn check<T>(
    call: &'static str,
    result: rustix::io::Result<T>,
    arguments: impl FnOnce() -> String,
) -> Result<T> {
    result.map_err(|errno| Error::new(call, arguments(), errno.raw_os_error()))
}

/// Turns the result of [`syscall`] into ours; `arguments` is only formatted on failure.
pub(crate) fn check_raw(
    call: &'static str,
    result: std::result::Result<usize, i32>,
    arguments: impl FnOnce() -> String,
) -> Result<usize> {
    result.map_err(|errno| Error::new(call, arguments(), errno))
}

//! Kernel keyrings (`keyctl(2)`).

use super::raw::{check_raw, syscall};
use crate::Result;
use std::ffi::CString;

/// Joins a new session keyring with this name, so that the caller's keys stay out of reach.
///
/// # Errors
/// `keyctl`: ENOSYS without keyring support, EDQUOT when the user's quota is used up.
pub fn join_new_session(name: &str) -> Result<()> {
    const KEYCTL_JOIN_SESSION_KEYRING: usize = 1;
    let shown = || format!("JOIN_SESSION_KEYRING, {name:?}");
    let name =
        CString::new(name).map_err(|_| crate::Error::new("keyctl", shown(), libc::EINVAL))?;
    let arguments = [
        KEYCTL_JOIN_SESSION_KEYRING,
        name.as_ptr() as usize,
        0,
        0,
        0,
        0,
    ];
    // SAFETY: the name is a live C string.
    // NEED: rustix has no keyctl.
    let result = unsafe { syscall(libc::SYS_keyctl, arguments) };
    check_raw("keyctl", result, shown).map(drop)
}

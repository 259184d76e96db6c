//! Where no monitor is needed yet.

use std::ffi::OsString;
use std::process::ExitCode;

/// Refuses.
pub(crate) fn run(_arguments: impl Iterator<Item = OsString>) -> ExitCode {
    eprintln!("dhow-monitor: containers on this system are not there yet: use Linux");
    ExitCode::FAILURE
}

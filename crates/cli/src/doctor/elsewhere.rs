//! The report where this dhow cannot run containers yet.

use super::Check;
use std::path::Path;
use std::process::ExitCode;

/// One check, which says so.
pub(crate) fn checks(_store: &Path, _siblings: &[std::path::PathBuf]) -> Vec<Check> {
    let check = Check::ok("system", "containers", std::env::consts::OS);
    vec![check.missing(
        "this dhow runs containers on Linux only",
        "use dhow on a Linux machine, or in a Linux virtual machine",
    )]
}

/// There is nothing to try here.
pub(crate) fn probe(_name: &str, _directory: &Path) -> ExitCode {
    ExitCode::from(125)
}

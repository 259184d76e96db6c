//! The Windows half: what is pure works, what needs the host's compute service says that it is not there.

use crate::cli::Usage;
use crate::error::{Error, Result};
use crate::plan::Host;
use crate::spec::Spec;
use crate::verbs::Verb;
use std::path::{Path, PathBuf};

/// Verbs that this system has beyond the pure ones: none in this version.
#[must_use]
pub fn verbs() -> &'static [Verb] {
    &[]
}

/// Where containers would be remembered.
#[must_use]
pub fn default_root() -> PathBuf {
    std::env::var_os("ProgramData")
        .map_or_else(|| PathBuf::from("C:\\ProgramData"), PathBuf::from)
        .join("dhow")
}

/// What `plan` assumes of the Linux host that a bundle is for.
#[must_use]
pub fn host(_: &Spec) -> Host {
    Host {
        privileged: true,
        apparmor: false,
        selinux: false,
        capabilities: u64::MAX,
        architecture: std::env::consts::ARCH,
    }
}

/// Verbs that touch containers are refused.
///
/// # Errors
/// [`Error::Unsupported`] for every verb that is not pure.
pub fn prepare(usage: &Usage) -> Result<()> {
    match usage.verb {
        "plan" | "spec" => Ok(()),
        verb => Err(Error::Unsupported(format!(
            "{verb}: this version cannot run containers on Windows"
        ))),
    }
}

/// The absolute path of a directory, without links and dots.
///
/// # Errors
/// NotFound, or that the directory cannot be opened.
pub fn real_path(directory: &Path) -> std::io::Result<PathBuf> {
    std::fs::canonicalize(directory)
}

/// There are no such sockets.
pub fn send_datagram(_: &str, _: &str) {}

/// The ids that a template for an ordinary Linux user gets when it is written elsewhere.
#[must_use]
pub fn ids() -> (u32, u32) {
    (1000, 1000)
}

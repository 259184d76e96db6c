//! CRIU is a program for Linux.

use std::path::{Path, PathBuf};

use crate::error::Error;

/// There is none here.
///
/// # Errors
/// Never.
#[expect(clippy::unnecessary_wraps, reason = "the same signature everywhere")]
pub(super) fn prepare(_target: &Path, _install: bool) -> Result<Option<PathBuf>, Error> {
    Ok(None)
}

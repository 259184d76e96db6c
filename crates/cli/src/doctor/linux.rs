//! The checks on Linux, by area.

mod answer;
mod cgroups;
mod kernel;
mod probe;
mod programs;
mod security;
mod storage;
mod users;

pub(crate) use probe::run as probe;

use super::Check;
use std::path::{Path, PathBuf};

/// Everything, in the order in which it matters: `store` is the directory of images and
/// containers, which need not exist yet, `siblings` the directories of dhow's own programs.
pub(crate) fn checks(store: &Path, siblings: &[PathBuf]) -> Vec<Check> {
    let mut checks = kernel::checks();
    checks.extend(users::checks());
    checks.extend(storage::checks(store));
    checks.extend(cgroups::checks());
    checks.extend(security::checks());
    checks.extend(programs::checks(siblings));
    checks
}

/// The text of a small kernel file, trimmed; `None` when it is not there or not ours to read.
fn read(path: impl AsRef<Path>) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    Some(text.trim().to_owned())
}

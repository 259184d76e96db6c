//! `pause`: stops every process of a container where it stands.

use crate::cli::{Arguments, Global, Usage};
use crate::error::Result;
use crate::linux::cgroup::cgroup_error;
use crate::linux::container::Container;
use crate::state::Verb;
use std::ffi::OsString;

/// The command line.
pub const USAGE: Usage = Usage {
    verb: "pause",
    arguments: "ID",
    summary: "Suspend all processes of a running container",
    flags: &[],
    verbatim_after: None,
    example: "dhow-runtime pause web",
};

/// Runs the verb; returns when the kernel says that all stand still.
///
/// # Errors
/// [`crate::error::Error::State`] unless it is running; Conflict when a process does not stop in time.
pub fn run(global: &Global, arguments: Vec<OsString>) -> Result<u8> {
    let arguments = Arguments::read(&USAGE, arguments)?;
    let container = Container::open(&global.root, arguments.id(&USAGE)?)?;
    let record = container.allowed(Verb::Pause, "pause")?;
    record.group("pause")?.freeze().map_err(cgroup_error)?;
    Ok(0)
}

//! `resume`: lets a paused container go on.

use crate::cli::{Arguments, Global, Usage};
use crate::error::Result;
use crate::linux::cgroup::cgroup_error;
use crate::linux::container::Container;
use crate::state::Verb;
use std::ffi::OsString;

/// The command line.
pub const USAGE: Usage = Usage {
    verb: "resume",
    arguments: "ID",
    summary: "Let all processes of a paused container go on",
    flags: &[],
    verbatim_after: None,
    example: "dhow-runtime resume web",
};

/// Runs the verb.
///
/// # Errors
/// [`crate::error::Error::State`] unless it is paused.
pub fn run(global: &Global, arguments: Vec<OsString>) -> Result<u8> {
    let arguments = Arguments::read(&USAGE, arguments)?;
    let container = Container::open(&global.root, arguments.id(&USAGE)?)?;
    let record = container.allowed(Verb::Resume, "resume")?;
    record.group("resume")?.thaw().map_err(cgroup_error)?;
    Ok(0)
}

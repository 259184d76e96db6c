//! `pause`: stops every process of a container where it stands.

use crate::cli::{Arguments, Global, Usage};
use crate::error::{Error, Result};
use crate::linux::birth::cgroup_error;
use crate::linux::container::Container;
use crate::linux::record::Record;
use crate::state::Verb;
use dhow_cgroup::Group;
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
/// [`Error::State`] unless it is running; Conflict when a process does not stop in time.
pub fn run(global: &Global, arguments: Vec<OsString>) -> Result<u8> {
    let arguments = Arguments::read(&USAGE, arguments)?;
    let container = Container::open(&global.root, arguments.id(&USAGE)?)?;
    let record = allowed(&container, Verb::Pause, "pause")?;
    group(&record, "pause")?.freeze().map_err(cgroup_error)?;
    Ok(0)
}

/// The container's record, when its state allows the verb.
///
/// # Errors
/// [`Error::State`]
pub fn allowed(container: &Container, verb: Verb, word: &'static str) -> Result<Record> {
    let record = container.record()?;
    container.allow(container.status(record.as_ref())?, verb, word)?;
    record.ok_or_else(|| Error::NoContainer(container.id.clone()))
}

/// The container's cgroup.
///
/// # Errors
/// [`Error::Unsupported`] when it has none.
pub fn group<'a>(record: &'a Record, word: &str) -> Result<&'a Group> {
    record.cgroup.as_ref().ok_or_else(|| {
        Error::Unsupported(format!(
            "cannot {word} container {:?}: it has no cgroup of its own",
            record.id
        ))
    })
}

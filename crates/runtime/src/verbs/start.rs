//! `start`: opens the gate.

use super::run::await_execve;
use crate::cli::{Arguments, Global, Usage};
use crate::error::Result;
use crate::linux::container::Container;
use crate::linux::gate;
use crate::plan::seccomp;
use crate::state::Verb;
use crate::{hooks, logging};
use std::ffi::OsString;

/// The command line.
pub const USAGE: Usage = Usage {
    verb: "start",
    arguments: "ID",
    summary: "Start the program of a created container",
    flags: &[],
    verbatim_after: None,
    example: "dhow-runtime start web",
};

/// Runs the verb.
///
/// # Errors
/// [`Error::State`] unless it is created; what kept the program from being executed.
pub fn run(global: &Global, arguments: Vec<OsString>) -> Result<u8> {
    let arguments = Arguments::read(&USAGE, arguments)?;
    let container = Container::open(&global.root, arguments.id(&USAGE)?)?;
    let record = container.allowed(Verb::Start, "start")?;
    let filter = match container.read("seccomp")? {
        Some(bytes) => Some(seccomp::Program::from_bytes(&bytes)?),
        None => None,
    };
    let channel = gate::open(container.directory())?;
    let executed = await_execve(&channel, filter.as_ref(), record.pid, || {
        record.state("creating")
    });
    // Nobody waits there any more, whichever way it went.
    let _ = std::fs::remove_file(container.path.join(gate::NAME));
    executed?;
    for error in hooks::run_all("poststart", &record.poststart, || record.state("running")) {
        logging::note(global, "warning", &error.to_string());
    }
    Ok(0)
}

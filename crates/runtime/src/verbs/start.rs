//! `start`: opens the gate.

use super::run::await_execve;
use crate::cli::{Arguments, Global, Usage};
use crate::error::Result;
use crate::linux::container::Container;
use crate::linux::{gate, removal};
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
/// [`Error::State`] unless it is created; what kept the program from being executed; a failed hook, which
/// leaves no container.
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
    let started = executed
        .and_then(|()| hooks::run("poststart", &record.poststart, || record.state("running")));
    match started {
        Ok(()) => Ok(0),
        // The container is stopped and destroyed, and the poststop hooks are told (runtime.md, Lifecycle,
        // 7 and 9): whoever set something up for it in a hook must be able to take it back.
        Err(error) if error.is_of_hook() => {
            for problem in removal::remove(&container, true)? {
                logging::note(global, "warning", &problem.to_string());
            }
            Err(error)
        }
        Err(error) => Err(error),
    }
}

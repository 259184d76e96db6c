//! `kill`: sends a signal.

use crate::cli::{Arguments, Global, Usage, switch, usage_error};
use crate::error::{At, Error, Result};
use crate::linux::birth::cgroup_error;
use crate::linux::container::Container;
use crate::linux::record::Record;
use crate::plan::namespaces::Kind;
use crate::plan::signals;
use crate::state::{Status, Verb};
use dhow_sys::process;
use std::ffi::OsString;
use std::os::fd::AsFd;

const SIGKILL: u8 = 9;

/// The command line.
pub const USAGE: Usage = Usage {
    verb: "kill",
    arguments: "[OPTIONS] ID [SIGNAL]",
    summary: "Send a signal to a container's first process [default: TERM]",
    flags: &[switch(
        "all",
        Some('a'),
        "send it to every process of the container",
    )],
    verbatim_after: None,
    example: "dhow-runtime kill web KILL",
};

/// Runs the verb.
///
/// # Errors
/// [`Error::Usage`] for an unknown signal, [`Error::State`] when it has ended.
pub fn run(global: &Global, arguments: Vec<OsString>) -> Result<u8> {
    let arguments = Arguments::read(&USAGE, arguments)?;
    let (id, word) = match arguments.words.as_slice() {
        [id] => (id, "TERM"),
        [id, signal] => (id, signal.as_str()),
        _ => {
            return Err(usage_error(
                &USAGE,
                "give the container's id, and a signal if it is not TERM",
            ));
        }
    };
    let signal = signals::number(word)
        .ok_or_else(|| usage_error(&USAGE, &format!("unknown signal {word:?}")))?;
    let container = Container::look(&global.root, id)?;
    let record = container.record()?;
    let status = container.status(record.as_ref())?;
    let Some(record) = record else {
        return Err(Error::State {
            id: id.clone(),
            verb: "kill",
            status: status.word(),
        });
    };
    if arguments.is_on("all") {
        return all(&record, status, signal);
    }
    container.allow(status, Verb::Kill, "kill")?;
    let pidfd = process::open(record.pid).at("hold the container's process")?;
    // Held now, so that this answer stays true.
    if record.process()?.is_none() {
        return Err(Error::State {
            id: id.clone(),
            verb: "kill",
            status: Status::Stopped.word(),
        });
    }
    process::signal(pidfd.as_fd(), signal).at("send the signal")?;
    match &record.cgroup {
        Some(group) if signal == SIGKILL => group.let_die().map_err(cgroup_error)?,
        _ => {}
    }
    Ok(0)
}

/// Also of a container whose first process has ended: without a pid namespace others live on, and engines
/// do so before every delete.
fn all(record: &Record, status: Status, signal: u8) -> Result<u8> {
    match &record.cgroup {
        Some(group) if group.directories().next().is_some() => {
            group.signal_all(signal).map_err(cgroup_error)?;
        }
        // Nobody is left, or nobody can be left.
        _ if status == Status::Stopped && record.separates(Kind::Pid) => {}
        // The end of the first process of a pid namespace ends all.
        _ if status != Status::Stopped && record.separates(Kind::Pid) && signal == SIGKILL => {
            let pidfd = process::open(record.pid).at("hold the container's process")?;
            if record.process()?.is_some() {
                process::signal(pidfd.as_fd(), signal).at("send the signal")?;
            }
        }
        _ => {
            return Err(Error::Unsupported(format!(
                "cannot kill --all container {:?}: it has no cgroup that tells its processes",
                record.id
            )));
        }
    }
    Ok(0)
}

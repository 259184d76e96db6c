//! `kill`: sends a signal.

use crate::cli::{Arguments, Global, Usage, switch, usage_error};
use crate::error::{At, Error, Result};
use crate::linux::birth::cgroup_error;
use crate::linux::container::Container;
use crate::plan::signals;
use crate::state::{Status, Verb};
use dhow_sys::process;
use std::ffi::OsString;
use std::os::fd::AsFd;

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
    let status = container.status(record.as_ref());
    let Some(record) = record else {
        return Err(Error::State {
            id: id.clone(),
            verb: "kill",
            status: status.word(),
        });
    };
    if arguments.is_on("all") {
        // Also of a container whose first process has ended: without a pid namespace others live on.
        let pids = record
            .cgroup
            .as_ref()
            .map_or(Ok(Vec::new()), dhow_cgroup::Group::pids)
            .map_err(cgroup_error)?;
        for pid in pids {
            send(pid, signal)?;
        }
        return Ok(0);
    }
    container.allow(status, Verb::Kill, "kill")?;
    let pidfd = process::open(record.pid).at("hold the container's process")?;
    // Held now, so that this answer stays true.
    if record.process().is_none() {
        return Err(Error::State {
            id: id.clone(),
            verb: "kill",
            status: Status::Stopped.word(),
        });
    }
    process::signal(pidfd.as_fd(), signal).at("send the signal")?;
    Ok(0)
}

fn send(pid: u32, signal: u8) -> Result<()> {
    match process::open(pid).and_then(|pidfd| process::signal(pidfd.as_fd(), signal)) {
        // It has ended meanwhile.
        Err(error) if error.code() == 3 => Ok(()),
        result => result.at("send the signal"),
    }
}

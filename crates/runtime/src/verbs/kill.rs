//! `kill`: sends a signal.

use super::chosen;
use crate::cli::{Arguments, Global, Usage, switch, usage_error};
use crate::error::{At, Error, Result};
use crate::linux::cgroup::cgroup_error;
use crate::linux::container::Container;
use crate::linux::record::Record;
use crate::plan::namespaces::Kind;
use crate::plan::signals;
use crate::state::{Status, Verb};
use dhow_sys::process;
use std::ffi::OsString;
use std::os::fd::AsFd;

const SIGKILL: u8 = 9;
const SIGTERM: u8 = 15;

/// The command line.
pub const USAGE: Usage = Usage {
    verb: "kill",
    arguments: "[OPTIONS] ID [SIGNAL]",
    summary: "Send a signal to a container's first process [default: its image's, or TERM]",
    flags: &[
        switch(
            "all",
            Some('a'),
            "send it to every process of the container",
        ),
        chosen::REGEX,
    ],
    verbatim_after: None,
    example: "dhow-runtime kill web KILL",
};

/// Runs the verb.
///
/// # Errors
/// [`Error::Usage`] for an unknown signal, [`Error::State`] when it has ended.
pub fn run(global: &Global, arguments: Vec<OsString>) -> Result<u8> {
    let arguments = Arguments::read(&USAGE, arguments)?;
    let (word, signal) = match arguments.words.as_slice() {
        [id] => (id, None),
        [id, signal] => (id, Some(number(signal)?)),
        _ => {
            return Err(usage_error(
                &USAGE,
                "give the container's id, and a signal if it is not TERM",
            ));
        }
    };
    let everybody = arguments.is_on("all");
    chosen::each(global, &USAGE, &arguments, word, |id| {
        one(global, id, signal, everybody)
    })
}

fn number(word: &str) -> Result<u8> {
    signals::number(word).ok_or_else(|| usage_error(&USAGE, &format!("unknown signal {word:?}")))
}

/// The signal of a container for which none was given: that of its image (config.md, Annotations), else TERM.
fn usual(record: &Record) -> u8 {
    let of_image = record
        .annotations
        .get("org.opencontainers.image.stopSignal");
    of_image
        .and_then(|word| signals::number(word))
        .unwrap_or(SIGTERM)
}

fn one(global: &Global, id: &str, signal: Option<u8>, everybody: bool) -> Result<()> {
    let container = Container::look(&global.root, id)?;
    let record = container.record()?;
    let status = container.status(record.as_ref())?;
    let Some(record) = record else {
        return Err(Error::State {
            id: id.into(),
            verb: "kill",
            status: status.word(),
        });
    };
    let signal = signal.unwrap_or_else(|| usual(&record));
    if everybody {
        return all(&record, status, signal);
    }
    container.allow(status, Verb::Kill, "kill")?;
    let pidfd = process::open(record.pid).at("hold the container's process")?;
    // Held now, so that this answer stays true.
    if record.process()?.is_none() {
        return Err(Error::State {
            id: id.into(),
            verb: "kill",
            status: Status::Stopped.word(),
        });
    }
    process::signal(pidfd.as_fd(), signal).at("send the signal")?;
    match &record.cgroup {
        Some(group) if signal == SIGKILL => group.let_die().map_err(cgroup_error)?,
        _ => {}
    }
    Ok(())
}

/// Also of a container whose first process has ended: without a pid namespace others live on, and engines
/// do so before every delete.
fn all(record: &Record, status: Status, signal: u8) -> Result<()> {
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
    Ok(())
}

//! Removing a container, whatever state it is in and however far its creation came.

use super::cgroup::cgroup_error;
use super::container::Container;
use super::record::Record;
use super::resctrl::{self, Class};
use crate::error::{At, Error, Result};
use crate::hooks;
use dhow_cgroup::Group;
use dhow_sys::{fd, process};
use std::os::fd::AsFd;

/// How long the kernel may take to end a killed process before we say so, in milliseconds.
const PATIENCE: u64 = 10_000;

/// Ends what lives of it, removes its cgroup and its state directory, then runs the poststop hooks;
/// returns what went wrong with those, which changes nothing any more.
///
/// # Errors
/// The step that failed; calling it again goes on from there.
pub fn remove(container: &Container, kill: bool) -> Result<Vec<Error>> {
    let record = match container.record() {
        // Damaged: the intent log still names what was made. One that could not be read this time is not, and
        // without it nobody would know the process of a container that has no cgroup.
        Err(Error::Document { .. }) if kill => None,
        result => result?,
    };
    if kill && let Some(record) = &record {
        end(record)?;
    }
    let recorded = record.as_ref().and_then(|record| record.cgroup.as_ref());
    let mut problems = Vec::new();
    let intended: Option<Group> = match recorded {
        Some(_) => None,
        None => match container.read("intent") {
            // Never guessed at: it could name the cgroup of another container.
            Err(error) if kill => {
                problems.push(error);
                None
            }
            text => text?.and_then(|text| serde_json::from_slice(&text).ok()),
        },
    };
    let group = recorded.or(intended.as_ref());
    let class = resctrl::recorded(container)?;
    dismantle(container, group, class.as_ref())?;
    let Some(record) = record else {
        return Ok(problems);
    };
    Ok(hooks::run_all("poststop", &record.poststop, || {
        record.state("stopped")
    }))
}

/// Removes what was made for a container whose first process has ended: its cgroup and its class of
/// service, then its state.
///
/// # Errors
/// The step that failed; calling it again goes on from there.
pub fn dismantle(
    container: &Container,
    group: Option<&Group>,
    class: Option<&Class>,
) -> Result<()> {
    if let Some(group) = group
        && !group.remove_if_empty()
    {
        // What the program left behind: without a pid namespace its children outlive it.
        if group.directories().next().is_some() {
            group.kill().map_err(cgroup_error)?;
        }
        group.remove().map_err(cgroup_error)?;
    }
    class.map_or(Ok(()), Class::remove)?;
    container.remove()
}

/// Kills the container's process and waits for its end, by pidfd, without ever sleeping.
fn end(record: &Record) -> Result<()> {
    let pidfd = match process::open(record.pid) {
        Err(error) if error.code() == 3 => return Ok(()),
        pidfd => pidfd.at("hold the container's process")?,
    };
    // The number may have come to mean another process; the descriptor now keeps it from changing.
    if record.process()?.is_none() {
        return Ok(());
    }
    let step = |source| Error::step("kill the container's process", source);
    match process::signal(pidfd.as_fd(), 9) {
        Err(error) if error.code() == 3 => return Ok(()),
        result => result.map_err(step)?,
    }
    if let Some(group) = &record.cgroup {
        group.let_die().map_err(cgroup_error)?;
    }
    let ended = fd::poll(&[(pidfd.as_fd(), fd::Interest::Read)], Some(PATIENCE)).map_err(step)?;
    if ended[0] {
        return Ok(());
    }
    Err(step(dhow_sys::Error::new(
        "poll",
        format!("process {}, which does not end", record.pid),
        110,
    )))
}

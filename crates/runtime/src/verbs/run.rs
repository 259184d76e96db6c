//! `run`: create and start in one, and, in the foreground, stay until the end.

use super::create::{self, Request, Waiting};
use crate::cli::{Arguments, Flag, Global, Usage, switch, usage_error};
use crate::error::{At, Error, Result};
use crate::linux::container::Container;
use crate::linux::foreground::{self, Terminal};
use crate::linux::handshake::{Channel, Said};
use crate::linux::{listener, removal, resctrl};
use crate::plan::seccomp;
use crate::spec::State;
use crate::state::Status;
use crate::{hooks, logging};
use dhow_sys::{process, signal};
use std::ffi::OsString;

const SHARED: &[Flag] = create::FLAGS;
const FLAGS: [Flag; 11] = [
    SHARED[0],
    SHARED[1],
    SHARED[2],
    SHARED[3],
    SHARED[4],
    SHARED[5],
    SHARED[6],
    SHARED[7],
    SHARED[8],
    switch("detach", Some('d'), "do not wait for the program's end"),
    switch("keep", None, "keep the container after its end"),
];

/// The command line.
pub const USAGE: Usage = Usage {
    verb: "run",
    arguments: "[OPTIONS] ID",
    summary: "Create a container, start it, and wait for its end",
    flags: &FLAGS,
    verbatim_after: None,
    example: "dhow-runtime run --bundle /srv/web web",
};

/// Runs the verb; the exit code is the program's.
///
/// # Errors
/// Whatever failed; nothing is left behind then.
pub fn run(global: &Global, arguments: Vec<OsString>) -> Result<u8> {
    let arguments = Arguments::read(&USAGE, arguments)?;
    let request = Request::read(global, &USAGE, &arguments)?;
    let detach = arguments.is_on("detach");
    let terminal = request.plan.process.terminal;
    if detach && terminal && arguments.value("console-socket").is_none() {
        return Err(usage_error(
            &USAGE,
            "a detached container with a terminal needs --console-socket",
        ));
    }
    // Before there is a process: a signal that comes in between must not be lost, and a program
    // that ends at once is still ours to wait for, by the pidfd that its clone gives.
    if !detach {
        signal::block(signal::ALL).at("block signals")?;
    }
    let (console, mut relay) = create::terminal(&USAGE, &arguments, terminal)?;
    let (container, born) = request.make(global, console, Waiting::ForUs)?;
    // Before the program runs: its terminal has our size from its first call on.
    let received = relay.as_mut().map_or(Ok(()), Terminal::receive);
    let started = received.and_then(|()| start(&request, &born.channel, born.child.pid));
    if let Err(error) = started {
        // Before its network namespace ends with it.
        drop(born.devices);
        born.child.end();
        // Why it did not start is the answer, whatever its removal comes to.
        let problems = removal::remove(&container, true).unwrap_or_else(|problem| vec![problem]);
        for problem in problems {
            logging::note(global, "warning", &problem.to_string());
        }
        return Err(error);
    }
    born.devices.keep();
    if detach {
        return Ok(0);
    }
    // While the program runs others must be able to work on the container.
    let exit = container
        .unlock()
        .and_then(|()| foreground::wait(&born.child, relay));
    if exit.is_err() {
        // Nobody would be left to end it.
        born.child.end();
    }
    if !arguments.is_on("keep") {
        finish(global, &request, &container, &born.cgroup);
    }
    let exit = exit?;
    // At once: the kernel closes what is open faster than we could one by one.
    process::exit(exit.code())
}

/// Says the word, waits for the execve, and tells the hooks that it has happened.
fn start(request: &Request, channel: &Channel, pid: u32) -> Result<()> {
    channel
        .start()
        .at("start the program")
        .map_err(|error| channel.cause(error))?;
    let state = |status| {
        request
            .plan
            .state(&request.id, &request.bundle.path, status, pid)
    };
    await_execve(channel, request.plan.seccomp.as_ref(), pid, || {
        state(Status::Creating)
    })?;
    hooks::run("poststart", &request.plan.hooks.poststart, || {
        state(Status::Running)
    })
}

/// Listens until the program is executed; hands a filter's listener to its agent on the way.
///
/// # Errors
/// What the container's process reports.
pub fn await_execve(
    channel: &Channel,
    filter: Option<&seccomp::Program>,
    pid: u32,
    state: impl Fn() -> State,
) -> Result<()> {
    loop {
        match channel.hear().at("wait for the program to be executed")? {
            Said::End => return Ok(()),
            Said::Failed(failure) => return Err(Error::Birth(failure)),
            Said::Listener(fd) => {
                if let Some(agent) = filter.and_then(|filter| filter.listener.as_ref()) {
                    listener::send(agent, &fd, pid, &state())?;
                }
                channel.go().at("let the program go on")?;
            }
            Said::Prepared | Said::Ready | Said::Moved(_) => {}
        }
    }
}

/// Deletes the container after its end; somebody else may have done so already.
fn finish(global: &Global, request: &Request, container: &Container, cgroup: &dhow_cgroup::Group) {
    let remove = || {
        container
            .lock()
            .and_then(|()| match &request.plan.intel_rdt {
                None => Ok(None),
                Some(_) => resctrl::recorded(container),
            })
            .and_then(|class| removal::dismantle(container, Some(cgroup), class.as_ref()))
    };
    let removed = match remove() {
        // Once more: nobody comes after us to clean up what a passing trouble left.
        Err(error) if !matches!(error, Error::NoContainer(_)) => remove(),
        removed => removed,
    };
    match removed {
        Ok(()) => {}
        Err(Error::NoContainer(_)) => return,
        Err(error) => return logging::failed(global, "delete", &error),
    }
    request.clean_up(global);
}

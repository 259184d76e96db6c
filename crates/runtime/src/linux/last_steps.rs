//! The last steps before a program: the same for a container's first process and for one that joins.

use super::console::Console;
use super::handshake::Channel;
use super::program::{Program, home_of};
use super::rootfs::Rootfs;
use super::{filter, identity, lsm, process_attributes as attributes};
use crate::error::{At, Result};
use crate::plan::Plan;
use crate::plan::seccomp;
use dhow_sys::process;
use dhow_sys::procfs::Procfs;
use std::convert::Infallible;

/// From the namespace's root user to the program's, in the only order that works; finds the program
/// as that user.
///
/// # Errors
/// The step that failed.
pub fn become_process(
    plan: &Plan,
    root: &Rootfs,
    procfs: &Procfs,
    terminal: Option<&Console>,
) -> Result<Program> {
    let wanted = &plan.process;
    let mut environment = wanted.env.clone();
    if !environment.iter().any(|entry| entry.starts_with("HOME=")) {
        environment.push(format!("HOME={}", home_of(root.as_fd(), wanted.uid)));
    }
    lsm::label_next_exec(procfs, wanted)?;
    attributes::scheduling(plan)?;
    // While still root, which may enter directories that the user may not; the user gets a second try.
    let entered = attributes::working_directory(root, &wanted.cwd);
    if let Some(console) = terminal {
        console.take(wanted.uid, wanted.gid)?;
    }
    let ignored = attributes::ignored_signals(procfs)?;
    let admin = plan.seccomp.is_some() && !wanted.no_new_privileges;
    identity::become_user(wanted, procfs, admin)?;
    if entered.is_err() {
        attributes::working_directory(root, &wanted.cwd)?;
    }
    // The kernel says whether the directory can be reached from the root: if not, it is the host's.
    process::reachable_directory().at("check the working directory")?;
    if wanted.no_new_privileges {
        process::set_no_new_privileges().at("forbid new privileges")?;
    }
    let program = Program::find(root.as_fd(), &wanted.cwd, &wanted.args, &environment)?;
    attributes::restart_quality(ignored, wanted.umask)?;
    Ok(program)
}

/// Lets the program inherit `preserve` descriptors from 3 on, installs the filter, and executes.
///
/// # Errors
/// The step that failed.
pub fn execute(
    program: &Program,
    filter: Option<&seccomp::Program>,
    preserve: u32,
    channel: &Channel,
) -> Result<Infallible> {
    for number in 3..3 + preserve {
        attributes::keep_open(number)?;
    }
    // Last: a filter is written for the program, not for the calls of a runtime.
    if let Some(filter) = filter {
        filter::install(filter, channel)?;
    }
    Err(program.execute())
}

//! Process groups and `execve`.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::error::Error;

/// Makes the child the leader of a process group of its own.
pub(super) fn lead_group(command: &mut Command) {
    command.process_group(0);
}

/// Ends the child and everything in its group.
pub(super) fn end_group(child: &mut Child) {
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    // A group that is gone already is what was wanted.
    if group.is_none_or(|group| kill_process_group(group, Signal::KILL).is_err()) {
        let _ = child.kill();
    }
}

/// Becomes `command`: the terminal, the signals and the exit code are then its own.
///
/// # Errors
/// [`Error::Run`]: when this returns at all.
pub(crate) fn replace_with(mut command: Command) -> Result<std::process::ExitCode, Error> {
    let source = command.exec();
    Err(Error::Run {
        program: command.get_program().to_string_lossy().into_owned(),
        source,
    })
}

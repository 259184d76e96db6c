//! Windows has no process groups of this kind and no `execve`: the child alone is ended, and
//! "becoming" a program is running it and leaving with its exit code.

use std::process::{Child, Command, ExitCode};

use crate::error::Error;

/// Nothing to do on Windows.
pub(super) fn lead_group(_command: &mut Command) {}

/// Ends the child.
pub(super) fn end_group(child: &mut Child) {
    // A child that is gone already is what was wanted.
    let _ = child.kill();
}

/// Runs `command` with our terminal and returns its exit code.
///
/// # Errors
/// [`Error::Run`] when it cannot be started.
pub(crate) fn replace_with(mut command: Command) -> Result<ExitCode, Error> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command
        .status()
        .map_err(|source| Error::Run { program, source })?;
    let code = status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .unwrap_or(1);
    Ok(ExitCode::from(code))
}

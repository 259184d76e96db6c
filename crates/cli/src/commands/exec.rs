//! `dhow exec`: another program in a living container.

use crate::arguments::Global;
use crate::commands::run::environment;
use crate::error::Error;
use dhow_engine::ExecOptions;
use std::path::PathBuf;

/// Flags of `dhow exec`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Run another command in a running container. Everything after the container's name belongs to \
                  the command.\n\nThe exit code is the command's own; 125 when dhow failed, 126 when the command \
                  cannot be executed, 127 when it is not there.\n\nExamples:\n  dhow exec -it web sh\n  dhow exec -u nobody web id"
)]
pub(crate) struct Arguments {
    /// Do not wait for it
    #[arg(long, short)]
    detach: bool,
    /// Pass standard input on
    #[arg(long, short)]
    interactive: bool,
    /// Give it a terminal
    #[arg(long, short)]
    tty: bool,
    /// Set a variable, or pass on the one of that name
    #[arg(long, short, value_name = "NAME[=VALUE]")]
    env: Vec<String>,
    /// Read variables from a file
    #[arg(long, value_name = "FILE")]
    env_file: Vec<PathBuf>,
    /// Work in this directory
    #[arg(long, short, value_name = "DIR")]
    workdir: Option<String>,
    /// Run as this user, by names or numbers
    #[arg(long, short, value_name = "USER[:GROUP]")]
    user: Option<String>,
    /// Give it all capabilities
    #[arg(long)]
    privileged: bool,
    /// Name or id
    #[arg(value_name = "CONTAINER")]
    container: String,
    /// The program and its arguments
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "COMMAND"
    )]
    command: Vec<String>,
}

/// Runs it and returns its exit code.
///
/// # Errors
/// What the engine could not do.
pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<u8, Error> {
    if arguments.tty && arguments.interactive {
        super::run::require_terminal()?;
    }
    let options = ExecOptions {
        command: arguments.command.clone(),
        env: environment::collect(&arguments.env_file, &arguments.env)?,
        workdir: arguments.workdir.clone(),
        user: arguments.user.clone(),
        tty: arguments.tty,
        interactive: arguments.interactive,
        privileged: arguments.privileged,
        detach: arguments.detach,
    };
    Ok(super::open(global)?.exec(&arguments.container, &options)?)
}

//! `dhow completion`: scripts for shells.

use crate::error::Error;
use clap_complete::Shell;

/// Flags of `dhow completion`.
#[derive(Debug, clap::Args)]
#[command(
    visible_alias = "completions",
    after_help = "Example:\n  dhow completion bash > ~/.local/share/bash-completion/completions/dhow"
)]
pub(crate) struct Arguments {
    /// The shell
    shell: Shell,
}

/// Prints the script.
///
/// # Errors
/// When standard output cannot be written.
pub(crate) fn run(arguments: &Arguments) -> Result<u8, Error> {
    let mut script = Vec::new();
    clap_complete::generate(
        arguments.shell,
        &mut crate::arguments::command(),
        "dhow",
        &mut script,
    );
    crate::output::print(&String::from_utf8_lossy(&script))?;
    Ok(0)
}

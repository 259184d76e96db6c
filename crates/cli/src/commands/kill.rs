//! `dhow kill`: a signal.

use crate::arguments::Global;
use crate::error::Error;

/// Flags of `dhow kill`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  dhow kill --signal HUP web")]
pub(crate) struct Arguments {
    /// The signal, by name or number
    #[arg(long, short, default_value = "KILL", value_name = "SIGNAL")]
    signal: String,
    /// Names or ids
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

/// Signals each, and prints what the user called it.
///
/// # Errors
/// What the engine could not do.
pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<u8, Error> {
    let engine = super::open(global)?;
    super::each(&arguments.containers, |name| {
        engine.kill(name, &arguments.signal)?;
        Ok(Some(name.to_owned()))
    })
}

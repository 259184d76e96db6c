//! `dhow wait`: until containers have ended.

use crate::arguments::Global;
use crate::error::Error;

/// Flags of `dhow wait`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  dhow wait web")]
pub(crate) struct Arguments {
    /// Names or ids
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

/// Waits for each in turn, and prints its exit code.
///
/// # Errors
/// What the engine could not do.
pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<u8, Error> {
    let engine = super::open(global)?;
    super::each(&arguments.containers, |name| {
        Ok(Some(engine.wait(name)?.code.to_string()))
    })
}

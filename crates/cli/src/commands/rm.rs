//! `dhow rm`: containers go, with what they wrote.

use crate::arguments::Global;
use crate::error::Error;

/// Flags of `dhow rm`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Remove containers with everything they wrote and their logs. Named volumes stay.\n\nExamples:\n  dhow rm web\n  dhow rm --force web"
)]
pub(crate) struct Arguments {
    /// Kill it first when it runs, and do not mind when it does not exist
    #[arg(long, short)]
    force: bool,
    /// Names or ids
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

/// Removes each, and prints what the user called it.
///
/// # Errors
/// What the engine could not do.
pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<u8, Error> {
    let engine = super::open(global)?;
    super::each(&arguments.containers, |name| {
        match engine.remove(name, arguments.force) {
            Err(dhow_engine::Error::NoSuchContainer { .. }) if arguments.force => Ok(None),
            result => Ok(result.map(|_| Some(name.to_owned()))?),
        }
    })
}

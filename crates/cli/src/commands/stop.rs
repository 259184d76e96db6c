//! `dhow stop`: ask, then kill.

use crate::arguments::Global;
use crate::error::Error;

/// Flags of `dhow stop`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "End containers: send the stop signal (the image's, or TERM), and KILL when they have not \
                  ended in time. Stopping one that does not run is no error.\n\nExample:\n  dhow stop --time 3 web"
)]
pub(crate) struct Arguments {
    /// Seconds to wait before KILL [default: 10]
    #[arg(long, short, visible_alias = "timeout", value_name = "SECONDS")]
    time: Option<u32>,
    /// Names or ids
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

/// Stops each, and prints what the user called it.
///
/// # Errors
/// What the engine could not do.
pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<u8, Error> {
    let engine = super::open(global)?;
    super::each(&arguments.containers, |name| {
        engine.stop(name, arguments.time)?;
        Ok(Some(name.to_owned()))
    })
}

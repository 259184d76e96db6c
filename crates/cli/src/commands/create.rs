//! `dhow create`: a container that waits to be started.

use super::run::{Container, hello, options};
use crate::arguments::Global;
use crate::error::Error;
use crate::output::print;

/// Flags of `dhow create`.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "dhow create [OPTIONS] IMAGE [COMMAND...]\n       dhow create [OPTIONS] --rootfs DIR[:O] COMMAND...",
    after_help = "The options are those of `dhow run`; `dhow start` starts the container.\n\n\
                  Example:\n  dhow create --name web -m 256m web httpd -f"
)]
pub(crate) struct Arguments {
    /// What the container shall be.
    #[command(flatten)]
    container: Container,
}

/// Creates, and prints the id.
///
/// # Errors
/// What the flags or the engine refuse.
pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<u8, Error> {
    let options = options::collect(&arguments.container)?;
    let engine = super::open(global)?;
    hello::provide(&engine, &options.root)?;
    let container = engine.create(&options)?;
    print(&format!("{}\n", container.id))?;
    Ok(0)
}

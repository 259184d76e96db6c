//! `dhow doctor`: what this host offers.

use crate::arguments::Global;
use crate::doctor::{Report, checks, containers_run, text};
use crate::error::Error;
use crate::output::style::Style;
use crate::output::table::width;
use crate::output::{Format, json, print};

/// Flags of `dhow doctor`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Check what this host offers to containers, as the user who asks: one line for each thing, \
                  and for what is missing its price and the way to get it. Everything is found by trying; \
                  nothing is left behind.\n\nThe exit code is 1 when no container can run.\n\nExamples:\n  dhow doctor\n  dhow doctor --format=json | jq '.checks[] | select(.status != \"ok\")'"
)]
pub(crate) struct Arguments {
    /// Print as table or json
    #[arg(long, default_value = "table", value_name = "FORMAT")]
    format: Format,
}

/// Looks, and tells.
///
/// # Errors
/// When standard output cannot be written.
pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<u8, Error> {
    let store = super::configuration(global).root;
    let checks = checks(&store, &crate::siblings::directories());
    let containers_run = containers_run(&checks);
    print(&match arguments.format {
        Format::Table => text(&checks, Style::of_output(), width()),
        Format::Json => json::document(&Report {
            containers_run,
            checks: &checks,
        })?,
    })?;
    Ok(u8::from(!containers_run))
}

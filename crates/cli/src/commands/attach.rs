//! `dhow attach`: this terminal becomes a running container's.

use crate::arguments::Global;
use crate::error::Error;
use dhow_engine::{Attach, Ended};

/// Flags of `dhow attach`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The exit code is the container's, or 0 when you leave by the detach keys.\n\n\
                  Example:\n  dhow attach web"
)]
pub(crate) struct Arguments {
    /// Do not pass standard input on
    #[arg(long)]
    no_stdin: bool,
    /// Pass the signals that dhow gets on to the container
    #[arg(long, value_name = "BOOL", default_value_t = true, num_args = 0..=1, require_equals = true,
          default_missing_value = "true", action = clap::ArgAction::Set)]
    sig_proxy: bool,
    /// The keys that leave without ending the container; "" for none
    #[arg(long, value_name = "KEYS", default_value = "ctrl-p,ctrl-q")]
    detach_keys: String,
    /// Name or id
    #[arg(value_name = "CONTAINER")]
    container: String,
}

/// Attaches until the container ends or the user leaves.
///
/// # Errors
/// What the engine could not do.
pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<u8, Error> {
    let attach = Attach {
        stdin: !arguments.no_stdin,
        forward_signals: arguments.sig_proxy,
        detach_keys: arguments.detach_keys.clone(),
    };
    let ended = super::open(global)?.attach(&arguments.container, &attach)?;
    Ok(match ended {
        Ended::Exited(exit) => exit.code,
        Ended::Detached => 0,
    })
}

//! `dhow start`: containers that were made before, or that have ended, run.

use crate::arguments::Global;
use crate::error::Error;
use dhow_engine::{Attach, Ended};

/// Flags of `dhow start`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  dhow start web\n  dhow start --attach --interactive shell")]
pub(crate) struct Arguments {
    /// Show what it writes, pass signals on, and return its exit code
    #[arg(long, short)]
    attach: bool,
    /// Pass standard input on (attaches, too)
    #[arg(long, short)]
    interactive: bool,
    /// The keys that leave a terminal without ending the container; "" for none
    #[arg(long, value_name = "KEYS", default_value = "ctrl-p,ctrl-q")]
    detach_keys: String,
    /// Names or ids
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

/// Starts each; one of them may be attached.
///
/// # Errors
/// What the engine could not do; several containers cannot share one terminal.
pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<u8, Error> {
    let engine = super::open(global)?;
    if !arguments.attach && !arguments.interactive {
        return super::each(&arguments.containers, |name| {
            engine.start(name)?;
            Ok(Some(name.to_owned()))
        });
    }
    let [name] = arguments.containers.as_slice() else {
        return Err(Error::Usage {
            what: "--attach".into(),
            reason: "one container at a time can be attached".into(),
        });
    };
    let attach = Attach {
        stdin: arguments.interactive,
        forward_signals: true,
        detach_keys: arguments.detach_keys.clone(),
    };
    Ok(match engine.start_attached(name, &attach)? {
        Ended::Exited(exit) => exit.code,
        Ended::Detached => 0,
    })
}

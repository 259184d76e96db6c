//! `dhow run`: the main thing.

pub(crate) mod environment;
mod explain;
mod flags;
pub(crate) mod hello;
pub(crate) mod options;

pub(crate) use flags::{Arguments, Container};

use crate::arguments::Global;
use crate::error::Error;
use crate::output::print;
use dhow_engine::{Attach, ContainerOptions, Ended, Engine};
use std::io::IsTerminal;

/// Runs a container: in the foreground with its exit code, or detached with its id.
///
/// # Errors
/// What the flags, the engine or the runtime refuse.
pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<u8, Error> {
    let options = options::collect(arguments.container())?;
    if options.tty && options.interactive && !arguments.detach {
        require_terminal()?;
    }
    let engine = super::open(global)?;
    hello::provide(&engine, &options.root)?;
    if let Some(form) = arguments.explanation() {
        explain::narrate(&engine, &options, form, arguments.dry_run)?;
    }
    if arguments.dry_run {
        return Ok(0);
    }
    start(&engine, &options, arguments)
}

fn start(engine: &Engine, options: &ContainerOptions, arguments: &Arguments) -> Result<u8, Error> {
    if arguments.detach {
        let container = engine.run_detached(options)?;
        print(&format!("{}\n", container.id))?;
        return Ok(0);
    }
    let attach = Attach {
        stdin: options.interactive,
        forward_signals: arguments.sig_proxy,
        detach_keys: arguments.detach_keys.clone(),
    };
    match engine.run_attached(options, &attach)? {
        Ended::Exited(exit) => Ok(exit.code),
        Ended::Detached => Ok(0),
    }
}

/// Refuses `-it` without a terminal, as docker does: a program that asks for a password would wait
/// for ever.
///
/// # Errors
/// When standard input is no terminal.
pub(crate) fn require_terminal() -> Result<(), Error> {
    if std::io::stdin().is_terminal() {
        return Ok(());
    }
    Err(Error::Usage {
        what: "--tty --interactive".into(),
        reason: "standard input is no terminal; leave --tty away to pass a pipe or a file on"
            .into(),
    })
}

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
use explain::To;
use flags::Form;
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
    if arguments.dry_run {
        let form = arguments.explanation().unwrap_or(Form::Text);
        explain::narrate(&engine.explain(&options)?, form, To::Output)?;
        return Ok(0);
    }
    let attach = Attach {
        stdin: options.interactive,
        forward_signals: arguments.sig_proxy,
        detach_keys: arguments.detach_keys.clone(),
    };
    match (arguments.explanation(), arguments.detach) {
        (Some(form), detach) => explained(&engine, &options, form, (!detach).then_some(&attach)),
        (None, true) => started(&engine.run_detached(&options)?),
        (None, false) => Ok(code(&engine.run_attached(&options, &attach)?)),
    }
}

/// Creates, tells the plan of this very container, and starts it, detached without `attach`.
fn explained(
    engine: &Engine,
    options: &ContainerOptions,
    form: Form,
    attach: Option<&Attach>,
) -> Result<u8, Error> {
    let container = engine.create(options)?;
    let told = engine
        .plan(&container.id)
        .map_err(Error::from)
        .and_then(|plan| explain::narrate(&plan, form, To::Errors));
    if let Err(error) = told {
        // What could not be told was not started; the user hears why.
        engine.remove(&container.id, true)?;
        return Err(error);
    }
    match attach {
        None => started(&engine.start(&container.id)?),
        Some(attach) => Ok(code(&engine.start_attached(&container.id, attach)?)),
    }
}

fn started(container: &dhow_engine::Container) -> Result<u8, Error> {
    print(&format!("{}\n", container.id))?;
    Ok(0)
}

fn code(ended: &Ended) -> u8 {
    match ended {
        Ended::Exited(exit) => exit.code,
        Ended::Detached => 0,
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

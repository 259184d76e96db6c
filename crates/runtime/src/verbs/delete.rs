//! `delete`: removes a container.

use super::chosen;
use crate::cli::{Arguments, Global, Usage, switch};
use crate::error::{Error, Result};
use crate::linux::container::Container;
use crate::linux::removal;
use crate::logging;
use crate::state::Verb;
use std::ffi::OsString;

/// The command line.
pub const USAGE: Usage = Usage {
    verb: "delete",
    arguments: "[OPTIONS] ID",
    summary: "Remove a stopped container",
    flags: &[
        switch(
            "force",
            Some('f'),
            "kill a living one first; no error when there is none",
        ),
        chosen::REGEX,
    ],
    verbatim_after: None,
    example: "dhow-runtime delete --force web",
};

/// Runs the verb.
///
/// # Errors
/// [`Error::NoContainer`], [`Error::State`] without `--force`, or the step that failed.
pub fn run(global: &Global, arguments: Vec<OsString>) -> Result<u8> {
    let arguments = Arguments::read(&USAGE, arguments)?;
    let force = arguments.is_on("force");
    chosen::each(global, &USAGE, &arguments, arguments.id(&USAGE)?, |id| {
        one(global, id, force)
    })
}

fn one(global: &Global, id: &str, force: bool) -> Result<()> {
    let container = match Container::open(&global.root, id) {
        Err(Error::NoContainer(_)) if force => return Ok(()),
        result => result?,
    };
    if !force {
        let record = container.record()?;
        container.allow(
            container.status(record.as_ref())?,
            Verb::Delete { force },
            "delete",
        )?;
    }
    for problem in removal::remove(&container, force)? {
        logging::note(global, "warning", &problem.to_string());
    }
    Ok(())
}

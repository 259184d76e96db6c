//! Start a container: hand it to a monitor and hear that it runs.

use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::monitor::{self, Connection};
use crate::record::Record;
use crate::runtime;
use crate::status;
use crate::store::Locked;
use crate::view::{Container, State};
use std::ffi::OsString;

/// How the caller takes part.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part {
    /// Whether it stays for the output.
    pub(crate) attached: bool,
    /// Columns and rows of its terminal.
    pub(crate) size: Option<(u16, u16)>,
}

/// Columns and rows of a container's terminal that nobody looks at.
pub(crate) const DEFAULT_SIZE: (u16, u16) = (80, 24);

/// In the background.
pub(crate) const DETACHED: Part = Part {
    attached: false,
    size: None,
};

/// Starts a container by name.
pub(crate) fn start(engine: &Engine, name: &str) -> Result<Container> {
    let (directory, record) = engine.lock(name)?;
    launch(engine, &directory, &record, DETACHED)?;
    Ok(Container {
        id: record.id,
        name: record.name,
    })
}

/// Starts a container that this process has locked.
pub(crate) fn launch(
    engine: &Engine,
    directory: &Locked,
    record: &Record,
    part: Part,
) -> Result<Connection> {
    let store = engine.store();
    if let State::Running { .. } = status::state(store, directory.directory())? {
        return Err(Error::WrongState {
            verb: "start",
            name: record.name.clone(),
            state: "running",
        });
    }
    let program = runtime::find(&engine.config().monitor)?;
    // From here on the former run is forgotten: without these two files it counts as created.
    directory.remove_file("exit")?;
    directory.remove_file("started")?;
    store.make_living(&record.id)?;
    let started = monitor::start(&program, &words(engine, record, part)?);
    if started.is_err() {
        // The first failure is the one to tell.
        let _ = store.remove_living(&record.id);
    }
    started
}

/// The monitor's command line.
fn words(engine: &Engine, record: &Record, part: Part) -> Result<Vec<OsString>> {
    let (store, options) = (engine.store(), &record.options);
    let mut words: Vec<OsString> = vec!["--id".into(), record.id.clone().into()];
    words.extend(["--container".into(), store.directory_of(&record.id).into()]);
    words.extend(["--run".into(), store.living_of(&record.id).into()]);
    if options.tty {
        let (columns, rows) = part.size.unwrap_or(DEFAULT_SIZE);
        words.extend(["--tty".into(), format!("{columns}x{rows}").into()]);
    }
    if options.interactive {
        words.push("--stdin".into());
    }
    if part.attached {
        words.push("--attached".into());
    }
    if let Some(size) = engine.config().log_max_size {
        words.extend(["--log-max".into(), size.to_string().into()]);
    }
    if let Some(file) = &record.oom_file {
        words.extend(["--oom".into(), file.clone().into()]);
    }
    if options.remove {
        for word in engine.cleanup_words(&record.id)? {
            words.extend(["--at-exit".into(), word]);
        }
    }
    words.push("--".into());
    words.extend(engine.runtime(&record.runtime).words());
    Ok(words)
}

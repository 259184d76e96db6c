//! The engine where no container runtime of ours exists yet: one clear refusal at the door.

use crate::options::ContainerOptions;
use crate::view::{
    Attach, Container, Details, Ended, ExecOptions, Exit, ImageSummary, LogLine, LogOptions, Plan,
    Summary,
};
use crate::{Config, Error, Result};
use std::io::Read;
use std::ops::ControlFlow;
use std::path::Path;

/// An engine, which on this system cannot be opened.
#[derive(Debug)]
pub enum Engine {}

/// The user id in the sense of [`Config::detect`]: here everybody has their own directories.
pub(crate) fn user() -> u32 {
    1000
}

/// Helper processes, which this system does not need.
pub mod rootless {
    /// Does nothing here.
    pub fn intercept() {}
}

macro_rules! unreachable_verbs {
    ($($name:ident($($argument:ident: $type:ty),*) -> $result:ty;)*) => {
        impl Engine {
            $(
                /// Not reachable: no engine can be opened on this system.
                ///
                /// # Errors
                /// None.
                pub fn $name(&self, $($argument: $type),*) -> Result<$result> {
                    let _ = ($($argument,)*);
                    match *self {}
                }
            )*
        }
    };
}

impl Engine {
    /// Refuses.
    ///
    /// # Errors
    /// `Unsupported`, always.
    #[allow(clippy::needless_pass_by_value)] // As on Linux, where the engine keeps it.
    pub fn open(config: Config) -> Result<Self> {
        Err(Error::unsupported(
            format!("an engine in {}", config.root.display()),
            "containers on this system are not there yet: use Linux",
        ))
    }

    /// Not reachable: no engine can be opened on this system.
    #[must_use]
    pub fn config(&self) -> &Config {
        match *self {}
    }
}

unreachable_verbs! {
    create(options: &ContainerOptions) -> Container;
    start(name: &str) -> Container;
    start_attached(name: &str, attach: &Attach) -> Ended;
    run_attached(options: &ContainerOptions, attach: &Attach) -> Ended;
    run_detached(options: &ContainerOptions) -> Container;
    attach(name: &str, attach: &Attach) -> Ended;
    wait(name: &str) -> Exit;
    stop(name: &str, timeout: Option<u32>) -> Container;
    kill(name: &str, signal: &str) -> Container;
    remove(name: &str, force: bool) -> Container;
    exec(name: &str, options: &ExecOptions) -> u8;
    logs(name: &str, options: &LogOptions, sink: &mut dyn FnMut(LogLine<'_>) -> ControlFlow<()>) -> ();
    list(all: bool) -> Vec<Summary>;
    inspect(name: &str) -> Details;
    plan(name: &str) -> Plan;
    explain(options: &ContainerOptions) -> Plan;
    sweep() -> usize;
    load(path: &Path) -> Vec<ImageSummary>;
    load_stream(stream: &mut dyn Read) -> Vec<ImageSummary>;
    add_program_image(name: &str, program: &Path) -> ImageSummary;
    images() -> Vec<ImageSummary>;
    image(name: &str) -> ImageSummary;
}

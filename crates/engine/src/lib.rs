//! What a container is, how it is remembered, and what may be done with it.
//!
//! [`Engine`] is the only door: the command line and the API server use it inside their own
//! process, no daemon stands behind it. A container outlives its caller because `dhow-monitor` holds it;
//! runtimes and the monitor are known by their command lines only.
//!
//! Files are the truth: one directory and one lock per container, names by exclusive create, writes
//! by rename. What is on the disk says what was asked and how it ended; whether a container runs is
//! asked of the kernel each time and never trusted from a file.

#![forbid(unsafe_code)]

mod config;
mod error;
mod hints;
pub mod options;
mod view;

pub use config::Config;
pub use error::{Error, Kind, ProgramFault, Result, RuntimeFailure};
pub use options::ContainerOptions;
pub use view::{
    Attach, Container, Details, Ended, ExecOptions, Exit, ImageSummary, LogLine, LogOptions,
    Moment, Plan, State, Stream, Summary,
};

#[cfg(target_os = "linux")]
mod bundle;
#[cfg(target_os = "linux")]
mod container;
#[cfg(target_os = "linux")]
mod detach_keys;
#[cfg(target_os = "linux")]
mod doing;
#[cfg(target_os = "linux")]
mod engine;
#[cfg(all(target_os = "linux", feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(target_os = "linux")]
mod host;
#[cfg(target_os = "linux")]
mod idmap;
#[cfg(target_os = "linux")]
mod images;
#[cfg(target_os = "linux")]
mod monitor;
#[cfg(target_os = "linux")]
mod names;
#[cfg(target_os = "linux")]
mod record;
#[cfg(target_os = "linux")]
pub mod rootless;
#[cfg(target_os = "linux")]
mod runtime;
#[cfg(target_os = "linux")]
mod seccomp_profile;
#[cfg(target_os = "linux")]
mod signals;
#[cfg(target_os = "linux")]
mod status;
#[cfg(target_os = "linux")]
mod store;
#[cfg(target_os = "linux")]
pub use engine::Engine;

#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(not(target_os = "linux"))]
pub use elsewhere::{Engine, rootless};

//! The verbs: each file holds one verb's flags and one `run` function.

#[cfg(target_os = "linux")]
pub mod checkpoint;
#[cfg(target_os = "linux")]
pub mod chosen;
#[cfg(target_os = "linux")]
pub mod create;
#[cfg(target_os = "linux")]
pub mod delete;
#[cfg(target_os = "linux")]
pub mod events;
#[cfg(target_os = "linux")]
pub mod exec;
#[cfg(target_os = "linux")]
pub mod features;
#[cfg(target_os = "linux")]
pub mod kill;
#[cfg(target_os = "linux")]
pub mod list;
#[cfg(target_os = "linux")]
pub mod pause;
pub mod plan;
#[cfg(target_os = "linux")]
pub mod ps;
#[cfg(target_os = "linux")]
pub mod restore;
#[cfg(target_os = "linux")]
pub mod resume;
#[cfg(target_os = "linux")]
pub mod run;
pub mod spec;
#[cfg(target_os = "linux")]
pub mod start;
#[cfg(target_os = "linux")]
pub mod state;
#[cfg(target_os = "linux")]
pub mod update;

use crate::cli::{Global, Usage};
use crate::error::Result;
use std::ffi::OsString;

/// A verb: its command line, and what it does; the result is the exit code.
pub type Verb = (&'static Usage, fn(&Global, Vec<OsString>) -> Result<u8>);

/// The verbs that need no kernel, the same everywhere.
pub const PURE: &[Verb] = &[(&plan::USAGE, plan::run), (&spec::USAGE, spec::run)];

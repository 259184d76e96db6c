#![forbid(unsafe_code)]
//! How limits are set on a container's processes, and how what they use is read.
//!
//! Three words: a *hierarchy* is one mounted tree of control groups (cgroup v2 is one, v1 is one per
//! controller); a *group* here is one container's directory in each hierarchy of the host; a
//! *setting* is one value for one control file.
//!
//! The order that must hold: `Group::plan` (names only) → the caller writes the names down →
//! `Group::create` (directories, limits) → `Group::clone_target` or `Group::add` (the process) →
//! `Group::kill`, `Group::remove`. Limits stand before the first process, so nothing ever runs
//! without them.
//!
//! What is asked for ([`Resources`]) is plain data and compiles everywhere; control groups exist on
//! Linux only.

#[cfg(target_os = "linux")]
mod change;
mod check;
mod error;
pub mod report;
pub mod resources;
pub mod stats;

#[cfg(target_os = "linux")]
mod linux;

pub use error::{Error, ErrorKind};
pub use report::Report;
pub use resources::Resources;
pub use stats::Stats;

#[cfg(target_os = "linux")]
pub use linux::{Driver, Group, Host, OomWatch, Request};

/// The result of a call of this crate.
pub type Result<T> = std::result::Result<T, Error>;

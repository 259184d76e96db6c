//! The dhow OCI runtime: how a bundle becomes a process.
//!
//! [`bundle`] reads, [`plan`] decides, `linux::birth` acts, and `linux::container` remembers. The
//! binary `dhow-runtime` puts the OCI command line in front; the library exists for tests and fuzzing.

#![forbid(unsafe_code)]

pub mod bundle;
pub mod cli;
pub mod clock;
pub mod error;
pub mod logging;
pub mod output;
pub mod pattern;
pub mod plan;
pub mod platform;
pub mod quantity;
pub mod seal;
pub mod spec;
pub mod state;
pub mod verbs;

#[cfg(target_os = "linux")]
pub mod hooks;
#[cfg(target_os = "linux")]
pub mod linux;
#[cfg(not(target_os = "linux"))]
pub mod windows;

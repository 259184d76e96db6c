//! The floor: kernel and Windows calls, one per function, and the only crate where `unsafe` may stand.
//!
//! Every function takes borrowed and returns owned descriptors, sets close-on-exec by itself, and
//! fails with an [`Error`] that prints like a line of strace: the call, all its arguments, the
//! errno. Nothing here decides anything: policy lives above.

#![allow(unsafe_code)]

pub mod capability;
mod error;
pub mod heap;
pub use error::{Error, Result};

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub use linux::*;

//! What is fuzzed, and what must hold for every input.
//!
//! Each module is one target: its `check` takes any bytes and panics when dhow's answer differs from an
//! oracle that was written from the documents, not from the code. `fuzz_targets/` puts libFuzzer in front
//! (`cargo xtask fuzz`); `tests/corpus.rs` gives them the kept inputs in every run of the suite.
#![forbid(unsafe_code)]

#[cfg(target_os = "linux")]
pub mod bytes;
#[cfg(target_os = "linux")]
pub mod cpuset;
#[cfg(target_os = "linux")]
pub mod mountopt;
#[cfg(target_os = "linux")]
pub mod seccomp;
#[cfg(target_os = "linux")]
pub mod signal;
#[cfg(target_os = "linux")]
pub mod size;
#[cfg(target_os = "linux")]
pub mod spec;
#[cfg(target_os = "linux")]
pub mod state;
#[cfg(target_os = "linux")]
mod targets;
#[cfg(target_os = "linux")]
pub mod user;

#[cfg(target_os = "linux")]
pub use targets::{Check, TARGETS};

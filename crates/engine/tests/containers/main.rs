//! Containers on the real kernel, through the engine's door, with our own runtime and monitor.
//!
//! Needs root, busybox, and the programs beside the test's own (`cargo build -p dhow-runtime -p
//! dhow-monitor`, or `DHOW_BIN_DIR`); without them each test says `skipped:` and why.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::print_stdout)]
#![allow(clippy::semicolon_if_nothing_returned)]

mod failures;
mod life;
mod output;
mod rig;
mod rootless;
mod survival;

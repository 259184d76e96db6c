//! The image crate on a real filesystem.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::too_many_lines,
    clippy::cast_precision_loss,
    reason = "tests fail by unwrapping, say what they skip, and hold tables"
)]

mod archives;
mod concurrency;
mod foreign;
mod hostile;
mod layers;
mod limits;
mod rootless;
mod scratch;
mod snapshots;
mod speed;
mod store;
mod tarball;

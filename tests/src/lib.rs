//! The harness of the integration suite.
//!
//! Why it exists: every claim about a container is checked on the real kernel, with the real
//! binaries, beside the other runtimes. For that each test needs the same few things: a root of
//! its own, a bundle, commands that cannot hang, and proof that nothing was left behind.
//!
//! The order that must hold in one test ([`Test::run`]): snapshot, body, delete what the body
//! created, compare with the snapshot, remove the root. Everything a test makes carries its
//! *mark*, a word found in no other test, so tests may run side by side.
//!
//! Reading order: [`test`](mod@test), [`command`], [`bundle`], [`container`], [`leak`]; [`engine`] and [`image`] for the `dhow` command.
#![forbid(unsafe_code)]
#![cfg(target_os = "linux")]

pub mod bundle;
pub mod canary;
pub mod command;
pub mod config;
pub mod console;
pub mod container;
pub mod engine;
pub mod host;
pub mod image;
pub mod leak;
pub mod needs;
pub mod processes;
pub mod program;
pub mod racer;
pub mod report;
pub mod schema;
pub mod test;
pub mod trace;
pub mod view;

pub use bundle::Bundle;
pub use canary::Canary;
pub use command::{Cmd, Output, Running};
pub use config::Config;
pub use container::Container;
pub use engine::Dhow;
pub use image::{Image, Layer};
pub use program::Kind;
pub use racer::Racer;
pub use report::Baseline;
pub use test::Test;
pub use trace::Trace;

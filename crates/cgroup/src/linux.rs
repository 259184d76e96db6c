//! Control groups, versions 1 and 2.

mod create;
mod delegate;
mod devices;
mod freeze;
mod group;
mod hierarchy;
mod host;
mod inner;
mod kill;
mod layout;
mod oom;
mod remove;
mod report;
mod settings;
mod statistics;
mod systemd;
mod update;
mod write;

pub use group::{Driver, Group, Request};
pub use host::Host;
pub use oom::OomWatch;

//! The integration suite, one binary: linking it once is most of its cost on two cores.
//!
//! `harness` tests the harness itself; `verbs` has one file per verb; `config` one file per part
//! of config.json; `foreign` drives the runtime by the engines of others; `security` carries the
//! ids of SECURITY.md; `reliability` repeats; `faults` lets every call fail once; `engine` drives the `dhow` command; `examples` runs them.
#![forbid(unsafe_code)]
#![cfg(target_os = "linux")]

mod config;
mod engine;
mod examples;
mod faults;
mod foreign;
mod harness;
mod reliability;
mod security;
mod verbs;

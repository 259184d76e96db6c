//! The integration suite, one binary: linking it once is most of its cost on two cores.
//!
//! `harness` tests the harness itself; `verbs` has one file per verb; `config` one file per part
//! of config.json; `security` carries the ids of SECURITY.md; `reliability` repeats.
#![cfg(target_os = "linux")]

#[path = "suite/harness.rs"]
mod harness;

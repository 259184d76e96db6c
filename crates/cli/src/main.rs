//! `dhow`: containers from the command line.
//!
//! This crate owns flags, text and exit codes, nothing else: what a container is lives in the
//! engine. The order in `main` matters: hidden helper modes first, because they must run in a process
//! that has done nothing yet.
#![forbid(unsafe_code)]

mod arguments;
mod commands;
mod doctor;
mod error;
mod hidden;
mod later;
mod output;
mod siblings;
mod terminal;

use std::process::ExitCode;

/// The exit code of everything that failed before a container's own program could.
const FAILED: u8 = 125;

fn main() -> ExitCode {
    dhow_engine::rootless::intercept();
    if let Some(code) = hidden::run() {
        return code;
    }
    let result = match arguments::parse(std::env::args_os()) {
        Ok(arguments) => commands::run(arguments),
        Err(refusal) => return refusal.print(),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            error::print(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

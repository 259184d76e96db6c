//! Dispatch: the report, or one act.

use crate::{act, report};
use std::io::Write as _;
use std::process::ExitCode;

/// Prints the report, or does what the first argument names.
pub(crate) fn main() -> ExitCode {
    let words: Vec<String> = std::env::args_os()
        .skip(1)
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    match words.split_first() {
        None => print(&report::everything()),
        Some((act, words)) => match act::perform(act, words) {
            act::Done::Said(answer) => print(&answer),
            act::Done::Code(code) => ExitCode::from(code),
        },
    }
}

fn print(answer: &serde_json::Value) -> ExitCode {
    match writeln!(std::io::stdout(), "{answer}") {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("probe: cannot write: {error}");
            ExitCode::FAILURE
        }
    }
}

//! `dhow-runtime`: protect ourselves, find the verb, run it, turn the result into an exit code.

#![forbid(unsafe_code)]

use dhow_runtime::cli::{self, Asked, Global};
use dhow_runtime::error::{Error, Result};
use dhow_runtime::verbs::{PURE, Verb};
use dhow_runtime::{logging, output, platform};
use std::ffi::OsString;
use std::process::ExitCode;

#[cfg(not(feature = "system-allocator"))]
mod allocator;

fn main() -> ExitCode {
    match cli::read(std::env::args_os().skip(1), platform::default_root) {
        Ok(Asked::Help) => print(&general_help()),
        Ok(Asked::Version) => print(&version()),
        Ok(Asked::Verb(global, verb, arguments)) => dispatch(&global, &verb, arguments),
        Err(error) => fail(&Global::default(), "dhow-runtime", &error),
    }
}

fn all() -> impl Iterator<Item = &'static Verb> {
    platform::verbs().iter().chain(PURE)
}

fn dispatch(global: &Global, word: &str, arguments: Vec<OsString>) -> ExitCode {
    if word == "help" {
        return print(&general_help());
    }
    let Some((usage, run)) = all().find(|(usage, _)| usage.verb == word) else {
        return fail(
            global,
            word,
            &Error::Usage(format!("unknown verb {word:?} (see `dhow-runtime --help`)")),
        );
    };
    if arguments
        .first()
        .is_some_and(|first| first == "--help" || first == "-h")
    {
        return print(&cli::help(usage));
    }
    logging::debug(global, &format!("{word}: begins"));
    let result: Result<u8> = platform::prepare(usage).and_then(|()| run(global, arguments));
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => fail(global, word, &error),
    }
}

/// Failures end with 1 like the other runtimes', `exec` with 255, so that its caller can tell them
/// from the program's own code.
fn fail(global: &Global, verb: &str, error: &Error) -> ExitCode {
    logging::failed(global, verb, error);
    ExitCode::from(if verb == "exec" { 255 } else { 1 })
}

fn general_help() -> String {
    let mut verbs: Vec<_> = all().map(|(usage, _)| *usage).collect();
    verbs.sort_by_key(|usage| usage.verb);
    cli::general_help(&verbs)
}

fn version() -> String {
    format!(
        "dhow-runtime version {}\nspec: 1.3.0\n",
        env!("CARGO_PKG_VERSION")
    )
}

fn print(text: &str) -> ExitCode {
    match output::print(text) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&Global::default(), "dhow-runtime", &error),
    }
}

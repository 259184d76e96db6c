//! Telling what went wrong: to people on standard error, to engines in the log file.
//!
//! Engines read the log as one JSON object per line, or lines of `key=value`, in the other runtimes'
//! words: `level`, `msg`, `time`.

mod host_log;

use crate::cli::Global;
use crate::error::{Error, Failure, remedy};
use host_log::HostLog;
use std::io::{IsTerminal, Write};

/// Writes one message to the log file, if there is one.
pub fn note(global: &Global, level: &str, message: &str) {
    let Some(path) = &global.log else { return };
    if global.errors_only && level != "error" {
        return;
    }
    if let Some(log) = HostLog::of(path) {
        return log.write(level, message);
    }
    let time = crate::clock::now();
    let line = if global.json {
        serde_json::json!({ "level": level, "msg": message, "time": time }).to_string()
    } else {
        format!("time={time:?} level={level} msg={message:?}")
    };
    // A log that cannot be written must not hide what happened: standard error has it too.
    if let Ok(mut file) = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
    {
        let _ = writeln!(file, "{line}");
    }
}

/// Writes what is being done, with `--debug` only.
pub fn debug(global: &Global, message: &str) {
    if global.debug {
        note(global, "debug", message);
    }
}

/// Reports why a verb failed: laid out for people, on one line for programs, which often hand on one
/// line only.
pub fn failed(global: &Global, verb: &str, error: &Error) {
    note(global, "error", &error.to_string());
    let mut stderr = std::io::stderr();
    let text = if stderr.is_terminal() {
        layout(verb, error)
    } else {
        format!("error: {error}")
    };
    let _ = writeln!(stderr, "{text}");
}

fn steps(verb: &str, step: &str, cause: &str, code: i32) -> String {
    let remedy = remedy(cause, code);
    format!("error: {verb} failed\n  in step: {step}\n  caused by: {cause}{remedy}")
}

/// The error as people read it: what failed, in which step, because of what.
#[must_use]
pub fn layout(verb: &str, error: &Error) -> String {
    match error {
        Error::Step { step, source } => steps(verb, step, &source.to_string(), source.code()),
        Error::Birth(Failure { step, text, code }) if !step.is_empty() => {
            steps(verb, step, text, *code)
        }
        other => format!("error: {other}"),
    }
}

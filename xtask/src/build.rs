//! Building the programs, and `cargo dhow`.
//!
//! dhow's programs find each other side by side in one directory, so they are always built
//! together: one of them alone would run against a stale sibling.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Duration;

use serde::Deserialize;

use crate::child;
use crate::error::Error;
use crate::repository::{self, Metadata};
use crate::static_target;

/// A cold release build with link-time optimisation takes minutes on a small machine.
const LIMIT: Duration = Duration::from_secs(40 * 60);

/// A line of `cargo build --message-format=json`, as far as we need it.
#[derive(Deserialize)]
struct Message {
    executable: Option<PathBuf>,
    target: Option<MessageTarget>,
}

#[derive(Deserialize)]
struct MessageTarget {
    name: String,
}

/// `cargo xtask build [--profile P]`.
///
/// # Errors
/// When the command line is wrong or the build fails.
pub(crate) fn task(mut arguments: lexopt::Parser) -> Result<ExitCode, Error> {
    let mut profile = "release".to_owned();
    while let Some(argument) = arguments.next()? {
        match argument {
            lexopt::Arg::Long("profile") => {
                profile = arguments.value()?.to_string_lossy().into_owned();
            }
            other => return Err(other.unexpected().into()),
        }
    }
    let metadata = repository::metadata()?;
    for path in programs(&metadata, &profile, Audience::Users)?.values() {
        println!("{}", path.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// `cargo dhow ARG…`: builds in release mode, then becomes `dhow ARG…`.
///
/// # Errors
/// When the build fails or the program cannot be started.
pub(crate) fn dhow(arguments: Vec<OsString>) -> Result<ExitCode, Error> {
    let metadata = repository::metadata()?;
    let built = programs(&metadata, "release", Audience::Users)?;
    let path = built.get("dhow").ok_or_else(|| Error::Form {
        what: "the workspace".into(),
        why: "no package builds a program named dhow".into(),
    })?;
    let mut dhow = Command::new(path);
    dhow.args(arguments);
    child::replace_with(dhow)
}

/// Whose programs to build.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    /// What is shipped.
    Users,
    /// Also the programs that only the integration suite starts.
    Tests,
}

/// Builds the programs and says where each is.
///
/// # Errors
/// [`Error::Failed`] with the compiler's words when the build fails.
pub(crate) fn programs(
    metadata: &Metadata,
    profile: &str,
    audience: Audience,
) -> Result<BTreeMap<String, PathBuf>, Error> {
    let mut cargo = repository::cargo();
    cargo.args([
        "build",
        "--bins",
        "--message-format=json-render-diagnostics",
    ]);
    cargo.args(["--profile", profile]);
    if let Some(target) = static_target::find() {
        cargo.args(["--target", &target]);
    }
    for package in metadata
        .packages
        .iter()
        .filter(|package| package.has_program())
    {
        if package.shipped() || (audience == Audience::Tests && package.name == "dhow-tests") {
            cargo.args(["--package", &package.name]);
        }
    }
    let mut told = false;
    let finished = child::run_watched(cargo, LIMIT, |line| {
        if !told && line.trim_start().starts_with("Compiling") {
            told = true;
            eprintln!("compiling dhow ({profile} profile; the first time takes a few minutes) …");
        }
    })?;
    if !finished.success() {
        let words: Vec<&str> = finished
            .output
            .lines()
            .filter(|line| !line.starts_with('{'))
            .collect();
        return Err(Error::Failed {
            program: "cargo build".into(),
            outcome: finished.outcome(),
            output: words.join("\n"),
        });
    }
    Ok(executables(&finished.output))
}

/// The programs that `cargo build` says it made, in its JSON messages.
pub(crate) fn executables(output: &str) -> BTreeMap<String, PathBuf> {
    let messages = output
        .lines()
        .filter_map(|line| serde_json::from_str::<Message>(line).ok());
    messages
        .filter_map(|message| Some((message.target?.name, message.executable?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_in_cargos_messages() {
        let output = concat!(
            "   Compiling dhow-cli v0.1.0\n",
            r#"{"reason":"compiler-artifact","target":{"name":"dhow_sys"},"executable":null}"#,
            "\n",
            r#"{"reason":"compiler-artifact","target":{"name":"dhow"},"executable":"/t/dhow"}"#,
            "\n",
            r#"{"reason":"build-finished","success":true}"#,
        );
        let found = executables(output);
        assert_eq!(found.len(), 1);
        assert_eq!(found["dhow"], PathBuf::from("/t/dhow"));
    }
}

//! `cargo xtask bench`: speed beside rivals, as ratios measured in one run.
//!
//! Milliseconds of one machine say little to the reader of another, and even on one machine they
//! drift with its load. So everything that is compared is measured interleaved, round by round, and
//! the table shows medians and how they compare. Nothing here ever fails for being slow.

mod bundle;
mod engine;
mod launcher;
mod rivals;
mod runtime;
mod table;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use crate::child;
use crate::error::Error;
use crate::repository;

/// What the command line asked for.
#[derive(Debug)]
struct Options {
    rounds: usize,
    json: bool,
    /// A runtime of ours that is already built, in place of building one.
    ours: Option<PathBuf>,
    /// See control groups as on a host with version 2 alone.
    only_v2: bool,
}

/// `cargo xtask bench runtime|engine [--rounds N] [--format table|json] [--ours PATH] [--only-v2]`.
///
/// # Errors
/// When the command line is wrong, we are not root, or something needed is missing.
pub(crate) fn task(mut arguments: lexopt::Parser) -> Result<ExitCode, Error> {
    let mut which = None;
    let mut options = Options {
        rounds: 20,
        json: false,
        ours: None,
        only_v2: false,
    };
    while let Some(argument) = arguments.next()? {
        match argument {
            lexopt::Arg::Long("rounds") => {
                options.rounds = lexopt::ValueExt::parse(&arguments.value()?)?;
            }
            lexopt::Arg::Long("only-v2") => options.only_v2 = true,
            lexopt::Arg::Long("ours") => options.ours = Some(PathBuf::from(arguments.value()?)),
            lexopt::Arg::Long("format") => {
                let format = arguments.value()?;
                options.json = format == "json";
                if !options.json && format != "table" {
                    return Err(lexopt::Error::from(format!(
                        "unknown format {}",
                        format.display()
                    ))
                    .into());
                }
            }
            lexopt::Arg::Value(value) if which.is_none() => which = Some(value),
            other => return Err(other.unexpected().into()),
        }
    }
    if text_of("id", &["-u"])?.trim() != "0" {
        let why = "containers with a network namespace and cgroups are compared as root sees them";
        return Err(Error::Missing {
            tool: "root".into(),
            why: why.into(),
        });
    }
    if options.only_v2 && std::env::var_os(IN_VIEW).is_none() {
        return in_view();
    }
    let table = match which.as_ref().and_then(|which| which.to_str()) {
        Some("runtime") => runtime::measure(&options)?,
        Some("engine") => engine::measure(&options)?,
        _ => return Err(lexopt::Error::from("bench what? runtime or engine").into()),
    };
    print!(
        "{}",
        if options.json {
            table.json()
        } else {
            table.text()
        }
    );
    Ok(ExitCode::SUCCESS)
}

/// Set in the process that measures in the other view of control groups.
const IN_VIEW: &str = "DHOW_BENCH_IN_VIEW";

/// Runs this command again, in a mount namespace with cgroup v2 alone.
fn in_view() -> Result<ExitCode, Error> {
    let script = repository::root().join("xtask/bench/only-v2.sh");
    let own = std::env::current_exe().map_err(|source| Error::Read {
        path: PathBuf::from("/proc/self/exe"),
        source,
    })?;
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh"]).arg(script).arg(own);
    command.args(std::env::args_os().skip(1)).env(IN_VIEW, "1");
    let status = command.status().map_err(|source| Error::Run {
        program: "unshare".into(),
        source,
    })?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What a program prints.
fn text_of(program: &str, arguments: &[&str]) -> Result<String, Error> {
    let mut command = Command::new(program);
    command.args(arguments);
    child::output_of(command, Duration::from_secs(120))
}

fn make_folder(path: &Path) -> Result<(), Error> {
    fs::create_dir_all(path).map_err(|source| Error::Write {
        path: path.to_path_buf(),
        source,
    })
}

fn write_file(path: &Path, text: &str) -> Result<(), Error> {
    fs::write(path, text).map_err(|source| Error::Write {
        path: path.to_path_buf(),
        source,
    })
}

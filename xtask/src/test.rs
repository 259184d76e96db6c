//! `cargo xtask test`: everything that must hold before a change is merged, in one command.
//!
//! It needs nothing but this repository: what is missing on the machine is installed when it can
//! be, and named when it cannot. A test that this host cannot run is skipped with its reason and
//! counted as skipped, never as passed. The last line has the numbers, in a form that programs read.

#[cfg(unix)]
mod criu;
#[cfg(not(unix))]
#[path = "test/criu_elsewhere.rs"]
mod criu;
pub(crate) mod faults;
mod fuzzing;
mod libtest;
mod nextest;
mod packages;
mod results;
#[cfg(target_os = "linux")]
mod sanitized;
#[cfg(not(target_os = "linux"))]
#[path = "test/sanitized_elsewhere.rs"]
mod sanitized;
mod suite;
#[cfg(target_os = "linux")]
mod vm;
#[cfg(not(target_os = "linux"))]
#[path = "test/vm_elsewhere.rs"]
mod vm;

use std::env;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Duration;

use crate::build::{self, Audience};
use crate::child::{self, Finished};
use crate::error::Error;
use crate::repository::{self, Metadata};
use crate::{layers, style};
use results::{Outcome, Results};

/// What the command line asked for.
#[derive(Debug, Default)]
struct Options {
    vm: bool,
    quick: bool,
    long: bool,
    asan: bool,
    filter: Option<String>,
}

/// `cargo xtask test [--vm] [--quick | --long] [--asan] [FILTER]`.
///
/// # Errors
/// When the command line is wrong or Cargo cannot be run at all. A failing check is counted.
pub(crate) fn task(arguments: lexopt::Parser) -> Result<ExitCode, Error> {
    let options = parse(arguments)?;
    let metadata = repository::metadata()?;
    let mut results = Results::default();
    if options.filter.is_none() {
        if !options.quick {
            packages::install()?;
        }
        checks(&metadata, &mut results)?;
    }
    tests(&metadata, &options, &mut results)?;
    print!("{}", results.report());
    println!("{}", results.last_line());
    Ok(if results.failed() == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn parse(mut arguments: lexopt::Parser) -> Result<Options, Error> {
    let mut options = Options::default();
    while let Some(argument) = arguments.next()? {
        match argument {
            lexopt::Arg::Long("vm") => options.vm = true,
            lexopt::Arg::Long("quick") => options.quick = true,
            lexopt::Arg::Long("long") => {
                options.long = true;
                options.asan = true;
            }
            lexopt::Arg::Long("asan") => options.asan = true,
            lexopt::Arg::Value(value) if options.filter.is_none() => {
                options.filter = Some(value.to_string_lossy().into_owned());
            }
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(options)
}

/// The checks that run no test: format, lints, rules and layers.
fn checks(metadata: &Metadata, results: &mut Results) -> Result<(), Error> {
    let mut format = repository::cargo();
    format.args(["fmt", "--all", "--check"]);
    check("format (cargo fmt)", format, results)?;
    let mut clippy = repository::cargo();
    clippy.args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--quiet",
        "--",
        "-D",
        "warnings",
    ]);
    check("lints (cargo clippy)", clippy, results)?;
    let style: Vec<String> = style::findings(metadata)?
        .iter()
        .map(|one| {
            format!(
                "{}:{}: {}: {}",
                one.path.display(),
                one.line,
                one.rule,
                one.why
            )
        })
        .collect();
    found("rules (cargo xtask style)", &style, results);
    found(
        "layers (cargo xtask layers)",
        &layers::findings(metadata)?,
        results,
    );
    if installed("typos") {
        let mut typos = Command::new("typos");
        typos.current_dir(repository::root());
        check("spelling (typos)", typos, results)?;
    }
    if installed("cargo-deny") {
        let mut deny = repository::cargo();
        deny.args(["deny", "--offline", "check", "bans", "licenses", "sources"]);
        check("dependencies (cargo deny)", deny, results)?;
    }
    Ok(())
}

/// The programs, the unit tests, the integration suite and the part in the test VM.
fn tests(metadata: &Metadata, options: &Options, results: &mut Results) -> Result<(), Error> {
    let built = build::programs(metadata, "tested", Audience::Tests);
    let programs = match built {
        Ok(programs) => {
            verdict("programs (cargo build)", Outcome::Passed, results);
            programs
        }
        Err(Error::Failed { output, .. }) => {
            verdict("programs (cargo build)", Outcome::Failed(output), results);
            return Ok(());
        }
        Err(other) => return Err(other),
    };
    let mut plan = suite::Suite::new(metadata, &programs, options.filter.as_deref(), options.long)?;
    plan.criu = criu::prepare(&metadata.target_directory, !options.quick)?;
    plan.units(results)?;
    if !options.quick {
        plan.integration(results)?;
        fuzzing::run(options.filter.as_deref(), options.long, results)?;
    }
    if options.asan && !options.quick {
        sanitized::run(metadata, &programs, options.filter.as_deref(), results)?;
    }
    if options.vm {
        vm::run(metadata, &plan, results)?;
    }
    Ok(())
}

/// Runs a command whose exit code is the verdict.
fn check(name: &str, command: Command, results: &mut Results) -> Result<Finished, Error> {
    let finished = child::run(command, Duration::from_secs(30 * 60))?;
    let outcome = if finished.success() {
        Outcome::Passed
    } else {
        Outcome::Failed(format!("{}\n{}", finished.outcome(), finished.tail(200)))
    };
    verdict(name, outcome, results);
    Ok(finished)
}

fn found(name: &str, findings: &[String], results: &mut Results) {
    let outcome = if findings.is_empty() {
        Outcome::Passed
    } else {
        Outcome::Failed(findings.join("\n"))
    };
    verdict(name, outcome, results);
}

/// Prints a check's verdict at once, and counts it.
fn verdict(name: &str, outcome: Outcome, results: &mut Results) {
    match &outcome {
        Outcome::Passed => println!("ok      {name}"),
        Outcome::Failed(why) => println!("FAILED  {name}\n{why}"),
        Outcome::Skipped(why) => println!("skipped {name}: {why}"),
    }
    results.add(name, outcome);
}

/// True when a program of this name is on the PATH.
pub(crate) fn installed(program: &str) -> bool {
    on_path(program).is_some()
}

/// Where a program of this name is on the PATH.
fn on_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

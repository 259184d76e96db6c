//! Developer tasks: what other projects keep in shell scripts, so that it runs the same on
//! every system and can be tested.
//!
//! `cargo xtask help` lists the tasks. `cargo dhow …` is `cargo xtask dhow …`.
#![forbid(unsafe_code)]
// Talking to the terminal is what this program is for.
#![allow(clippy::print_stdout)]

#[cfg(target_os = "linux")]
mod bench;
#[cfg(not(target_os = "linux"))]
#[path = "bench_elsewhere.rs"]
mod bench;
mod build;
mod child;
mod error;
#[cfg(target_os = "linux")]
mod fuzz;
#[cfg(not(target_os = "linux"))]
#[path = "fuzz_elsewhere.rs"]
mod fuzz;
mod layers;
mod repository;
#[cfg(target_os = "linux")]
mod sanitizer;
mod static_target;
mod style;
mod test;

use std::process::ExitCode;

use error::Error;

const HELP: &str = "\
Tasks of the dhow repository

  cargo dhow ARG…                    build dhow in release mode and run it
  cargo xtask build [--profile P]    build every program and print where they are
  cargo xtask test [--vm] [--quick | --long] [--asan] [FILTER]
                                     all checks and tests; the last line has the numbers
  cargo xtask faults                 every call of every verb fails once: writes docs/faults.md
  cargo xtask fuzz [--seconds N] [--merge] [NAME]
                                     libFuzzer over the targets of fuzz/, a minute each
  cargo xtask style                  the rules about files, functions, names and calls
  cargo xtask layers                 the crate table of ARCHITECTURE.md against Cargo
  cargo xtask bench runtime [--rounds N] [--format table|json] [--only-v2]
                                     dhow-runtime beside runc, crun and a bare floor
  cargo xtask bench engine [--rounds N] [--format table|json]
                                     dhow run beside podman run
";

fn main() -> ExitCode {
    match dispatch() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            let mut cause = std::error::Error::source(&error);
            while let Some(inner) = cause {
                eprintln!("  caused by: {inner}");
                cause = inner.source();
            }
            ExitCode::from(2)
        }
    }
}

fn dispatch() -> Result<ExitCode, Error> {
    let mut arguments = lexopt::Parser::from_env();
    let task = match arguments.next()? {
        None | Some(lexopt::Arg::Short('h') | lexopt::Arg::Long("help")) => "help".to_owned(),
        Some(lexopt::Arg::Value(value)) => value.to_string_lossy().into_owned(),
        Some(other) => return Err(other.unexpected().into()),
    };
    match task.as_str() {
        "help" => {
            print!("{HELP}");
            Ok(ExitCode::SUCCESS)
        }
        "dhow" => build::dhow(arguments.raw_args()?.collect()),
        "build" => build::task(arguments),
        "style" => style::task(arguments),
        "layers" => layers::task(arguments),
        "fuzz" => fuzz::task(arguments),
        "test" => test::task(arguments),
        "faults" => test::faults::task(arguments),
        "bench" => bench::task(arguments),
        _ => Err(Error::UnknownTask { task }),
    }
}

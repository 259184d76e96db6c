//! The small C program that starts what is measured, and the floor: compiled here, once.
//!
//! Neither is Rust because both must be next to nothing: a program inherits the peak memory of the
//! process that starts it, and xtask itself may not be unsafe.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::make_folder;
use crate::child;
use crate::error::Error;
use crate::repository;

/// The compiled helpers.
#[derive(Debug)]
pub(super) struct Launcher {
    program: PathBuf,
    /// The bare floor program.
    pub(super) floor: PathBuf,
}

/// What one start of a program cost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sample {
    /// Wall time in milliseconds.
    pub(super) wall: f64,
    /// Processor time of it and all it waited for, in milliseconds.
    pub(super) cpu: f64,
    /// Peak resident memory of the largest process, in KiB.
    pub(super) peak: f64,
    /// How many copies did not exit with 0.
    pub(super) failed: u32,
}

/// How many copies, and whether at once.
#[derive(Debug, Clone, Copy)]
pub(super) enum Copies {
    /// One.
    One,
    /// So many, one after the other.
    InTurn(u32),
    /// So many at once.
    AtOnce(u32),
}

/// A program to start: the words of its command line and what must be hidden from it.
#[derive(Debug, Clone)]
pub(super) struct Start {
    /// Program and arguments; `@` stands for the number of the copy.
    pub(super) words: Vec<String>,
    /// A file that is empty for the program.
    pub(super) hidden: Option<PathBuf>,
    /// Environment variables for the program.
    pub(super) environment: Vec<(&'static str, PathBuf)>,
}

impl Launcher {
    /// Compiles the helpers into `folder`.
    ///
    /// # Errors
    /// When there is no C compiler.
    pub(super) fn new(folder: &Path) -> Result<Launcher, Error> {
        make_folder(folder)?;
        let compile = |name: &str| -> Result<PathBuf, Error> {
            let (source, program) = (
                repository::root()
                    .join("xtask/bench")
                    .join(name)
                    .with_extension("c"),
                folder.join(name),
            );
            let mut gcc = Command::new("gcc");
            gcc.args(["-O2", "-static", "-o"]).arg(&program).arg(source);
            child::output_of(gcc, Duration::from_secs(120)).map_err(|error| match error {
                Error::Run { .. } => Error::Missing {
                    tool: "gcc".into(),
                    why: "the launcher and the floor are small C programs (Debian: gcc libc6-dev)"
                        .into(),
                },
                other => other,
            })?;
            Ok(program)
        };
        Ok(Launcher {
            program: compile("launcher")?,
            floor: compile("floor")?,
        })
    }

    /// Starts and measures.
    ///
    /// # Errors
    /// When the program cannot be started at all, or a single copy fails.
    pub(super) fn run(&self, start: &Start, copies: Copies) -> Result<Sample, Error> {
        let mut command = Command::new(&self.program);
        match copies {
            Copies::One => &mut command,
            Copies::InTurn(count) => command.args(["--count", &count.to_string()]),
            Copies::AtOnce(count) => command.args(["--parallel", "--count", &count.to_string()]),
        };
        if let Some(file) = &start.hidden {
            command.arg("--hide").arg(file);
        }
        command.arg("--").args(&start.words);
        command.envs(start.environment.iter().map(|(key, value)| (key, value)));
        let shown = child::shown(&command);
        let output = child::output_of(command, Duration::from_secs(90))?;
        let sample = parse(&output).ok_or_else(|| Error::Form {
            what: shown.clone(),
            why: format!("expected five numbers, found {output:?}"),
        })?;
        if matches!(copies, Copies::One) && sample.failed > 0 {
            return Err(Error::Failed {
                program: shown,
                outcome: "not 0".into(),
                output: start.retry(),
            });
        }
        Ok(sample)
    }
}

impl Start {
    /// Without anything hidden.
    pub(super) fn new(words: &[&str]) -> Start {
        Start {
            words: words.iter().map(|word| (*word).to_owned()).collect(),
            hidden: None,
            environment: Vec::new(),
        }
    }

    /// The command line for a message, so that a person can try it by hand.
    fn retry(&self) -> String {
        format!("try by hand: {}", self.words.join(" "))
    }
}

fn parse(output: &str) -> Option<Sample> {
    let numbers: Vec<f64> = output
        .split_whitespace()
        .map_while(|word| word.parse().ok())
        .collect();
    let [wall, user, system, peak, failed] = numbers[..] else {
        return None;
    };
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let failed = failed as u32;
    Some(Sample {
        wall: wall / 1e6,
        cpu: (user + system) / 1e3,
        peak,
        failed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_launchers_line_is_read() {
        let sample = parse("2500000 1000 500 1348 0\n").unwrap();
        assert_eq!(
            sample,
            Sample {
                wall: 2.5,
                cpu: 1.5,
                peak: 1348.0,
                failed: 0
            }
        );
        assert!(parse("launcher: nothing to start").is_none());
    }
}

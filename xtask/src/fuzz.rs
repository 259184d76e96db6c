//! `cargo xtask fuzz`: libFuzzer over every target of `fuzz/`, without cargo-fuzz and with the stable compiler.
//!
//! The compiler's own coverage instrumentation is what libFuzzer asks for; the flags below switch it on.
//! What is found lies in `target/fuzz`: a corpus for each target that grows from run to run. A crash goes
//! into the repository's corpus as well, where every later run of the suite tries it.

mod verdict;

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use crate::build;
use crate::child;
use crate::error::Error;
use crate::repository;
use crate::sanitizer;
pub(crate) use verdict::Verdict;

/// Every target, by the name of its module in `dhow_fuzz`, the slowest first.
pub(crate) const TARGETS: [&str; 8] = [
    "spec", "seccomp", "mountopt", "state", "user", "cpuset", "size", "signal",
];
/// For how long each is fuzzed when nobody says, in seconds.
pub(crate) const SECONDS: u64 = 60;
/// As many at the same time.
const AT_ONCE: usize = 2;
/// libFuzzer itself is compiled, too.
const BUILD_LIMIT: Duration = Duration::from_secs(20 * 60);
/// Beyond the fuzzing time: reading the corpus, and the last input.
const SLACK: u64 = 120;
/// What libFuzzer needs to see where an input leads, and what it is compared with.
const COVERAGE: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing";

/// `cargo xtask fuzz [--seconds N] [--merge] [NAME]`.
///
/// # Errors
/// When the command line is wrong or the targets cannot be built.
pub(crate) fn task(mut arguments: lexopt::Parser) -> Result<ExitCode, Error> {
    let (mut seconds, mut merge, mut name) = (SECONDS, false, None);
    while let Some(argument) = arguments.next()? {
        match argument {
            lexopt::Arg::Long("seconds") => {
                seconds = lexopt::ValueExt::parse(&arguments.value()?)?;
            }
            lexopt::Arg::Long("merge") => merge = true,
            lexopt::Arg::Value(value) if name.is_none() => {
                name = Some(value.to_string_lossy().into_owned());
            }
            other => return Err(other.unexpected().into()),
        }
    }
    let chosen: Vec<&str> = TARGETS
        .into_iter()
        .filter(|target| name.as_deref().is_none_or(|name| name == *target))
        .collect();
    if chosen.is_empty() {
        return Err(Error::Form {
            what: "cargo xtask fuzz".into(),
            why: format!("the targets are {}", TARGETS.join(", ")),
        });
    }
    let fuzzer = Fuzzer::build()?;
    if merge {
        for target in chosen {
            println!("{target}: {}", fuzzer.merge(target)?);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let mut failed = false;
    fuzzer.run(&chosen, seconds, &mut |verdict| {
        failed |= verdict.failure.is_some();
        println!("{verdict}");
    })?;
    Ok(ExitCode::from(u8::from(failed)))
}

/// The built targets.
pub(crate) struct Fuzzer {
    programs: BTreeMap<String, PathBuf>,
    folder: PathBuf,
}

impl Fuzzer {
    /// Builds every target with coverage instrumentation, and with AddressSanitizer where it can be had.
    ///
    /// # Errors
    /// [`Error::Missing`] without a C++ compiler, [`Error::Failed`] with the compiler's words.
    pub(crate) fn build() -> Result<Self, Error> {
        if !crate::test::installed("g++") && !crate::test::installed("c++") {
            return Err(Error::Missing {
                tool: "g++".into(),
                why: "libFuzzer is C++ (apt-get install g++)".into(),
            });
        }
        let metadata = repository::metadata()?;
        let folder = metadata.target_directory.join("fuzz");
        let sanitizer = sanitizer::flags().unwrap_or_else(|| {
            eprintln!("no AddressSanitizer in this toolchain: fuzzing without it");
            "-Ctarget-feature=-crt-static"
        });
        let mut cargo = repository::cargo();
        cargo
            .args([
                "build",
                "--bins",
                "--message-format=json-render-diagnostics",
            ])
            .args(["--package", "dhow-fuzz", "--features", "libfuzzer"])
            .args(["--profile", "fuzz", "--target", &sanitizer::target()])
            .arg("--target-dir")
            .arg(&folder)
            .env("RUSTC_BOOTSTRAP", "1")
            .env("RUSTFLAGS", format!("{COVERAGE} {sanitizer}"));
        let finished = child::run(cargo, BUILD_LIMIT)?;
        let programs = build::executables(&finished.output);
        if !finished.success() || programs.len() < TARGETS.len() {
            return Err(Error::Failed {
                program: "cargo build --package dhow-fuzz".into(),
                outcome: finished.outcome(),
                output: finished.tail(60),
            });
        }
        Ok(Self { programs, folder })
    }

    /// Fuzzes the targets for as long each, two at a time, and tells each verdict as it comes.
    ///
    /// # Errors
    /// When a folder cannot be made or a program not be started.
    pub(crate) fn run(
        &self,
        targets: &[&str],
        seconds: u64,
        told: &mut (dyn FnMut(Verdict) + Send),
    ) -> Result<(), Error> {
        let waiting: Mutex<VecDeque<&str>> = Mutex::new(targets.iter().copied().collect());
        let told = Mutex::new(told);
        let work = || -> Result<(), Error> {
            loop {
                let next = waiting
                    .lock()
                    .map_or(None, |mut waiting| waiting.pop_front());
                let Some(target) = next else {
                    return Ok(());
                };
                let verdict = self.fuzz(target, seconds)?;
                if let Ok(mut told) = told.lock() {
                    told(verdict);
                }
            }
        };
        thread::scope(|scope| {
            let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(work)).collect();
            workers
                .into_iter()
                .try_for_each(|worker| worker.join().unwrap_or(Ok(())))
        })
    }

    fn fuzz(&self, target: &str, seconds: u64) -> Result<Verdict, Error> {
        let (kept, grown) = (kept(target), self.folder.join("corpus").join(target));
        let found = self.folder.join("found").join(target);
        for folder in [&grown, &found] {
            make(folder)?;
        }
        let mut command = self.command(target)?;
        command
            .arg(format!("-max_total_time={seconds}"))
            .arg(format!("-artifact_prefix={}/", found.display()))
            .arg(format!("-dict={}", dictionary(target).display()))
            .arg("-print_final_stats=1")
            .args([&grown, &kept]);
        let finished = child::run(command, Duration::from_secs(seconds + SLACK))?;
        let log = self.folder.join(format!("{target}.log"));
        fs::write(&log, &finished.output).map_err(|source| Error::Write { path: log, source })?;
        let mut verdict = Verdict::read(target, &finished);
        if let Some(artifact) = verdict.artifact.take() {
            self.keep(&mut verdict, &artifact)?;
        }
        Ok(verdict)
    }

    /// A found input is tried again by itself: one that only met a busy machine is let go, any other goes
    /// into the repository's corpus.
    fn keep(&self, verdict: &mut Verdict, artifact: &Path) -> Result<(), Error> {
        let name = artifact.file_name().unwrap_or_default().to_owned();
        let slow = name.to_string_lossy().starts_with("timeout-");
        let mut again = self.command(verdict.target)?;
        again.args(["-runs=5"]).arg(artifact);
        if slow && child::run(again, Duration::from_secs(60))?.success() {
            verdict.failure = None;
            verdict.note =
                Some("one input took over a second once, and not in five more tries".into());
            return Ok(());
        }
        let kept = kept(verdict.target).join(&name);
        fs::copy(artifact, &kept).map_err(|source| Error::Write {
            path: kept.clone(),
            source,
        })?;
        let program = &self.programs[&format!("fuzz-{}", verdict.target)];
        let advice = format!(
            "\nkept as {}\nagain: cargo test --package dhow-fuzz {}\n   or: {} {}",
            kept.display(),
            verdict.target,
            program.display(),
            kept.display()
        );
        if let Some(failure) = &mut verdict.failure {
            failure.push_str(&advice);
        }
        Ok(())
    }

    /// Adds to the repository's corpus what the grown one reaches beyond it, in as few inputs as can be.
    fn merge(&self, target: &str) -> Result<String, Error> {
        let grown = self.folder.join("corpus").join(target);
        make(&grown)?;
        let mut command = self.command(target)?;
        command
            .arg("-set_cover_merge=1")
            .args([&kept(target), &grown]);
        let finished = child::run(command, Duration::from_secs(600))?;
        let told = finished.output.lines().rev();
        let mut told = told.filter(|line| line.contains("MERGE-OUTER"));
        Ok(told.next().unwrap_or(&finished.outcome()).to_owned())
    }

    /// The bars: no crash, no input over a second, no allocation over 64 MiB.
    fn command(&self, target: &str) -> Result<Command, Error> {
        let program = self.programs.get(&format!("fuzz-{target}"));
        let program = program.ok_or_else(|| Error::Form {
            what: "fuzz/Cargo.toml".into(),
            why: format!("has no program fuzz-{target}"),
        })?;
        let mut command = Command::new(program);
        command
            .args(["-timeout=1", "-malloc_limit_mb=64", "-rss_limit_mb=2048"])
            .args(["-max_len=16384", "-detect_leaks=0"])
            // What is freed is watched for a while; not so long that it looks like a leak.
            .env("ASAN_OPTIONS", "quarantine_size_mb=16:detect_leaks=0");
        Ok(command)
    }
}

fn kept(target: &str) -> PathBuf {
    repository::root().join("fuzz/corpus").join(target)
}

fn dictionary(target: &str) -> PathBuf {
    repository::root()
        .join("fuzz/dictionaries")
        .join(format!("{target}.dict"))
}

fn make(folder: &Path) -> Result<(), Error> {
    fs::create_dir_all(folder).map_err(|source| Error::Write {
        path: folder.to_path_buf(),
        source,
    })
}

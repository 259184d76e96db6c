//! The integration suite once more, with a `dhow-runtime` that AddressSanitizer watches: part of the long
//! profile, or by itself with `--asan`.
//!
//! The runtime is built for glibc and with the C library's allocator in the place of its own, whose
//! blocks the sanitizer could not tell apart. A report is a failure even when the test passes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::results::{Outcome, Results};
use super::suite::{self, PACKAGE, PROGRAMS, SKIPS};
use super::{installed, libtest, nextest};
use crate::error::Error;
use crate::repository::{self, Metadata};
use crate::{build, child, sanitizer};

const LIMIT: Duration = Duration::from_secs(2 * 3600);
const STEP: &str = "suite with AddressSanitizer";

/// Tests (whole modules with `::` at the end) that the sanitizer itself makes impossible.
const LEFT_OUT: [(&str, &str); 2] = [
    (
        "faults::",
        "AddressSanitizer makes system calls of its own, which the sweep would fail",
    ),
    (
        "reliability::",
        "counts and repeats for speed; the programs are the same",
    ),
];

/// Builds the runtime, runs the runtime's cases of the suite with it, and counts.
///
/// # Errors
/// When Cargo cannot be run, or a folder not be made.
pub(super) fn run(
    metadata: &Metadata,
    programs: &BTreeMap<String, PathBuf>,
    filter: Option<&str>,
    results: &mut Results,
) -> Result<(), Error> {
    let Some(flags) = sanitizer::flags() else {
        let why = "this toolchain has no AddressSanitizer".to_owned();
        super::verdict(STEP, Outcome::Skipped(why), results);
        return Ok(());
    };
    let folder = metadata.target_directory.join("asan");
    let runtime = match build(&folder, flags) {
        Ok(runtime) => runtime,
        Err(Error::Failed { output, .. }) => {
            super::verdict(STEP, Outcome::Failed(output), results);
            return Ok(());
        }
        Err(other) => return Err(other),
    };
    let together = gather(&folder.join("programs"), programs, &runtime)?;
    let reports = folder.join("reports");
    let _ = fs::remove_dir_all(&reports);
    make(&reports)?;
    let skips = folder.join("skips.txt");
    write(&skips, "")?;
    let (mut command, parse) = suite_command(filter);
    let options = format!(
        "detect_leaks=0:log_path={}",
        reports.join("report").display()
    );
    command
        .env(PROGRAMS, together)
        .env(SKIPS, &skips)
        .env("ASAN_OPTIONS", options);
    let finished = child::run(command, LIMIT)?;
    write(&folder.join("suite.log"), &finished.output)?;
    let mut run = parse(&finished.output);
    for line in fs::read_to_string(&skips).unwrap_or_default().lines() {
        run.mark_skipped(line);
    }
    for (name, why) in LEFT_OUT {
        if filter.is_none() {
            run.add(name, Outcome::Skipped(why.to_owned()));
        }
    }
    for report in texts(&reports) {
        run.add("a report of AddressSanitizer", Outcome::Failed(report));
    }
    suite::conclude(STEP, &finished, run.named("asan"), results);
    Ok(())
}

fn build(folder: &Path, flags: &str) -> Result<PathBuf, Error> {
    let mut cargo = repository::cargo();
    cargo
        .args(["build", "--message-format=json-render-diagnostics"])
        .args([
            "--package",
            "dhow-runtime",
            "--features",
            "system-allocator",
        ])
        .args(["--profile", "tested", "--target", &sanitizer::target()])
        .arg("--target-dir")
        .arg(folder)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", flags);
    let finished = child::run(cargo, LIMIT)?;
    let built = build::executables(&finished.output);
    built
        .get("dhow-runtime")
        .cloned()
        .filter(|_| finished.success())
        .ok_or_else(|| Error::Failed {
            program: "cargo build --package dhow-runtime".into(),
            outcome: finished.outcome(),
            output: finished.tail(60),
        })
}

/// dhow's programs find each other in one directory.
fn gather(
    folder: &Path,
    programs: &BTreeMap<String, PathBuf>,
    runtime: &Path,
) -> Result<PathBuf, Error> {
    make(folder)?;
    for (name, path) in programs {
        let from = if name == "dhow-runtime" {
            runtime
        } else {
            path
        };
        let to = folder.join(name);
        // Never written over: it may be running.
        let _ = fs::remove_file(&to);
        fs::copy(from, &to).map_err(|source| Error::Write { path: to, source })?;
    }
    Ok(folder.to_path_buf())
}

type Parse = Box<dyn Fn(&str) -> Results>;

fn suite_command(filter: Option<&str>) -> (Command, Parse) {
    let mut cargo = repository::cargo();
    if installed("cargo-nextest") {
        let mut tests = format!("package({PACKAGE}) & test(/::dhow$/)");
        for (name, _) in LEFT_OUT {
            tests.push_str(&format!(" & not test(/^{name}/)"));
        }
        if let Some(word) = filter {
            tests.push_str(&format!(" & test({word})"));
        }
        cargo
            .args(["nextest", "run"])
            .args(nextest::ARGUMENTS)
            .args(["--package", PACKAGE, "--filterset", &tests]);
        // The rest of the suite was left out on purpose.
        (cargo, Box::new(|output| nextest::parse(output, true)))
    } else {
        cargo
            .args(["test", "--no-fail-fast", "--package", PACKAGE, "--"])
            .args(["--show-output", "::dhow"]);
        for (name, _) in LEFT_OUT {
            cargo.args(["--skip", name]);
        }
        (cargo, Box::new(libtest::parse))
    }
}

fn texts(folder: &Path) -> Vec<String> {
    let entries = folder.read_dir().into_iter().flatten().flatten();
    entries
        .filter_map(|entry| fs::read(entry.path()).ok())
        .map(|text| String::from_utf8_lossy(&text).into_owned())
        .collect()
}

fn make(folder: &Path) -> Result<(), Error> {
    fs::create_dir_all(folder).map_err(|source| Error::Write {
        path: folder.to_path_buf(),
        source,
    })
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    fs::write(path, text).map_err(|source| Error::Write {
        path: path.to_path_buf(),
        source,
    })
}

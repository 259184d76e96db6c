//! Running the unit tests and the integration suite on this host.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::results::{Outcome, Results};
use super::{faults, installed, libtest, nextest};
use crate::child;
use crate::error::Error;
use crate::repository::{self, Metadata};

/// The package of the integration suite.
pub(super) const PACKAGE: &str = "dhow-tests";
/// Tells the suite where the programs are.
pub(super) const PROGRAMS: &str = "DHOW_BIN_DIR";
/// Names the file to which a test that cannot run appends `NAME: REASON`.
pub(super) const SKIPS: &str = "DHOW_SKIPS";
/// Names the CRIU for the tests of checkpoint and restore.
const CRIU: &str = "DHOW_TEST_CRIU";
/// Makes repeated tests repeat more often.
const LONG: &str = "DHOW_LONG";
const LIMIT: Duration = Duration::from_secs(30 * 60);
/// The same for the long profile, whose tests have limits of their own (`.config/nextest.toml`).
const LONG_LIMIT: Duration = Duration::from_secs(6 * 3600);

/// How tests are run here.
pub(super) struct Suite<'a> {
    /// The directory that holds all programs.
    pub(super) programs: PathBuf,
    /// Where the full output of each run is kept.
    pub(super) logs: PathBuf,
    /// Only tests whose name contains this.
    pub(super) filter: Option<&'a str>,
    /// A CRIU that works on this kernel.
    pub(super) criu: Option<PathBuf>,
    /// The long profile.
    long: bool,
    /// Where the sweeps of faults tell their numbers.
    pub(super) table: Option<PathBuf>,
}

impl<'a> Suite<'a> {
    /// Prepares a run of the tests with these programs.
    ///
    /// # Errors
    /// When there are no programs, or the directory for logs cannot be made.
    pub(super) fn new(
        metadata: &Metadata,
        programs: &BTreeMap<String, PathBuf>,
        filter: Option<&'a str>,
        long: bool,
    ) -> Result<Suite<'a>, Error> {
        let folder = programs
            .values()
            .next()
            .and_then(|path| path.parent())
            .ok_or_else(|| Error::Form {
                what: "the workspace".into(),
                why: "no package builds a program".into(),
            })?;
        let logs = metadata.target_directory.join("test-log");
        fs::create_dir_all(&logs).map_err(|source| Error::Write {
            path: logs.clone(),
            source,
        })?;
        Ok(Suite {
            programs: folder.to_path_buf(),
            logs,
            filter,
            criu: None,
            long,
            table: None,
        })
    }

    /// The unit tests of every crate, and the examples in their documentation.
    ///
    /// # Errors
    /// When Cargo cannot be run.
    pub(super) fn units(&self, results: &mut Results) -> Result<(), Error> {
        self.run(
            "unit tests",
            &["--workspace", "--exclude", PACKAGE],
            results,
        )?;
        if self.filter.is_none() {
            let mut examples = repository::cargo();
            examples.args([
                "test",
                "--doc",
                "--workspace",
                "--no-fail-fast",
                "--quiet",
                "--",
                "--show-output",
            ]);
            // --quiet silences the compiler; the tests' own lines are asked for again.
            examples.args(["--format", "pretty"]);
            self.collect("documentation examples", examples, libtest::parse, results)?;
        }
        Ok(())
    }

    /// The integration suite.
    ///
    /// # Errors
    /// When Cargo cannot be run.
    pub(super) fn integration(&self, results: &mut Results) -> Result<(), Error> {
        self.run("integration suite", &["--package", PACKAGE], results)
    }

    fn run(&self, name: &str, packages: &[&str], results: &mut Results) -> Result<(), Error> {
        let mut cargo = repository::cargo();
        if installed("cargo-nextest") {
            cargo
                .args(["nextest", "run"])
                .args(["--profile", if self.long { "long" } else { "default" }])
                .args(nextest::ARGUMENTS)
                .args(packages)
                .args(self.filter);
            let filtered = self.filter.is_some();
            self.collect(
                name,
                cargo,
                |output| nextest::parse(output, filtered),
                results,
            )
        } else {
            cargo
                .args(["test", "--no-fail-fast"])
                .args(packages)
                .args(self.filter)
                .args(["--", "--show-output"]);
            self.collect(name, cargo, libtest::parse, results)
        }
    }

    /// Runs one command that runs tests, keeps its output and counts.
    fn collect(
        &self,
        name: &str,
        mut command: Command,
        parse: impl Fn(&str) -> Results,
        results: &mut Results,
    ) -> Result<(), Error> {
        let skips = self.logs.join("skips.txt");
        write(&skips, "")?;
        command.env(PROGRAMS, &self.programs).env(SKIPS, &skips);
        if let Some(criu) = &self.criu {
            command.env(CRIU, criu);
        }
        if let Some(table) = &self.table {
            command.env(faults::TABLE, table);
        }
        let limit = if self.long {
            command.env(LONG, "1");
            LONG_LIMIT
        } else {
            LIMIT
        };
        let finished = child::run(command, limit)?;
        write(
            &self.logs.join(format!("{}.log", name.replace(' ', "-"))),
            &finished.output,
        )?;
        let mut run = parse(&finished.output);
        for line in fs::read_to_string(&skips).unwrap_or_default().lines() {
            run.mark_skipped(line);
        }
        conclude(name, &finished, run, results);
        Ok(())
    }
}

/// Prints the numbers of one run and adds it to the results. A run that failed without a failed
/// test did not build or was cut short: that is a failure too.
pub(super) fn conclude(
    name: &str,
    finished: &child::Finished,
    mut run: Results,
    results: &mut Results,
) {
    if !finished.success() && run.failed() == 0 {
        run.add(
            name,
            Outcome::Failed(format!("{}\n{}", finished.outcome(), finished.tail(100))),
        );
    }
    let word = if run.failed() == 0 {
        "ok     "
    } else {
        "FAILED "
    };
    println!(
        "{word} {name}: {} ({} s)",
        run.last_line(),
        finished.took.as_secs()
    );
    for (test, why) in run.failures() {
        println!("---- {test}\n{why}");
    }
    results.extend(run);
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    fs::write(path, text).map_err(|source| Error::Write {
        path: path.to_path_buf(),
        source,
    })
}

//! The part of the suite that this host's kernel cannot show: cgroup v2 with every controller,
//! systemd and AppArmor, in a throw-away virtual machine.
//!
//! The machine is a program of its own, `DHOW_VM` or `../shared/vm/vm`, with the commands `up`,
//! `exec` and `down`. The same test binaries run there, as root and as an ordinary user, so a
//! test that was skipped here for want of cgroup v2 counts as passed when it passes there.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::nextest;
use super::on_path;
use super::results::{Outcome, Results};
use super::suite::{self, Suite};
use crate::child;
use crate::error::Error;
use crate::repository::{self, Metadata};

/// What runs in the machine: the suite, and the crates whose unit tests ask the kernel about cgroups.
const PACKAGES: [&str; 2] = [suite::PACKAGE, "dhow-cgroup"];
/// Where the programs are copied: the shared directory knows no extended attributes.
const GUEST: &str = "/var/tmp/dhow-test";
const LIMIT: Duration = Duration::from_secs(25 * 60);

/// Runs the tests in the machine.
///
/// # Errors
/// When Cargo or the machine's program cannot be run at all.
pub(super) fn run(
    metadata: &Metadata,
    suite: &Suite<'_>,
    results: &mut Results,
) -> Result<(), Error> {
    let Some(harness) = harness() else {
        return skip("no test VM harness (DHOW_VM or ../shared/vm/vm)", results);
    };
    let Some(nextest) = on_path("cargo-nextest") else {
        return skip(
            "cargo-nextest is not installed, and the VM has no Cargo",
            results,
        );
    };
    let folder = metadata.target_directory.join("vm");
    fs::create_dir_all(&folder).map_err(|source| Error::Write {
        path: folder.clone(),
        source,
    })?;
    if !prepare(&folder, &nextest, results)? {
        return Ok(());
    }
    let machine = Machine {
        harness,
        name: format!("dhow-test-{}", std::process::id()),
    };
    let booted = child::run(
        machine.command(
            "up",
            &["--share", &text(&repository::root()), "--cpus", "2"],
        ),
        LIMIT,
    )?;
    if booted.success() {
        for user in [false, true] {
            machine.tests(&folder, suite, user, results)?;
        }
    } else {
        suite::conclude("boot of the test VM", &booted, Results::default(), results);
    }
    child::run(machine.command("down", &[]), Duration::from_secs(120))?;
    Ok(())
}

fn skip(reason: &str, results: &mut Results) -> Result<(), Error> {
    println!("skipped test VM: {reason}");
    results.add("test VM", Outcome::Skipped(reason.to_owned()));
    Ok(())
}

/// Builds the test binaries and writes down where they are, for a nextest that has no Cargo.
fn prepare(folder: &Path, nextest: &Path, results: &mut Results) -> Result<bool, Error> {
    let mut list = repository::cargo();
    list.args([
        "nextest",
        "list",
        "--list-type",
        "binaries-only",
        "--message-format",
        "json",
    ]);
    for package in PACKAGES {
        list.args(["--package", package]);
    }
    let listed = child::run(list, LIMIT)?;
    let Some(json) = listed
        .output
        .lines()
        .find(|line| line.starts_with('{'))
        .filter(|_| listed.success())
    else {
        suite::conclude(
            "test binaries for the VM",
            &listed,
            Results::default(),
            results,
        );
        return Ok(false);
    };
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::write(&path, text).map_err(|source| Error::Write { path, source })
    };
    write("binaries.json", json)?;
    write("metadata.json", &repository::metadata_text(&[])?)?;
    let copy = folder.join("cargo-nextest");
    fs::copy(nextest, &copy).map_err(|source| Error::Write { path: copy, source })?;
    Ok(true)
}

struct Machine {
    harness: PathBuf,
    name: String,
}

impl Machine {
    fn command(&self, verb: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.harness);
        command.args([verb, "--name", &self.name]).args(arguments);
        command
    }

    fn tests(
        &self,
        folder: &Path,
        suite: &Suite<'_>,
        user: bool,
        results: &mut Results,
    ) -> Result<(), Error> {
        let name = if user {
            "test VM, ordinary user"
        } else {
            "test VM, root"
        };
        let programs = format!("{GUEST}-{}", if user { "user" } else { "root" });
        let as_user: &[&str] = if user { &["--user"] } else { &[] };
        let mut copy = self.command("exec", as_user);
        copy.args(["--no-stdin", "--", "cp", "-rL", "--no-preserve=ownership"]);
        let small = folder.join("programs");
        gather(&suite.programs, &small)?;
        copy.args([small.as_path(), Path::new(&programs)]);
        let copied = child::run(copy, LIMIT)?;
        if !copied.success() {
            suite::conclude(name, &copied, Results::default(), results);
            return Ok(());
        }
        let mut run = self.command("exec", as_user);
        run.args([
            "--no-stdin",
            "--timeout",
            &(LIMIT.as_secs() - 60).to_string(),
            "--cwd",
            &text(&repository::root()),
        ]);
        run.args(["--env", &format!("{}={programs}", suite::PROGRAMS), "--"]);
        run.arg(folder.join("cargo-nextest"))
            .args(["nextest", "run"]);
        run.arg("--binaries-metadata")
            .arg(folder.join("binaries.json"));
        run.arg("--cargo-metadata")
            .arg(folder.join("metadata.json"));
        // An ordinary user has nothing to say about the unit tests of cgroups.
        let packages = if user { &PACKAGES[..1] } else { &PACKAGES[..] };
        let wanted: Vec<String> = packages
            .iter()
            .map(|package| format!("package({package})"))
            .collect();
        run.args(nextest::ARGUMENTS)
            .args(["-E", &wanted.join(" or ")])
            .args(suite.filter);
        let finished = child::run(run, LIMIT)?;
        let log = suite
            .logs
            .join(format!("{}.log", name.replace([' ', ','], "-")));
        fs::write(&log, &finished.output).map_err(|source| Error::Write { path: log, source })?;
        suite::conclude(
            name,
            &finished,
            nextest::parse(&finished.output, true),
            results,
        );
        Ok(())
    }
}

/// Copies the programs, and nothing else of a build directory, to one place.
fn gather(from: &Path, to: &Path) -> Result<(), Error> {
    fs::create_dir_all(to).map_err(|source| Error::Write {
        path: to.to_path_buf(),
        source,
    })?;
    let failed = |source| Error::Read {
        path: from.to_path_buf(),
        source,
    };
    for entry in fs::read_dir(from).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        // Build directories hold programs, folders and files with an ending (.d).
        if let Some(name) = path
            .file_name()
            .filter(|_| path.is_file() && path.extension().is_none())
        {
            let copy = to.join(name);
            fs::copy(&path, &copy).map_err(|source| Error::Write { path: copy, source })?;
        }
    }
    Ok(())
}

fn harness() -> Option<PathBuf> {
    if let Some(given) = env::var_os("DHOW_VM") {
        return Some(PathBuf::from(given));
    }
    let beside = repository::root().parent()?.join("shared/vm/vm");
    beside.is_file().then_some(beside)
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

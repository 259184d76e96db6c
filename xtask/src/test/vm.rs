//! The part of the suite that this host's kernel cannot show: cgroup v2 with every controller,
//! systemd and AppArmor, in a throw-away virtual machine.
//!
//! The machine is a program of its own, `DHOW_VM` or `../shared/vm/vm`, with the commands `build`,
//! `up`, `exec` and `down`. The same test binaries run there, as root and as an ordinary user, so a
//! test that was skipped here for want of cgroup v2 counts as passed when it passes there.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
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
/// Tests that root runs: ours everywhere, the rivals where only this machine has what a test asks
/// for. Their other tests ran on the host, with the versions that the expectations were written for.
const ROOT_TESTS: &str =
    "(package(dhow-tests) and (test(/dhow$/) or test(cgroup_v2))) or package(dhow-cgroup)";
/// Tests that an ordinary user runs: those in a module or with a name that says so.
const USER_TESTS: &str = "package(dhow-tests) and test(ordinary_user)";
/// Where the programs are copied: the shared directory knows no extended attributes.
const GUEST: &str = "/var/tmp/dhow-test";
/// What the machine has beside what its harness gives it.
const EXTRA_PACKAGES: &str = "containerd";
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
    // Does nothing when that has been done before.
    let built = child::run(machine.build(), LIMIT)?;
    if !built.success() {
        suite::conclude("making of the test VM", &built, Results::default(), results);
        return Ok(());
    }
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
    /// Makes the machine's image: with containerd too, as a foreign caller of the runtime.
    fn build(&self) -> Command {
        let mut command = Command::new(&self.harness);
        command.args(["build", "--with", EXTRA_PACKAGES]);
        command
    }

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
        let (name, who) = if user {
            ("test VM, ordinary user", "user")
        } else {
            ("test VM, root", "root")
        };
        let script = folder.join(format!("tests-{who}"));
        let text = script_text(folder, suite, user)?;
        fs::write(&script, text)
            .and_then(|()| fs::set_permissions(&script, fs::Permissions::from_mode(0o755)))
            .map_err(|source| Error::Write {
                path: script.clone(),
                source,
            })?;
        let mut run = self.command("exec", if user { &["--user"] } else { &[] });
        run.args([
            "--no-stdin",
            "--timeout",
            &(LIMIT.as_secs() - 60).to_string(),
            "--",
        ]);
        let finished = child::run(with(run, &script), LIMIT)?;
        let log = suite.logs.join(format!("test-VM-{who}.log"));
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

fn with(mut command: Command, argument: &Path) -> Command {
    command.arg(argument);
    command
}

/// What runs in the machine. A file, because some ways into it read options that are meant for the program.
fn script_text(folder: &Path, suite: &Suite<'_>, user: bool) -> Result<String, Error> {
    let programs = format!("{GUEST}-{}", if user { "user" } else { "root" });
    let gathered = folder.join("programs");
    gather(&suite.programs, &gathered)?;
    let wanted = if user {
        USER_TESTS.to_owned()
    } else {
        ROOT_TESTS.to_owned()
    };
    let mut words: Vec<String> = vec![
        text(&folder.join("cargo-nextest")),
        "nextest".into(),
        "run".into(),
    ];
    words.extend([
        "--binaries-metadata".into(),
        text(&folder.join("binaries.json")),
    ]);
    words.extend([
        "--cargo-metadata".into(),
        text(&folder.join("metadata.json")),
    ]);
    words.extend(nextest::ARGUMENTS.map(str::to_owned));
    words.extend(["-E".into(), wanted]);
    words.extend(suite.filter.map(str::to_owned));
    let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    Ok(format!(
        "#!/bin/sh\nset -e\ncd {}\ncp -r {} {programs}\nexport {}={programs}\nexec {}\n",
        quoted(&text(&repository::root())),
        quoted(&text(&gathered)),
        suite::PROGRAMS,
        words.join(" ")
    ))
}

fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
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

//! The runtimes we compare with: the newest runc and crun of Debian sid, with their own loader and
//! libraries, in a directory of their own. The host keeps the packages it has.
//!
//! They are unpacked and not installed, through a private view of the archive that the host's apt
//! already uses. Their loader and library paths are rewritten, because runc starts itself again by
//! `/proc/self/exe`, which a loader given on the command line would not survive.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::{make_folder, text_of, write_file};
use crate::child;
use crate::error::Error;

const LIMIT: Duration = Duration::from_secs(15 * 60);
const SUITE: &str = "sid";

/// A runtime that was found.
#[derive(Debug, Clone)]
pub(super) struct Rival {
    /// `runc` or `crun`.
    pub(super) name: &'static str,
    /// The first line of `--version`.
    pub(super) version: String,
    /// The program.
    pub(super) program: PathBuf,
    /// A file it must not see, on hosts that it otherwise refuses.
    pub(super) hidden: Option<PathBuf>,
}

/// Unpacks the rivals below `folder`, unless they are there from an earlier run.
///
/// # Errors
/// When the archive cannot be reached or a package cannot be unpacked.
pub(super) fn unpack(folder: &Path) -> Result<Vec<Rival>, Error> {
    let prefix = folder.join(SUITE);
    let done = prefix.join("done");
    if !done.is_file() {
        eprintln!(
            "unpacking runc and crun of Debian {SUITE} into {} …",
            prefix.display()
        );
        fetch(&folder.join("apt"), &prefix)?;
        for name in ["usr/sbin/runc", "usr/bin/crun"] {
            rewrite(&folder.join("apt"), &prefix, name)?;
        }
        write_file(&done, "")?;
    }
    let found = |name: &'static str, place: &str, hidden| -> Result<Rival, Error> {
        let program = prefix.join(place);
        let version = text_of(&program.to_string_lossy(), &["--version"])?;
        let version = version.lines().next().unwrap_or_default().to_owned();
        Ok(Rival {
            name,
            version,
            program,
            hidden,
        })
    };
    Ok(vec![
        found("crun", "usr/bin/crun", hybrid_controllers())?,
        found("runc", "usr/sbin/runc", None)?,
    ])
}

/// On a hybrid host: the file that crun reads, and refuses the host for. It is empty for crun only.
pub(super) fn hybrid_controllers() -> Option<PathBuf> {
    let file = PathBuf::from("/sys/fs/cgroup/unified/cgroup.controllers");
    file.is_file().then_some(file)
}

/// Downloads runc, crun, patchelf and all they depend on, and unpacks them.
fn fetch(apt: &Path, prefix: &Path) -> Result<(), Error> {
    for part in ["sources", "state/lists/partial", "cache/archives/partial"] {
        make_folder(&apt.join(part))?;
    }
    make_folder(prefix)?;
    let archive = archive()?;
    let source = format!(
        "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] {archive} {SUITE} main\n"
    );
    write_file(&apt.join("sources/bench.list"), &source)?;
    run_apt(apt, &["update"])?;
    // With an empty list of installed packages, everything they need is fetched with them.
    run_apt(
        apt,
        &[
            "install",
            "--download-only",
            "--no-install-recommends",
            "-y",
            "runc",
            "crun",
            "patchelf",
        ],
    )?;
    let archives = apt.join("cache/archives");
    let failed = |source| Error::Read {
        path: archives.clone(),
        source,
    };
    for entry in fs::read_dir(&archives).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension() == Some(OsStr::new("deb")) {
            let mut dpkg = Command::new("dpkg");
            dpkg.arg("-x").arg(&path).arg(prefix);
            child::output_of(dpkg, LIMIT)?;
        }
    }
    Ok(())
}

fn run_apt(apt: &Path, words: &[&str]) -> Result<(), Error> {
    let option = |key: &str, path: &Path| format!("{key}={}", path.display());
    let mut command = Command::new("apt-get");
    command.args([
        "-qq",
        "-o",
        "Dir::Etc::sourcelist=/dev/null",
        "-o",
        "Dir::State::status=/dev/null",
    ]);
    command.args([
        "-o",
        "Acquire::Languages=none",
        "-o",
        "APT::Sandbox::User=root",
    ]);
    command.args(["-o", "Debug::NoLocking=1", "-o", "Dpkg::Use-Pty=0"]);
    for (key, part) in [
        ("Dir::Etc::sourceparts", "sources"),
        ("Dir::State", "state"),
        ("Dir::Cache", "cache"),
    ] {
        command.args(["-o", &option(key, &apt.join(part))]);
    }
    command.args(words);
    child::output_of(command, LIMIT).map(drop)
}

/// The archive that this machine's apt already uses for Debian itself.
fn archive() -> Result<String, Error> {
    let format = "$(REPO_URI)|$(SUITE)|$(ORIGIN)";
    let targets = text_of(
        "apt-get",
        &["indextargets", "--format", format, "Created-By: Packages"],
    )?;
    let mut rows = targets
        .lines()
        .map(|line| line.split('|').collect::<Vec<_>>());
    let row = rows.find(|row| row.len() == 3 && row[2] == "Debian" && !row[1].contains('-'));
    row.map(|row| row[0].trim_end_matches('/').to_owned())
        .ok_or_else(|| Error::Missing {
            tool: "a Debian archive among apt's sources".into(),
            why: "the newest runc and crun are taken from it (run apt-get update first)".into(),
        })
}

/// Points a program to the loader and the libraries that were unpacked with it.
fn rewrite(apt: &Path, prefix: &Path, name: &str) -> Result<(), Error> {
    let libraries = prefix.join("usr/lib/x86_64-linux-gnu");
    let loader = [
        "usr/lib64/ld-linux-x86-64.so.2",
        "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2",
    ]
    .iter()
    .map(|place| prefix.join(place))
    .find(|path| path.is_file())
    .ok_or_else(|| Error::Form {
        what: apt.display().to_string(),
        why: "no loader was unpacked".into(),
    })?;
    // patchelf is of the same suite, so it runs by the same loader.
    let mut patchelf = Command::new(&loader);
    patchelf
        .arg("--library-path")
        .arg(&libraries)
        .arg(prefix.join("usr/bin/patchelf"));
    patchelf
        .arg("--set-interpreter")
        .arg(&loader)
        .arg("--set-rpath")
        .arg(&libraries)
        .arg("--force-rpath");
    patchelf.arg(prefix.join(name));
    child::output_of(patchelf, LIMIT).map(drop)
}

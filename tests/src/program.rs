//! Which programs are under test and where they lie.
//!
//! The same verb test runs against our runtime and its rivals: when a test fails on runc, the
//! test is wrong until shown otherwise.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A runtime that a test drives by the OCI command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `dhow-runtime`, the one under test. It is never skipped: absent means failed.
    Dhow,
    /// `runc`, the reference.
    Runc,
    /// `crun`, the fast rival.
    Crun,
}

impl Kind {
    /// The program's name, as a user types it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Dhow => "dhow-runtime",
            Self::Runc => "runc",
            Self::Crun => "crun",
        }
    }

    /// Where the program is: `DHOW_BIN_DIR` (or beside the test binary) for ours;
    /// `DHOW_TEST_RUNC` and `DHOW_TEST_CRUN`, else the search path, for the rivals.
    ///
    /// # Errors
    /// The reason in words, when it is nowhere.
    pub fn program(self) -> Result<PathBuf, String> {
        let chosen = match self {
            Self::Dhow => return binary(self.name()),
            Self::Runc => env::var_os("DHOW_TEST_RUNC"),
            Self::Crun => env::var_os("DHOW_TEST_CRUN"),
        };
        chosen
            .map(PathBuf::from)
            .or_else(|| on_path(self.name()))
            .ok_or_else(|| format!("{} is not installed", self.name()))
    }
}

/// A CRIU that works on this kernel, as the command that runs the suite found it.
///
/// # Errors
/// The reason in words, when there is none.
pub fn criu() -> Result<PathBuf, String> {
    let none = "no CRIU that works on this kernel (`criu check`)";
    let chosen = env::var_os("DHOW_TEST_CRIU").map(PathBuf::from);
    chosen.ok_or_else(|| none.to_owned())
}

/// One of our own binaries, or the probe, by name.
///
/// # Errors
/// Names the directories that were searched.
pub fn binary(name: &str) -> Result<PathBuf, String> {
    let mut places = Vec::new();
    if let Some(directory) = env::var_os("DHOW_BIN_DIR") {
        places.push(PathBuf::from(directory));
    }
    // target/<triple>/<profile>/deps/suite-… → target/<triple>/<profile>
    if let Ok(own) = env::current_exe() {
        places.extend(own.ancestors().skip(1).take(2).map(Path::to_path_buf));
    }
    places
        .iter()
        .map(|place| place.join(name))
        .find(|path| path.is_file())
        .ok_or_else(|| format!("{name} is in none of {places:?}; build it or set DHOW_BIN_DIR"))
}

/// Compiles a C program, statically and at a fixed address, into this directory: for the few calls
/// that Rust cannot make without being unsafe.
///
/// # Errors
/// The reason in words: no compiler, or no static C library.
///
/// # Panics
/// When the source cannot be written.
pub fn compile(directory: &Path, name: &str, source: &str) -> Result<PathBuf, String> {
    let compiler = on_path("cc").ok_or("cc is not installed")?;
    let (file, program) = (directory.join(format!("{name}.c")), directory.join(name));
    fs::write(&file, source).expect("write the source");
    let output = Command::new(compiler)
        .args(["-static", "-no-pie", "-O1", "-o"])
        .args([&program, &file])
        .output()
        .map_err(|error| format!("cc cannot be run: {error}"))?;
    if output.status.success() {
        return Ok(program);
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(format!("cc cannot link a static program: {said}"))
}

/// A program on the search path, with the places an ordinary user's path lacks.
#[must_use]
pub fn on_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin", "/usr/bin", "/bin"].map(PathBuf::from))
        .map(|directory| directory.join(name))
        .find(|candidate| candidate.is_file())
}

//! What Cargo knows about this repository: its root, its packages and where output goes.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde::Deserialize;

use crate::child;
use crate::error::Error;

/// The answer of `cargo metadata --no-deps`, as far as tasks need it.
#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    /// The workspace's own packages.
    pub(crate) packages: Vec<Package>,
    /// Where Cargo puts what it builds.
    pub(crate) target_directory: PathBuf,
}

/// One package of the workspace.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    /// The package name, such as `dhow-sys`.
    pub(crate) name: String,
    /// Its `Cargo.toml`.
    pub(crate) manifest_path: PathBuf,
    /// What it depends on, of every kind.
    pub(crate) dependencies: Vec<Dependency>,
    /// What Cargo builds from it.
    pub(crate) targets: Vec<Target>,
}

/// One line of a `[dependencies]` table.
#[derive(Debug, Deserialize)]
pub(crate) struct Dependency {
    /// The package that is depended on.
    pub(crate) name: String,
    /// `None` for ordinary ones, else `dev` or `build`.
    pub(crate) kind: Option<String>,
}

/// A library, a program, a test, an example or a build script.
#[derive(Debug, Deserialize)]
pub(crate) struct Target {
    /// The target's name.
    pub(crate) name: String,
    /// `lib`, `bin`, `test`, `custom-build` and so on.
    pub(crate) kind: Vec<String>,
    /// The root source file.
    pub(crate) src_path: PathBuf,
}

impl Package {
    /// True when the package builds a program.
    pub(crate) fn has_program(&self) -> bool {
        self.targets.iter().any(|target| target.is("bin"))
    }

    /// The package's folder, relative to the root, as Cargo.toml and documents write it.
    pub(crate) fn folder(&self) -> PathBuf {
        let folder = self.manifest_path.parent().unwrap_or(Path::new(""));
        folder.strip_prefix(root()).unwrap_or(folder).to_path_buf()
    }

    /// True for what users get; false for `xtask` and `tests`.
    pub(crate) fn shipped(&self) -> bool {
        self.folder().starts_with("crates")
    }
}

impl Target {
    /// True when the target is of this kind.
    pub(crate) fn is(&self, kind: &str) -> bool {
        self.kind.iter().any(|own| own == kind)
    }
}

/// The repository's root directory.
pub(crate) fn root() -> PathBuf {
    // Set by `cargo run`, and then right even in a copied checkout with a shared target directory.
    let xtask = env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    xtask.parent().map(Path::to_path_buf).unwrap_or(xtask)
}

/// `cargo`, the one that runs us, started at the root.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root());
    cargo
}

/// The raw answer of `cargo metadata` with these further arguments.
///
/// # Errors
/// When Cargo cannot be run or does not accept the workspace.
pub(crate) fn metadata_text(arguments: &[&str]) -> Result<String, Error> {
    let mut cargo = cargo();
    cargo
        .args(["metadata", "--quiet", "--format-version", "1"])
        .args(arguments);
    let output = child::output_of(cargo, Duration::from_secs(300))?;
    let json = output
        .lines()
        .find(|line| line.starts_with('{'))
        .unwrap_or_default();
    Ok(json.to_owned())
}

/// The packages of the workspace.
///
/// # Errors
/// When Cargo cannot be run or does not accept the workspace.
pub(crate) fn metadata() -> Result<Metadata, Error> {
    let text = metadata_text(&["--no-deps"])?;
    serde_json::from_str(&text).map_err(|source| Error::Json {
        what: "the answer of cargo metadata".into(),
        source,
    })
}

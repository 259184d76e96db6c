//! CANARY: a tree on the host that no container may touch.
//!
//! It lies outside every bundle and holds what escapes like to hit: a file named `ptmx`, a
//! directory to break out into, an empty one. Names, modes, owners, link counts, contents and
//! both times are compared; the change time catches writes that restore everything else.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// A watched tree.
#[derive(Debug)]
pub struct Canary {
    path: PathBuf,
    before: String,
}

impl Canary {
    /// Plants the tree at this path.
    ///
    /// # Panics
    /// When it cannot be written.
    #[must_use]
    pub fn plant(path: &Path) -> Self {
        for directory in ["empty", "BREAKOUT-parent", "pts"] {
            fs::create_dir_all(path.join(directory)).expect("plant the canary");
        }
        for file in ["secret", "ptmx", "null", "fd", "console", "core_pattern"] {
            fs::write(path.join(file), format!("canary {file}\n")).expect("plant the canary");
        }
        Self::watch(path)
    }

    /// Watches a tree or file that is already there.
    #[must_use]
    pub fn watch(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            before: describe(path),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Asserts that nothing changed.
    ///
    /// # Panics
    /// Showing the tree before and after.
    #[track_caller]
    pub fn assert_untouched(&self) {
        let after = describe(&self.path);
        assert!(
            after == self.before,
            "the canary was touched\nbefore:\n{}after:\n{after}",
            self.before
        );
    }
}

fn describe(path: &Path) -> String {
    let mut text = String::new();
    list(path, &mut text);
    text
}

fn list(path: &Path, text: &mut String) {
    let Ok(meta) = fs::symlink_metadata(path) else {
        let _ = writeln!(text, "{} is missing", path.display());
        return;
    };
    let content = match meta.is_file() {
        true => fs::read(path).map_or(0, |bytes| fingerprint(&bytes)),
        false => 0,
    };
    let _ = writeln!(
        text,
        "{} mode {:o} owner {}:{} links {} size {} inode {} changed {}.{} {}.{} content {content:x}",
        path.display(),
        meta.mode(),
        meta.uid(),
        meta.gid(),
        meta.nlink(),
        meta.size(),
        meta.ino(),
        meta.mtime(),
        meta.mtime_nsec(),
        meta.ctime(),
        meta.ctime_nsec(),
    );
    if meta.is_dir() {
        let mut names: Vec<PathBuf> = fs::read_dir(path)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .collect();
        names.sort();
        for name in names {
            list(&name, text);
        }
    }
}

/// FNV-1a: accidents and container processes do not forge it, and the times are compared too.
fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

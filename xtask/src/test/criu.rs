//! A CRIU for the tests of `checkpoint` and `restore`.
//!
//! CRIU follows the kernel closely: one that is older than the running kernel may not start at all, as
//! Debian 12's on kernels since 6.13. Where the installed one does not work, the one of a later Debian
//! is unpacked, with the libraries that it needs, below the target directory; nothing is installed.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::on_path;
use crate::child;
use crate::error::Error;

/// The Debian release that is asked.
const RELEASE: &str = "trixie";
const CHECK: Duration = Duration::from_secs(60);
const UNPACK: Duration = Duration::from_secs(10 * 60);

/// A CRIU that works on this kernel, if there is or can be one. Only with `install` is one fetched.
///
/// # Errors
/// When a program cannot be run at all, or the start script cannot be written.
pub(super) fn prepare(target: &Path, install: bool) -> Result<Option<PathBuf>, Error> {
    if let Some(installed) = on_path("criu").filter(|criu| works(criu)) {
        return Ok(Some(installed));
    }
    let script = target.join("criu/criu");
    if script.is_file() && works(&script) {
        return Ok(Some(script));
    }
    let root = target.join("criu").join(RELEASE);
    if !install || root.exists() || on_path("mmdebstrap").is_none() {
        return Ok(None);
    }
    println!("unpacking CRIU of Debian {RELEASE} below the target directory …");
    let mut unpack = Command::new("mmdebstrap");
    unpack
        .args(["--quiet", "--variant=extract", "--include=criu", RELEASE])
        .arg(&root);
    fs::create_dir_all(target.join("criu")).map_err(|source| Error::Write {
        path: target.join("criu"),
        source,
    })?;
    let unpacked = child::run(unpack, UNPACK)?;
    if !unpacked.success() {
        println!("note: it cannot be had here; tests of checkpoint and restore are skipped");
        println!("{}", unpacked.tail(5));
        let _ = fs::remove_dir_all(&root);
        return Ok(None);
    }
    start_script(&script, &root)?;
    Ok(Some(script).filter(|script| works(script)))
}

/// Whether it starts on this kernel and finds what it needs.
fn works(criu: &Path) -> bool {
    let mut check = Command::new(criu);
    check.arg("check");
    child::run(check, CHECK).is_ok_and(|checked| checked.success())
}

/// With its own loader, because the libraries of this system are older.
fn start_script(script: &Path, root: &Path) -> Result<(), Error> {
    let root = root.display();
    let text = format!(
        "#!/bin/sh\nroot='{root}'\nlib=$root/usr/lib/x86_64-linux-gnu\n\
         exec \"$lib/ld-linux-x86-64.so.2\" --library-path \"$lib\" \"$root/usr/sbin/criu\" \"$@\"\n"
    );
    let write = fs::write(script, text)
        .and_then(|()| fs::set_permissions(script, fs::Permissions::from_mode(0o755)));
    write.map_err(|source| Error::Write {
        path: script.to_owned(),
        source,
    })
}

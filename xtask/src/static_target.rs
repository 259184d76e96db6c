//! Which system the shipped programs are linked for.
//!
//! On Linux they are static. Linked with musl a small program is a third of the size that glibc's
//! start-up code, which cannot be left out, gives it, and starts faster: the monitor stands
//! beside every container, so both count. Where the target cannot be had, glibc does: the programs are
//! the same, only larger.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::child;

/// Fetching a target's library takes seconds, or fails at once without a network.
const LIMIT: Duration = Duration::from_secs(180);

/// The target's name, when its standard library is there or can be fetched.
pub(crate) fn find() -> Option<String> {
    let target = name(std::env::consts::OS, std::env::consts::ARCH)?;
    if has_library(&target) {
        return Some(target);
    }
    let mut rustup = Command::new("rustup");
    rustup.args(["target", "add", &target]);
    // Whatever it says: what counts is whether the library is there afterwards.
    let _ = child::run(rustup, LIMIT);
    if has_library(&target) {
        return Some(target);
    }
    eprintln!(
        "no Rust target {target} (rustup target add {target}): linking with glibc, which makes larger programs"
    );
    None
}

fn name(system: &str, architecture: &str) -> Option<String> {
    (system == "linux").then(|| format!("{architecture}-unknown-linux-musl"))
}

fn has_library(target: &str) -> bool {
    let mut rustc = Command::new("rustc");
    rustc.args(["--print", "target-libdir", "--target", target]);
    let printed = rustc.output().ok().filter(|output| output.status.success());
    printed.is_some_and(|output| {
        let directory = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        Path::new(&directory)
            .read_dir()
            .is_ok_and(|mut entries| entries.next().is_some())
    })
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn only_linux_has_one() {
        assert_eq!(
            name("linux", "x86_64").as_deref(),
            Some("x86_64-unknown-linux-musl")
        );
        assert_eq!(name("windows", "x86_64"), None);
    }
}

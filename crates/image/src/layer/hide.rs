//! How an unpacked layer tells overlayfs that something below is gone.
//!
//! A name is hidden by a character device 0:0, which since Linux 5.8 needs no privilege; where the
//! filesystem refuses even that, by an empty file with an attribute (Linux 6.7). A directory hides
//! what is below by an attribute, which is written in both namespaces where possible: `trusted.` is
//! what an overlay of the first user namespace reads, `user.` what one mounted in a container's user
//! namespace reads (option `userxattr`).
//!
//! Source: kernel, Documentation/filesystems/overlayfs.rst, "whiteouts and opaque directories".

use dhow_sys::tree::{self, Node};
use dhow_sys::{FileType, Result, xattr};
use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

const OPAQUE: [&str; 2] = ["trusted.overlay.opaque", "user.overlay.opaque"];
const WHITEOUT: [&str; 2] = ["trusted.overlay.whiteout", "user.overlay.whiteout"];
const EPERM: i32 = 1;
const EOPNOTSUPP: i32 = 95;

/// Hides `name` of the layers below; there must be nothing of that name in `directory`.
pub(crate) fn hide(directory: BorrowedFd<'_>, name: &OsStr) -> Result<()> {
    match tree::make_node(directory, name, Node::Character(0, 0), 0) {
        Err(error) if error.code() == EPERM => hide_by_attribute(directory, name),
        result => result,
    }
}

/// The form for where device nodes, even this one, are refused (a seccomp filter, some filesystems).
fn hide_by_attribute(directory: BorrowedFd<'_>, name: &OsStr) -> Result<()> {
    let file = tree::create_file(directory, name, 0o600)?;
    set_both(file.as_fd(), WHITEOUT, b"y")?;
    // Tells overlayfs to look for such files in this directory at all.
    if !is_opaque(directory)? {
        let again = reopen(directory)?;
        set_both(again.as_fd(), OPAQUE, b"x")?;
    }
    Ok(())
}

/// Hides everything that the layers below have in this directory.
pub(crate) fn make_opaque(directory: BorrowedFd<'_>) -> Result<()> {
    let directory = reopen(directory)?;
    set_both(directory.as_fd(), OPAQUE, b"y")
}

/// Whether a directory hides what is below it.
pub(crate) fn is_opaque(directory: BorrowedFd<'_>) -> Result<bool> {
    let directory = reopen(directory)?;
    for name in OPAQUE {
        if xattr::get(directory.as_fd(), name.as_ref())?.as_deref() == Some(b"y") {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether `name`, of which `stat` tells, is a whiteout in either form.
pub(crate) fn is_whiteout(
    directory: BorrowedFd<'_>,
    name: &OsStr,
    stat: &dhow_sys::Stat,
) -> Result<bool> {
    if tree::is_whiteout(stat) {
        return Ok(true);
    }
    if stat.st_size != 0 || tree::file_type(stat) != FileType::RegularFile {
        return Ok(false);
    }
    // Only an unprivileged owner may find its own file closed; whiteouts are never closed.
    let Ok(file) = tree::open_file(directory, name) else {
        return Ok(false);
    };
    for attribute in WHITEOUT {
        if xattr::get(file.as_fd(), attribute.as_ref())?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// An `O_PATH` descriptor, as lookups give, cannot carry attribute calls.
fn reopen(directory: BorrowedFd<'_>) -> Result<OwnedFd> {
    tree::open_directory(directory, ".".as_ref())
}

/// Writes the attribute in every namespace that allows it; one of them must.
fn set_both(fd: BorrowedFd<'_>, names: [&str; 2], value: &[u8]) -> Result<()> {
    let trusted = xattr::set(fd, names[0].as_ref(), value);
    let user = xattr::set(fd, names[1].as_ref(), value);
    match (trusted, user) {
        (Ok(()), Ok(())) => Ok(()),
        (Ok(()), Err(error)) | (Err(error), Ok(()))
            if matches!(error.code(), EPERM | EOPNOTSUPP) =>
        {
            Ok(())
        }
        (Err(error), _) | (_, Err(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Scratch(std::path::PathBuf);

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn both_forms_are_recognised() {
        let scratch =
            Scratch(std::env::temp_dir().join(format!("dhow-hide-{}", std::process::id())));
        std::fs::create_dir(&scratch.0).unwrap();
        let directory = std::fs::File::open(&scratch.0).unwrap();
        let directory = directory.as_fd();
        std::fs::write(scratch.0.join("empty"), "").unwrap();
        hide(directory, "device".as_ref()).unwrap();
        hide_by_attribute(directory, "attribute".as_ref()).unwrap();
        for (name, hidden) in [("device", true), ("attribute", true), ("empty", false)] {
            let stat = tree::stat(directory, name.as_ref()).unwrap().unwrap();
            assert_eq!(
                is_whiteout(directory, name.as_ref(), &stat).unwrap(),
                hidden,
                "{name}"
            );
        }
        assert!(!is_opaque(directory).unwrap());
        make_opaque(directory).unwrap();
        assert!(is_opaque(directory).unwrap());
    }
}

//! Resolving paths that come from a container: always beneath an open directory, never by string.
//!
//! `openat2(2)` (Linux 5.6) does the work where it may be called; where it is missing or blocked by
//! a filter, a walk over `O_PATH|O_NOFOLLOW` descriptors gives the same answer, component by
//! component, following links itself.

use super::raw::check;
use crate::{Error, Result};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use rustix::fs::{Mode, OFlags, ResolveFlags};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

/// How often a resolution is repeated when a rename elsewhere disturbed it (EAGAIN).
const TRIES: usize = 128;
/// As many symbolic links as the kernel follows in one path.
const MAXIMUM_LINKS: usize = 40;

/// Opens `path` as a process would whose root is `root`: absolute links and `..` stay inside,
/// magic links of procfs are refused.
///
/// # Errors
/// `openat2`: ENOENT, ELOOP (magic link), EACCES and what open(2) lists.
pub fn open_in_root(
    root: BorrowedFd<'_>,
    path: &Path,
    flags: OFlags,
    mode: Mode,
) -> Result<OwnedFd> {
    resolve(
        root,
        path,
        flags,
        mode,
        ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS,
    )
}

/// As [`open_in_root`], but no component may be a link at all: for the places that the runtime itself
/// writes to, such as `/proc` and `/dev`.
///
/// # Errors
/// As [`open_in_root`]; ELOOP for any link.
pub fn open_in_root_no_links(root: BorrowedFd<'_>, path: &Path, flags: OFlags) -> Result<OwnedFd> {
    let how = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_SYMLINKS;
    resolve(root, path, flags, Mode::empty(), how)
}

/// Opens `path` strictly beneath `directory`, following no link of any kind and entering no other
/// mount: for procfs, cgroupfs and our own state.
///
/// # Errors
/// `openat2`: ENOENT, ELOOP (a link), EXDEV (`..`, absolute, or another mount).
pub fn open_beneath(
    directory: BorrowedFd<'_>,
    path: &Path,
    flags: OFlags,
    mode: Mode,
) -> Result<OwnedFd> {
    let resolve_flags = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    resolve(
        directory,
        path,
        flags,
        mode,
        resolve_flags | ResolveFlags::NO_MAGICLINKS,
    )
}

fn resolve(
    root: BorrowedFd<'_>,
    path: &Path,
    flags: OFlags,
    mode: Mode,
    how: ResolveFlags,
) -> Result<OwnedFd> {
    let shown = || format!("{}, {:?}, {how:?}", root.as_raw_fd(), path);
    let flags = flags | OFlags::CLOEXEC;
    let relative = inside(path);
    for _ in 0..TRIES {
        match rustix::fs::openat2(root, relative, flags, mode, how) {
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
            Err(rustix::io::Errno::NOSYS | rustix::io::Errno::PERM) => {
                return walk(root, path, flags, mode, how);
            }
            result => return check("openat2", result, shown),
        }
    }
    Err(Error::new("openat2", shown(), libc::EAGAIN))
}

/// The path without leading slashes: absolute ones mean the same directory, and an empty one `.`.
fn inside(path: &Path) -> &Path {
    let mut bytes = path.as_os_str().as_bytes();
    while let Some(rest) = bytes.strip_prefix(b"/") {
        bytes = rest;
    }
    if bytes.is_empty() {
        Path::new(".")
    } else {
        Path::new(std::ffi::OsStr::from_bytes(bytes))
    }
}

/// The resolver for kernels and filters without openat2.
fn walk(
    root: BorrowedFd<'_>,
    path: &Path,
    flags: OFlags,
    mode: Mode,
    how: ResolveFlags,
) -> Result<OwnedFd> {
    let fail = |code| {
        Error::new(
            "openat",
            format!("{}, {path:?}, {how:?}", root.as_raw_fd()),
            code,
        )
    };
    let step = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut stack: Vec<OwnedFd> = Vec::new();
    let mut pending: Vec<std::ffi::OsString> = components(path);
    let mut links = 0;
    while let Some(name) = pending.pop() {
        let here = stack.last().map_or(root, AsFd::as_fd);
        if name == ".." {
            if stack.pop().is_none() && how.contains(ResolveFlags::BENEATH) {
                return Err(fail(libc::EXDEV));
            }
            continue;
        }
        if pending.is_empty() && flags.contains(OFlags::CREATE) {
            let result = rustix::fs::openat(here, &name, flags | OFlags::NOFOLLOW, mode);
            if !matches!(result, Err(rustix::io::Errno::LOOP)) {
                return check("openat", result, || {
                    format!("{}, {path:?}", root.as_raw_fd())
                });
            }
        }
        let next = check(
            "openat",
            rustix::fs::openat(here, &name, step, Mode::empty()),
            || format!("{}, {path:?} at {name:?}", root.as_raw_fd()),
        )?;
        let last = pending.is_empty();
        if is_link(next.as_fd())? && !(last && flags.contains(OFlags::NOFOLLOW)) {
            links += 1;
            let magic = super::fd::filesystem_magic(next.as_fd())? == super::procfs::MAGIC;
            if how.contains(ResolveFlags::NO_SYMLINKS) || links > MAXIMUM_LINKS || magic {
                return Err(fail(libc::ELOOP));
            }
            let target = check(
                "readlinkat",
                rustix::fs::readlinkat(&next, c"", Vec::new()),
                || format!("{name:?}"),
            )?;
            let target = PathBuf::from(std::ffi::OsStr::from_bytes(target.as_bytes()));
            if target.is_absolute() {
                stack.clear();
            }
            pending.extend(components(&target));
            continue;
        }
        stack.push(next);
    }
    let found = stack.last().map_or(root, AsFd::as_fd);
    reopen(found, flags)
}

/// The components of a path in reverse, ready to be popped; empty and `.` ones left out.
fn components(path: &Path) -> Vec<std::ffi::OsString> {
    let parts = path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    });
    let mut parts: Vec<_> = parts.collect();
    parts.reverse();
    parts
}

fn is_link(fd: BorrowedFd<'_>) -> Result<bool> {
    let stat = super::fd::stat(fd)?;
    Ok(rustix::fs::FileType::from_raw_mode(stat.st_mode).is_symlink())
}

/// Opens what an `O_PATH` descriptor refers to once more, with other flags.
///
/// # Errors
/// `openat`: EACCES, ELOOP when it is a symbolic link.
pub fn reopen(fd: BorrowedFd<'_>, flags: OFlags) -> Result<OwnedFd> {
    let number = fd.as_raw_fd();
    if flags.contains(OFlags::PATH) {
        return super::fd::duplicate_from(fd, 3);
    }
    let flags = (flags | OFlags::CLOEXEC) - OFlags::NOFOLLOW - OFlags::CREATE - OFlags::EXCL;
    let name = format!("/proc/self/fd/{number}");
    check(
        "open",
        rustix::fs::open(&*name, flags, Mode::empty()),
        || format!("{name}, {flags:?}"),
    )
}

/// Opens something of the host by its path, close-on-exec; `shown` are the flags in words.
fn open_named(path: &Path, flags: OFlags, shown: &str) -> Result<OwnedFd> {
    let opened = rustix::fs::open(path, flags | OFlags::CLOEXEC, Mode::empty());
    check("open", opened, || format!("{}, {shown}", path.display()))
}

/// Opens a directory of the host by its path, `O_PATH`.
///
/// # Errors
/// `open`: ENOENT, ENOTDIR, EACCES.
pub fn open_directory(path: &Path) -> Result<OwnedFd> {
    open_named(path, OFlags::PATH | OFlags::DIRECTORY, "O_PATH|O_DIRECTORY")
}

/// As [`open_directory`], but the last component must not be a link.
///
/// # Errors
/// `open`: ENOENT, ENOTDIR (also for a link), EACCES.
pub fn open_directory_no_link(path: &Path) -> Result<OwnedFd> {
    open_named(
        path,
        OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW,
        "O_PATH|O_DIRECTORY|O_NOFOLLOW",
    )
}

/// Opens a file of the host by its path, for reading.
///
/// # Errors
/// `open`: ENOENT, EACCES.
pub fn open_host_file(path: &Path) -> Result<OwnedFd> {
    open_named(path, OFlags::RDONLY, "O_RDONLY")
}

/// The absolute path of an open directory of the host, without links and dots (`/proc/self/fd`).
///
/// # Errors
/// `readlink`: ENOENT when there is no `/proc`.
pub fn of_directory(directory: BorrowedFd<'_>) -> Result<PathBuf> {
    let name = format!("/proc/self/fd/{}", directory.as_raw_fd());
    let link = check("readlink", rustix::fs::readlink(&*name, Vec::new()), || {
        name.clone()
    })?;
    Ok(PathBuf::from(std::ffi::OsString::from_vec(
        link.into_bytes(),
    )))
}

/// Opens a directory of the host by its path, to be read and locked.
///
/// # Errors
/// `open`: ENOENT, ENOTDIR, EACCES.
pub fn open_host_directory(path: &Path) -> Result<OwnedFd> {
    open_named(
        path,
        OFlags::RDONLY | OFlags::DIRECTORY,
        "O_RDONLY|O_DIRECTORY",
    )
}

/// Opens any file of the host by its path, `O_PATH`.
///
/// # Errors
/// `open`: ENOENT, EACCES.
pub fn open_host(path: &Path) -> Result<OwnedFd> {
    open_named(path, OFlags::PATH, "O_PATH")
}

/// Reads a file of the host by its path, at most `limit` bytes.
///
/// # Errors
/// `open`, `read`; EFBIG when there is more than `limit`.
pub fn read_host(path: &Path, limit: usize) -> Result<Vec<u8>> {
    let opened = open_host_file(path)?;
    super::fd::read_file(opened.as_fd(), limit)
}

/// Opens a directory inside `root`, creating what is missing on the way with `mode`, and returns it
/// (`O_PATH`). Existing links are followed inside the root; a missing component is created by
/// `mkdirat` in an open parent and opened again without following anything.
///
/// # Errors
/// `openat2`, `mkdirat`: ENOTDIR when a file stands in the way, EROFS, ENOSPC.
pub fn mkdir_all_in_root(root: BorrowedFd<'_>, path: &Path, mode: Mode) -> Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY;
    match open_in_root(root, path, flags, Mode::empty()) {
        Err(error) if error.code() == libc::ENOENT => {}
        result => return result,
    }
    // Find the deepest part that exists, then create the rest one by one.
    let mut names = components(path);
    names.reverse();
    let mut existing = names.len();
    let mut here = loop {
        existing -= 1;
        let prefix: PathBuf = names[..existing].iter().collect();
        match open_in_root(root, &prefix, flags, Mode::empty()) {
            Err(error) if error.code() == libc::ENOENT && existing > 0 => {}
            result => break result?,
        }
    };
    for name in &names[existing..] {
        if name == ".." {
            // A missing component followed by `..` has no meaning that two resolvers agree on.
            return Err(Error::new("mkdirat", format!("{path:?}"), libc::ENOENT));
        }
        match rustix::fs::mkdirat(&here, name, mode) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => {}
            Err(errno) => {
                return check("mkdirat", Err(errno), || {
                    format!("{}, {path:?} at {name:?}", here.as_raw_fd())
                });
            }
        }
        here = open_in_root(
            here.as_fd(),
            Path::new(name),
            flags | OFlags::NOFOLLOW,
            Mode::empty(),
        )?;
    }
    Ok(here)
}

/// Opens (`O_PATH`) an existing file inside `root`, or creates an empty regular file, and its parent
/// directories, when nothing is there; never truncates.
///
/// # Errors
/// `openat2`, `openat`: ENOTDIR, EROFS, ELOOP when the last component is a dangling link.
pub fn create_file_in_root(root: BorrowedFd<'_>, path: &Path, mode: Mode) -> Result<OwnedFd> {
    match open_in_root(root, path, OFlags::PATH, Mode::empty()) {
        Err(error) if error.code() == libc::ENOENT => {}
        result => return result,
    }
    let relative = inside(path);
    let parent = relative.parent().unwrap_or(Path::new(""));
    let name = relative
        .file_name()
        .ok_or_else(|| Error::new("openat", format!("{path:?}"), libc::EISDIR))?;
    let parent = mkdir_all_in_root(root, parent, Mode::from_raw_mode(0o755))?;
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match rustix::fs::openat(&parent, name, flags, mode) {
        Ok(_) | Err(rustix::io::Errno::EXIST) => {}
        Err(errno) => {
            return check("openat", Err(errno), || {
                format!("{}, {path:?}, CREAT|EXCL", parent.as_raw_fd())
            });
        }
    }
    open_in_root(
        parent.as_fd(),
        Path::new(name),
        OFlags::PATH | OFlags::NOFOLLOW,
        Mode::empty(),
    )
}

/// Reads a small file beneath `directory`, at most `limit` bytes.
///
/// # Errors
/// As [`open_beneath`] and `read`.
pub fn read_beneath(directory: BorrowedFd<'_>, path: &str, limit: usize) -> Result<Vec<u8>> {
    let file = open_beneath(directory, Path::new(path), OFlags::RDONLY, Mode::empty())?;
    super::fd::read_file(file.as_fd(), limit)
}

/// Writes to a control file beneath `directory` in one `write`.
///
/// # Errors
/// As [`open_beneath`] and `write`; the error names the file.
pub fn write_beneath(directory: BorrowedFd<'_>, path: &str, data: &[u8]) -> Result<()> {
    let file = open_beneath(directory, Path::new(path), OFlags::WRONLY, Mode::empty())?;
    let result = rustix::io::retry_on_intr(|| rustix::io::write(&file, data));
    check("write", result, || {
        format!("{path:?}, {:?}", String::from_utf8_lossy(data).trim_end())
    })
    .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("dhow-path-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(path.join("root/a/b")).expect("scratch directory");
        std::fs::create_dir_all(path.join("outside")).expect("scratch directory");
        path
    }

    /// Both resolvers, on the same tree, for the same path: the same inode or the same errno.
    fn both(root: BorrowedFd<'_>, path: &str) -> std::result::Result<u64, i32> {
        let how = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let inode = |fd: OwnedFd| super::super::fd::stat(fd.as_fd()).expect("fstat").st_ino;
        let fast = resolve(root, Path::new(path), flags, Mode::empty(), how)
            .map(inode)
            .map_err(|e| e.code());
        let slow = walk(root, Path::new(path), flags, Mode::empty(), how)
            .map(inode)
            .map_err(|e| e.code());
        assert_eq!(fast, slow, "{path}");
        fast
    }

    #[test]
    fn links_stay_inside_in_both_resolvers() {
        let scratch = scratch("links");
        let root_path = scratch.join("root");
        std::os::unix::fs::symlink("/a/b", root_path.join("absolute")).expect("link");
        std::os::unix::fs::symlink("../../../outside", root_path.join("escape")).expect("link");
        std::os::unix::fs::symlink("loop", root_path.join("loop")).expect("link");
        std::fs::write(root_path.join("a/file"), "x").expect("file");
        let root = open_directory(&root_path).expect("open");
        let root = root.as_fd();
        assert_eq!(both(root, "absolute"), both(root, "a/b"));
        assert_eq!(both(root, "../../a/b"), both(root, "/a/b"));
        assert_eq!(both(root, "escape"), Err(libc::ENOENT));
        assert_eq!(both(root, "loop"), Err(libc::ELOOP));
        assert_eq!(both(root, "a/file/x"), Err(libc::ENOTDIR));
        assert!(both(root, "absolute/../file").is_ok());
        std::fs::remove_dir_all(&scratch).expect("clean up");
    }

    #[test]
    fn directories_are_made_inside_only() {
        let scratch = scratch("mkdir");
        let root_path = scratch.join("root");
        std::os::unix::fs::symlink("../../outside", root_path.join("out")).expect("link");
        std::os::unix::fs::symlink("/a", root_path.join("in")).expect("link");
        let root = open_directory(&root_path).expect("open");
        let mode = Mode::from_raw_mode(0o755);
        mkdir_all_in_root(root.as_fd(), Path::new("/in/x/y"), mode).expect("mkdir");
        assert!(root_path.join("a/x/y").is_dir());
        let error =
            mkdir_all_in_root(root.as_fd(), Path::new("out/evil"), mode).expect_err("dangling");
        assert!(
            [libc::ELOOP, libc::ENOTDIR].contains(&error.code()),
            "{error}"
        );
        assert_eq!(
            std::fs::read_dir(scratch.join("outside"))
                .expect("list")
                .count(),
            0
        );
        std::fs::remove_dir_all(&scratch).expect("clean up");
    }

    #[test]
    fn beneath_refuses_links_and_parents() {
        let scratch = scratch("beneath");
        std::os::unix::fs::symlink("a", scratch.join("root/link")).expect("link");
        let root = open_directory(&scratch.join("root")).expect("open");
        let open = |path: &str| {
            open_beneath(root.as_fd(), Path::new(path), OFlags::PATH, Mode::empty())
                .map_err(|e| e.code())
                .map(drop)
        };
        assert_eq!(open("a/b"), Ok(()));
        assert_eq!(open("link/b"), Err(libc::ELOOP));
        assert_eq!(open("../outside"), Err(libc::EXDEV));
        std::fs::remove_dir_all(&scratch).expect("clean up");
    }
}

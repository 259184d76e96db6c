//! Names in one open directory: make, read, change and remove them without ever handing the kernel
//! a path of more than one component.
//!
//! Unpacking an image layer creates tens of thousands of names chosen by a stranger. Every function
//! here takes the directory as a descriptor and a single name, never follows a symbolic link in it,
//! and never opens something that already existed for writing.

use super::raw::check;
use crate::Result;
use rustix::fd::{AsRawFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, Dir, FileType, Gid, Mode, OFlags, Stat, Timespec, Timestamps, Uid};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStringExt;

/// A moment as the filesystem keeps it: seconds since 1970 (may be negative) and nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Time {
    /// Whole seconds since the epoch.
    pub seconds: i64,
    /// Nanoseconds within the second, below 1,000,000,000.
    pub nanoseconds: u32,
}

fn shown(dir: BorrowedFd<'_>, name: &OsStr) -> String {
    format!("{}, {name:?}", dir.as_raw_fd())
}

/// Opens the directory `name`, itself and not what a link of that name points to.
///
/// # Errors
/// `openat`: ENOENT, ENOTDIR (also for a symbolic link), ELOOP.
pub fn open_directory(dir: BorrowedFd<'_>, name: &OsStr) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    check(
        "openat",
        rustix::fs::openat(dir, name, flags, Mode::empty()),
        || format!("{}, O_DIRECTORY|O_NOFOLLOW", shown(dir, name)),
    )
}

/// Opens (`O_PATH`) the directory `path` beneath `root`. Symbolic links on the way are followed as
/// long as every step stays beneath `root`: an absolute link, or one that climbs out, is refused.
///
/// # Errors
/// `openat2`: ENOENT; ENOTDIR; EXDEV when the path leaves `root`; ELOOP.
pub fn directory_beneath(root: BorrowedFd<'_>, path: &OsStr) -> Result<OwnedFd> {
    use rustix::fs::ResolveFlags;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_XDEV;
    let mut tries = 0;
    loop {
        match rustix::fs::openat2(root, path, flags, Mode::empty(), resolve) {
            // A rename elsewhere on the system made the kernel unsure whether ".." still is beneath.
            Err(rustix::io::Errno::AGAIN) if tries < 64 => tries += 1,
            // Missing before Linux 5.6 or blocked by a filter.
            Err(rustix::io::Errno::NOSYS | rustix::io::Errno::PERM) => {
                return walk_beneath(root, path);
            }
            result => {
                return check("openat2", result, || {
                    format!("{}, RESOLVE_BENEATH", shown(root, path))
                });
            }
        }
    }
}

/// As [`directory_beneath`] without `openat2`: component by component, and following no link at all.
fn walk_beneath(root: BorrowedFd<'_>, path: &OsStr) -> Result<OwnedFd> {
    use std::os::unix::ffi::OsStrExt;
    let mut here = open_directory(root, ".".as_ref())?;
    for component in path.as_bytes().split(|byte| *byte == b'/') {
        match component {
            b"" | b"." => {}
            b".." => return Err(crate::Error::new("openat", shown(root, path), libc::EXDEV)),
            name => here = open_directory(as_fd(&here), OsStr::from_bytes(name))?,
        }
    }
    Ok(here)
}

/// Opens the file `name` for reading. A FIFO or device does not block the call.
///
/// # Errors
/// `openat`: ENOENT, ELOOP for a symbolic link.
pub fn open_file(dir: BorrowedFd<'_>, name: &OsStr) -> Result<OwnedFd> {
    let flags =
        OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    check(
        "openat",
        rustix::fs::openat(dir, name, flags, Mode::empty()),
        || format!("{}, O_RDONLY|O_NOFOLLOW", shown(dir, name)),
    )
}

/// Creates the regular file `name`, which must not exist, and opens it for writing.
///
/// # Errors
/// `openat`: EEXIST, ENOSPC, EDQUOT, ENAMETOOLONG.
pub fn create_file(dir: BorrowedFd<'_>, name: &OsStr, mode: u32) -> Result<OwnedFd> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    check(
        "openat",
        rustix::fs::openat(dir, name, flags, Mode::from_raw_mode(mode)),
        || format!("{}, O_CREAT|O_EXCL, 0{mode:o}", shown(dir, name)),
    )
}

/// Creates the directory `name`; the process's umask applies.
///
/// # Errors
/// `mkdirat`: EEXIST, ENOSPC.
pub fn make_directory(dir: BorrowedFd<'_>, name: &OsStr, mode: u32) -> Result<()> {
    check(
        "mkdirat",
        rustix::fs::mkdirat(dir, name, Mode::from_raw_mode(mode)),
        || format!("{}, 0{mode:o}", shown(dir, name)),
    )
}

/// Creates the symbolic link `name` with the given text, which nobody resolves now.
///
/// # Errors
/// `symlinkat`: EEXIST, ENAMETOOLONG.
pub fn make_symlink(dir: BorrowedFd<'_>, name: &OsStr, target: &OsStr) -> Result<()> {
    check(
        "symlinkat",
        rustix::fs::symlinkat(target, dir, name),
        || format!("{target:?}, {}", shown(dir, name)),
    )
}

/// Gives the file `from` in `from_dir` the further name `to` in `to_dir`. A symbolic link is linked
/// itself.
///
/// # Errors
/// `linkat`: ENOENT, EEXIST, EPERM for a directory, EMLINK, EXDEV.
pub fn make_hard_link(
    from_dir: BorrowedFd<'_>,
    from: &OsStr,
    to_dir: BorrowedFd<'_>,
    to: &OsStr,
) -> Result<()> {
    check(
        "linkat",
        rustix::fs::linkat(from_dir, from, to_dir, to, AtFlags::empty()),
        || format!("{}, {}", shown(from_dir, from), shown(to_dir, to)),
    )
}

/// What [`make_node`] makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Node {
    /// A named pipe.
    Fifo,
    /// A character device with its major and minor number; 0:0 is an overlay whiteout, which since
    /// Linux 5.8 needs no privilege.
    Character(u32, u32),
    /// A block device with its major and minor number.
    Block(u32, u32),
}

/// Creates a FIFO or a device node; the process's umask applies.
///
/// # Errors
/// `mknodat`: EEXIST; EPERM without `CAP_MKNOD` in the first user namespace.
pub fn make_node(dir: BorrowedFd<'_>, name: &OsStr, node: Node, mode: u32) -> Result<()> {
    let (kind, device) = match node {
        Node::Fifo => (FileType::Fifo, 0),
        Node::Character(major, minor) => {
            (FileType::CharacterDevice, rustix::fs::makedev(major, minor))
        }
        Node::Block(major, minor) => (FileType::BlockDevice, rustix::fs::makedev(major, minor)),
    };
    check(
        "mknodat",
        rustix::fs::mknodat(dir, name, kind, Mode::from_raw_mode(mode), device),
        || format!("{}, {node:?}, 0{mode:o}", shown(dir, name)),
    )
}

/// Changes owner and group of `name` itself, links included.
///
/// # Errors
/// `fchownat`: EPERM; EINVAL for an id that this user namespace does not map.
pub fn set_owner(dir: BorrowedFd<'_>, name: &OsStr, uid: u32, gid: u32) -> Result<()> {
    let (owner, group) = (Uid::from_raw(uid), Gid::from_raw(gid));
    check(
        "fchownat",
        rustix::fs::chownat(
            dir,
            name,
            Some(owner),
            Some(group),
            AtFlags::SYMLINK_NOFOLLOW,
        ),
        || format!("{}, {uid}, {gid}, AT_SYMLINK_NOFOLLOW", shown(dir, name)),
    )
}

/// Changes owner and group of an open file; like every change of owner it clears set-id bits.
///
/// # Errors
/// `fchown`: EPERM; EINVAL for an id that this user namespace does not map.
pub fn set_owner_of(fd: BorrowedFd<'_>, uid: u32, gid: u32) -> Result<()> {
    check(
        "fchown",
        rustix::fs::fchown(fd, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid))),
        || format!("{}, {uid}, {gid}", fd.as_raw_fd()),
    )
}

/// Changes the owner of `name`, and not its group.
///
/// # Errors
/// `fchownat`: ENOENT, EPERM.
pub fn set_user(dir: BorrowedFd<'_>, name: &OsStr, uid: u32) -> Result<()> {
    let (user, flags) = (Some(Uid::from_raw(uid)), AtFlags::SYMLINK_NOFOLLOW);
    check(
        "fchownat",
        rustix::fs::chownat(dir, name, user, None, flags),
        || format!("{}, {uid}, -1, AT_SYMLINK_NOFOLLOW", shown(dir, name)),
    )
}

/// As [`set_user`], of what an open descriptor refers to.
///
/// # Errors
/// `fchown`: EPERM.
pub fn set_user_of(fd: BorrowedFd<'_>, uid: u32) -> Result<()> {
    check(
        "fchown",
        rustix::fs::fchown(fd, Some(Uid::from_raw(uid)), None),
        || format!("{}, {uid}, -1", fd.as_raw_fd()),
    )
}

/// Changes the permission bits of `name`, which the caller has just made and which is not a link.
///
/// # Errors
/// `fchmodat`.
pub fn set_mode(dir: BorrowedFd<'_>, name: &OsStr, mode: u32) -> Result<()> {
    check(
        "fchmodat",
        rustix::fs::chmodat(dir, name, Mode::from_raw_mode(mode), AtFlags::empty()),
        || format!("{}, 0{mode:o}", shown(dir, name)),
    )
}

/// Changes the permission bits of an open file.
///
/// # Errors
/// `fchmod`.
pub fn set_mode_of(fd: BorrowedFd<'_>, mode: u32) -> Result<()> {
    check(
        "fchmod",
        rustix::fs::fchmod(fd, Mode::from_raw_mode(mode)),
        || format!("{}, 0{mode:o}", fd.as_raw_fd()),
    )
}

fn timestamps(time: Time) -> Timestamps {
    let moment = Timespec {
        tv_sec: time.seconds,
        tv_nsec: i64::from(time.nanoseconds),
    };
    Timestamps {
        last_access: moment,
        last_modification: moment,
    }
}

/// Sets access and modification time of `name` itself, links included.
///
/// # Errors
/// `utimensat`.
pub fn set_time(dir: BorrowedFd<'_>, name: &OsStr, time: Time) -> Result<()> {
    check(
        "utimensat",
        rustix::fs::utimensat(dir, name, &timestamps(time), AtFlags::SYMLINK_NOFOLLOW),
        || format!("{}, {time:?}", shown(dir, name)),
    )
}

/// Sets access and modification time of an open file.
///
/// # Errors
/// `futimens`.
pub fn set_time_of(fd: BorrowedFd<'_>, time: Time) -> Result<()> {
    check(
        "futimens",
        rustix::fs::futimens(fd, &timestamps(time)),
        || format!("{}, {time:?}", fd.as_raw_fd()),
    )
}

/// Removes the name of anything but a directory.
///
/// # Errors
/// `unlinkat`: ENOENT, EISDIR.
pub fn remove_file(dir: BorrowedFd<'_>, name: &OsStr) -> Result<()> {
    check(
        "unlinkat",
        rustix::fs::unlinkat(dir, name, AtFlags::empty()),
        || shown(dir, name),
    )
}

/// Removes an empty directory.
///
/// # Errors
/// `unlinkat`: ENOENT, ENOTEMPTY, ENOTDIR.
pub fn remove_directory(dir: BorrowedFd<'_>, name: &OsStr) -> Result<()> {
    check(
        "unlinkat",
        rustix::fs::unlinkat(dir, name, AtFlags::REMOVEDIR),
        || format!("{}, AT_REMOVEDIR", shown(dir, name)),
    )
}

/// Removes `name` with everything beneath it, following no link and however deep it is.
///
/// Directories found below are first moved up into `name`, so two descriptors suffice for any depth.
/// A directory without write or search permission for its owner gets both first, so that an
/// unprivileged owner can remove what a stranger's image made.
///
/// # Errors
/// `unlinkat`, `openat`, `renameat`, `getdents64`; EACCES for directories of another owner.
pub fn remove_tree(dir: BorrowedFd<'_>, name: &OsStr) -> Result<()> {
    if remove_unless_directory(dir, name)? {
        return Ok(());
    }
    let top = open_for_removal(dir, name)?;
    let mut moved = 0_u64;
    loop {
        let found = names(as_fd(&top))?;
        if found.is_empty() {
            break;
        }
        for child in found {
            if !remove_unless_directory(as_fd(&top), &child)? {
                empty_into(as_fd(&top), &child, &mut moved)?;
                remove_directory(as_fd(&top), &child)?;
            }
        }
    }
    remove_directory(dir, name)
}

/// Removes the files of `top/child` and moves its directories up into `top`.
fn empty_into(top: BorrowedFd<'_>, child: &OsStr, moved: &mut u64) -> Result<()> {
    let fd = open_for_removal(top, child)?;
    for name in names(as_fd(&fd))? {
        if remove_unless_directory(as_fd(&fd), &name)?
            || remove_directory(as_fd(&fd), &name).is_ok()
        {
            continue;
        }
        // Moving a directory writes its "..", so it must be writable too.
        drop(open_for_removal(as_fd(&fd), &name)?);
        loop {
            *moved += 1;
            let up = OsString::from(format!(".removing-{moved}"));
            match rename(as_fd(&fd), &name, top, &up) {
                Err(error)
                    if matches!(error.code(), libc::ENOTEMPTY | libc::EEXIST | libc::ENOTDIR) => {}
                result => break result?,
            }
        }
    }
    Ok(())
}

/// True when `name` was a file and is gone, false when it is a directory.
fn remove_unless_directory(dir: BorrowedFd<'_>, name: &OsStr) -> Result<bool> {
    match remove_file(dir, name) {
        Ok(()) => Ok(true),
        Err(error) if error.code() == libc::EISDIR => Ok(false),
        Err(error) => Err(error),
    }
}

fn as_fd(fd: &OwnedFd) -> BorrowedFd<'_> {
    use rustix::fd::AsFd;
    fd.as_fd()
}

fn open_for_removal(dir: BorrowedFd<'_>, name: &OsStr) -> Result<OwnedFd> {
    match open_directory(dir, name) {
        Err(error) if error.code() == libc::EACCES => set_mode(dir, name, 0o700)?,
        Ok(fd) => {
            let mode = super::fd::stat(as_fd(&fd))?.st_mode;
            if mode & 0o700 != 0o700 {
                // Fails for another owner's directory; the removal then says so by name.
                let _ = set_mode_of(as_fd(&fd), 0o700);
            }
            return Ok(fd);
        }
        Err(error) => return Err(error),
    }
    open_directory(dir, name)
}

/// Moves a name, atomically, within one filesystem; an existing `to` that is not a directory is replaced.
///
/// # Errors
/// `renameat`: ENOENT, ENOTEMPTY, EXDEV.
pub fn rename(
    from_dir: BorrowedFd<'_>,
    from: &OsStr,
    to_dir: BorrowedFd<'_>,
    to: &OsStr,
) -> Result<()> {
    check(
        "renameat",
        rustix::fs::renameat(from_dir, from, to_dir, to),
        || format!("{}, {}", shown(from_dir, from), shown(to_dir, to)),
    )
}

/// What `name` itself is, or `None` when there is nothing of that name.
///
/// # Errors
/// `fstatat`, other than ENOENT.
pub fn stat(dir: BorrowedFd<'_>, name: &OsStr) -> Result<Option<Stat>> {
    match rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(rustix::io::Errno::NOENT) => Ok(None),
        result => check("fstatat", result, || {
            format!("{}, AT_SYMLINK_NOFOLLOW", shown(dir, name))
        })
        .map(Some),
    }
}

/// The type of what a [`Stat`] describes.
#[must_use]
pub fn file_type(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

/// Whether a [`Stat`] describes an overlay whiteout: a character device 0:0.
#[must_use]
pub fn is_whiteout(stat: &Stat) -> bool {
    file_type(stat) == FileType::CharacterDevice && stat.st_rdev == 0
}

/// Major and minor number of the device that a [`Stat`] describes.
#[must_use]
pub fn device_numbers(stat: &Stat) -> (u32, u32) {
    (
        rustix::fs::major(stat.st_rdev),
        rustix::fs::minor(stat.st_rdev),
    )
}

/// The text of a symbolic link.
///
/// # Errors
/// `readlinkat`: EINVAL when it is not a link.
pub fn read_link(dir: BorrowedFd<'_>, name: &OsStr) -> Result<OsString> {
    let text = check(
        "readlinkat",
        rustix::fs::readlinkat(dir, name, Vec::new()),
        || shown(dir, name),
    )?;
    Ok(OsString::from_vec(text.into_bytes()))
}

/// All names in a directory but `.` and `..`, in no order.
///
/// # Errors
/// `getdents64`.
pub fn names(dir: BorrowedFd<'_>) -> Result<Vec<OsString>> {
    let shown = || dir.as_raw_fd().to_string();
    let mut found = Vec::new();
    for entry in check("getdents64", Dir::read_from(dir), shown)? {
        let name = check("getdents64", entry, shown)?
            .file_name()
            .to_bytes()
            .to_vec();
        if name != b"." && name != b".." {
            found.push(OsString::from_vec(name));
        }
    }
    Ok(found)
}

/// Writes everything that the filesystem of `fd` holds in memory to its disk (`syncfs(2)`).
///
/// # Errors
/// `syncfs`: EIO, ENOSPC, EDQUOT from an earlier write.
pub fn sync_filesystem(fd: BorrowedFd<'_>) -> Result<()> {
    check("syncfs", rustix::fs::syncfs(fd), || {
        fd.as_raw_fd().to_string()
    })
}

/// Makes the whole content of `to` that of `from` without copying, where the filesystem can
/// (`ioctl_ficlone(2)`: btrfs, xfs, bcachefs); false where it cannot.
///
/// # Errors
/// `ioctl` FICLONE, other than "not possible here".
pub fn reflink(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> Result<bool> {
    use rustix::io::Errno;
    match rustix::fs::ioctl_ficlone(to, from) {
        Err(Errno::OPNOTSUPP | Errno::XDEV | Errno::INVAL | Errno::NOTTY | Errno::NOSYS) => {
            Ok(false)
        }
        result => check("ioctl", result, || {
            format!("{}, FICLONE, {}", to.as_raw_fd(), from.as_raw_fd())
        })
        .map(|()| true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fd::AsFd;

    struct Scratch(std::path::PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let path =
                std::env::temp_dir().join(format!("dhow-tree-{name}-{}", std::process::id()));
            std::fs::create_dir(&path).unwrap();
            Self(path)
        }
        fn open(&self) -> std::fs::File {
            std::fs::File::open(&self.0).unwrap()
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn creating_a_file_refuses_what_exists_and_follows_no_link() {
        let scratch = Scratch::new("create");
        let dir = scratch.open();
        make_symlink(dir.as_fd(), "link".as_ref(), "elsewhere".as_ref()).unwrap();
        let error = create_file(dir.as_fd(), "link".as_ref(), 0o600).unwrap_err();
        assert_eq!(error.name(), "EEXIST");
        assert!(!scratch.0.join("elsewhere").exists());
    }

    #[test]
    fn removing_a_tree_opens_closed_directories_and_leaves_link_targets() {
        let scratch = Scratch::new("remove");
        let dir = scratch.open();
        std::fs::create_dir_all(scratch.0.join("a/b/c")).unwrap();
        std::fs::write(scratch.0.join("kept"), "x").unwrap();
        std::os::unix::fs::symlink("../kept", scratch.0.join("a/link")).unwrap();
        set_mode(dir.as_fd(), "a".as_ref(), 0o500).unwrap();
        remove_tree(dir.as_fd(), "a".as_ref()).unwrap();
        assert_eq!(names(dir.as_fd()).unwrap(), ["kept"]);
    }

    #[test]
    fn stat_tells_absence_from_failure() {
        let scratch = Scratch::new("stat");
        let dir = scratch.open();
        assert!(stat(dir.as_fd(), "nothing".as_ref()).unwrap().is_none());
        make_node(dir.as_fd(), "w".as_ref(), Node::Character(0, 0), 0).unwrap();
        assert!(is_whiteout(
            &stat(dir.as_fd(), "w".as_ref()).unwrap().unwrap()
        ));
    }
}

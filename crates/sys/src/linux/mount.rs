//! The mount calls by file descriptor (Linux 5.2; `mount_setattr` 5.12).

use super::raw::{check, check_raw, syscall};
use crate::Result;
use rustix::fd::{AsRawFd, BorrowedFd, OwnedFd};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags,
};
use std::path::Path;

/// `MOUNT_ATTR_RDONLY`
pub const RDONLY: u64 = 0x1;
/// `MOUNT_ATTR_NOSUID`
pub const NOSUID: u64 = 0x2;
/// `MOUNT_ATTR_NODEV`
pub const NODEV: u64 = 0x4;
/// `MOUNT_ATTR_NOEXEC`
pub const NOEXEC: u64 = 0x8;
/// `MOUNT_ATTR__ATIME`: the mask of the three access time modes (relatime is 0).
pub const ATIME_MASK: u64 = 0x70;
/// `MOUNT_ATTR_NOATIME`
pub const NOATIME: u64 = 0x10;
/// `MOUNT_ATTR_STRICTATIME`
pub const STRICTATIME: u64 = 0x20;
/// `MOUNT_ATTR_NODIRATIME`
pub const NODIRATIME: u64 = 0x80;
/// `MOUNT_ATTR_IDMAP`
pub const IDMAP: u64 = 0x0010_0000;
/// `MOUNT_ATTR_NOSYMFOLLOW`
pub const NOSYMFOLLOW: u64 = 0x0020_0000;

/// How mounts below one spread to its copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Propagation {
    /// Nothing in, nothing out.
    Private,
    /// In, not out.
    Slave,
    /// In and out.
    Shared,
    /// Private, and cannot be bound elsewhere.
    Unbindable,
}

impl Propagation {
    fn bits(self) -> u64 {
        match self {
            Self::Unbindable => 1 << 17,
            Self::Private => 1 << 18,
            Self::Slave => 1 << 19,
            Self::Shared => 1 << 20,
        }
    }
}

/// One change of `mount_setattr(2)`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Change<'a> {
    /// Attributes to set.
    pub set: u64,
    /// Attributes to clear.
    pub clear: u64,
    /// New propagation.
    pub propagation: Option<Propagation>,
    /// The user namespace whose maps the mount shall apply ([`IDMAP`] is added).
    pub user_namespace: Option<BorrowedFd<'a>>,
    /// Whether all mounts below change too.
    pub recursive: bool,
}

#[repr(C)]
struct MountAttr {
    set: u64,
    clear: u64,
    propagation: u64,
    user_namespace: u64,
}

/// A filesystem being configured, not yet a mount (`fsopen(2)`).
#[derive(Debug)]
pub struct Filesystem {
    context: OwnedFd,
    kind: String,
}

impl Filesystem {
    /// Begins to configure a filesystem of type `kind`.
    ///
    /// # Errors
    /// `fsopen`: ENODEV when the kernel lacks the type, EPERM.
    pub fn open(kind: &str) -> Result<Self> {
        let context = check(
            "fsopen",
            rustix::mount::fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC),
            || format!("{kind:?}"),
        )?;
        Ok(Self {
            context,
            kind: kind.into(),
        })
    }

    /// Sets an option with a value; `source` is one of them.
    ///
    /// # Errors
    /// `fsconfig`: EINVAL with the option's name.
    pub fn set(&self, key: &str, value: &str) -> Result<()> {
        let result = rustix::mount::fsconfig_set_string(&self.context, key, value);
        check("fsconfig", result, || {
            format!("{}, {key}={value}", self.kind)
        })
    }

    /// Sets an option that has no value.
    ///
    /// # Errors
    /// `fsconfig`: EINVAL with the option's name.
    pub fn flag(&self, key: &str) -> Result<()> {
        check(
            "fsconfig",
            rustix::mount::fsconfig_set_flag(&self.context, key),
            || format!("{}, {key}", self.kind),
        )
    }

    /// Creates the filesystem and returns a mount of it that is attached nowhere yet.
    ///
    /// # Errors
    /// `fsconfig` or `fsmount`: EPERM, EINVAL, EBUSY, and what the filesystem itself refuses; the
    /// kernel's own explanation is added when it gave one.
    pub fn mount(self, attributes: u64) -> Result<OwnedFd> {
        check(
            "fsconfig",
            rustix::mount::fsconfig_create(&self.context),
            || {
                let said = self.messages();
                if said.is_empty() {
                    format!("{}, CREATE", self.kind)
                } else {
                    format!("{}, CREATE: {said}", self.kind)
                }
            },
        )?;
        let flags = MountAttrFlags::from_bits_retain(u32::try_from(attributes).unwrap_or(0));
        let result = rustix::mount::fsmount(&self.context, FsMountFlags::FSMOUNT_CLOEXEC, flags);
        check("fsmount", result, || {
            format!("{}, {attributes:#x}", self.kind)
        })
    }

    /// What the kernel wrote about its refusal, on one line.
    fn messages(&self) -> String {
        let mut text = Vec::new();
        let mut line = [0u8; 512];
        while let Ok(count) = rustix::io::read(&self.context, &mut line) {
            let message = String::from_utf8_lossy(&line[..count]);
            text.push(message.trim().to_owned());
            if count == 0 || text.len() == 8 {
                break;
            }
        }
        text.join("; ")
    }
}

/// Copies a mount, or with `recursive` the tree below it, into one that is attached nowhere
/// (`open_tree(2)` with `OPEN_TREE_CLONE`); `path` is a host path.
///
/// # Errors
/// `open_tree`: ENOENT, EPERM, EINVAL.
pub fn copy_tree(path: &Path, recursive: bool) -> Result<OwnedFd> {
    let result = rustix::mount::open_tree(rustix::fs::CWD, path, tree_flags(recursive));
    check("open_tree", result, || {
        format!(
            "{}, CLONE{}",
            path.display(),
            if recursive { "|RECURSIVE" } else { "" }
        )
    })
}

/// As [`copy_tree`], of what an open descriptor refers to.
///
/// # Errors
/// `open_tree`: EPERM, EINVAL when it lies in another mount namespace.
pub fn copy_tree_at(fd: BorrowedFd<'_>, recursive: bool) -> Result<OwnedFd> {
    let flags = tree_flags(recursive) | OpenTreeFlags::AT_EMPTY_PATH;
    check(
        "open_tree",
        rustix::mount::open_tree(fd, c"", flags),
        || {
            format!(
                "{}, CLONE{}",
                fd.as_raw_fd(),
                if recursive { "|RECURSIVE" } else { "" }
            )
        },
    )
}

fn tree_flags(recursive: bool) -> OpenTreeFlags {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    if recursive {
        flags | OpenTreeFlags::AT_RECURSIVE
    } else {
        flags
    }
}

/// Attaches a mount at an open target, names playing no part on either side (`move_mount(2)`).
///
/// # Errors
/// `move_mount`: EPERM, EINVAL, ENOTDIR when one is a directory and the other is not.
pub fn attach(mount: BorrowedFd<'_>, target: BorrowedFd<'_>) -> Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    check(
        "move_mount",
        rustix::mount::move_mount(mount, c"", target, c"", flags),
        || format!("{}, {}", mount.as_raw_fd(), target.as_raw_fd()),
    )
}

/// Changes attributes, propagation or id map of the mount that `mount` is the root of (`mount_setattr(2)`).
///
/// # Errors
/// `mount_setattr`: EPERM when a locked attribute would be cleared, EINVAL.
pub fn change(mount: BorrowedFd<'_>, change: Change<'_>) -> Result<()> {
    const RECURSIVE: usize = 0x8000;
    const EMPTY_PATH: usize = 0x1000;
    let namespace = change.user_namespace.map(|fd| fd.as_raw_fd());
    let attr = MountAttr {
        set: change.set | if namespace.is_some() { IDMAP } else { 0 },
        clear: change.clear,
        propagation: change.propagation.map_or(0, Propagation::bits),
        user_namespace: namespace.and_then(|fd| u64::try_from(fd).ok()).unwrap_or(0),
    };
    let empty = c"";
    let flags = EMPTY_PATH | if change.recursive { RECURSIVE } else { 0 };
    let number = usize::try_from(mount.as_raw_fd()).unwrap_or(usize::MAX);
    let arguments = [
        number,
        empty.as_ptr() as usize,
        flags,
        &raw const attr as usize,
        size_of::<MountAttr>(),
        0,
    ];
    // SAFETY: path and structure are live, and the size is the structure's.
    // NEED: rustix has no mount_setattr.
    let result = unsafe { syscall(libc::SYS_mount_setattr, arguments) };
    check_raw("mount_setattr", result, || format!("{number}, {change:?}")).map(drop)
}

/// Mounts a new filesystem on `name` in an open directory of our own making, in one call
/// (`mount(2)`), with nosuid, nodev and noexec; the name must be ours, never a container's.
///
/// # Errors
/// `mount`: EPERM, EBUSY, EINVAL.
pub fn mount_at(directory: BorrowedFd<'_>, name: &str, kind: &str, options: &str) -> Result<()> {
    use rustix::mount::MountFlags;
    let target = format!("/proc/self/fd/{}/{name}", directory.as_raw_fd());
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    let options = std::ffi::CString::new(options).unwrap_or_default();
    let result = rustix::mount::mount(kind, &*target, kind, flags, &*options);
    check("mount", result, || {
        format!("{kind:?}, {target:?}, {options:?}")
    })
}

/// Has the filesystem of an attached mount count the changes of its files (`MS_I_VERSION`), which
/// `fsconfig(2)` has no word for. `attributes` are those that the mount has, and `lazy` and `synchronous` tell
/// how the filesystem writes: the call sets them all anew.
///
/// # Errors
/// `mount`: EPERM, EINVAL.
pub fn count_changes(
    mount: BorrowedFd<'_>,
    attributes: u64,
    lazy: bool,
    synchronous: bool,
) -> Result<()> {
    use rustix::mount::MountFlags;
    const I_VERSION: u32 = 1 << 23;
    let pairs = [
        (RDONLY, MountFlags::RDONLY),
        (NOSUID, MountFlags::NOSUID),
        (NODEV, MountFlags::NODEV),
        (NOEXEC, MountFlags::NOEXEC),
        (NOATIME, MountFlags::NOATIME),
        (NODIRATIME, MountFlags::NODIRATIME),
        (STRICTATIME, MountFlags::STRICTATIME),
        (NOSYMFOLLOW, MountFlags::from_bits_retain(256)),
    ];
    let kept = pairs.iter().filter(|(bit, _)| attributes & bit != 0);
    let flags = kept.fold(MountFlags::from_bits_retain(I_VERSION), |all, (_, flag)| {
        all | *flag
    });
    let ways = [
        (lazy, MountFlags::LAZYTIME),
        (synchronous, MountFlags::SYNCHRONOUS),
    ];
    let flags = ways
        .iter()
        .filter(|(is_on, _)| *is_on)
        .fold(flags, |all, (_, flag)| all | *flag);
    let target = format!("/proc/self/fd/{}", mount.as_raw_fd());
    let result = rustix::mount::mount_remount(&*target, flags, c"");
    check("mount", result, || format!("{target:?}, REMOUNT|I_VERSION"))
}

/// Makes every mount of this namespace take the given propagation, from `/` down.
///
/// # Errors
/// `mount`: EPERM.
pub fn change_all(propagation: Propagation) -> Result<()> {
    use rustix::mount::MountPropagationFlags as Flags;
    let flags = Flags::REC
        | match propagation {
            Propagation::Private => Flags::PRIVATE,
            Propagation::Slave => Flags::DOWNSTREAM,
            Propagation::Shared => Flags::SHARED,
            Propagation::Unbindable => Flags::UNBINDABLE,
        };
    check("mount", rustix::mount::mount_change("/", flags), || {
        format!("\"/\", {propagation:?}|REC")
    })
}

/// Makes the working directory the root of this mount namespace and stacks the old root on top of
/// it (`pivot_root(".", ".")`), to be taken off by [`detach_working_directory`].
///
/// # Errors
/// `pivot_root`: EINVAL when the directory is no mount point or shares propagation, EBUSY.
pub fn pivot() -> Result<()> {
    check("pivot_root", rustix::process::pivot_root(".", "."), || {
        "\".\", \".\"".into()
    })
}

/// Takes the mount at the working directory out of the tree, and everything below it.
///
/// # Errors
/// `umount2`.
pub fn detach_working_directory() -> Result<()> {
    check(
        "umount2",
        rustix::mount::unmount(".", UnmountFlags::DETACH),
        || "\".\", MNT_DETACH".into(),
    )
}

/// Changes this process's root to the working directory (`chroot(".")`), for `--no-pivot`.
///
/// # Errors
/// `chroot`: EPERM.
pub fn change_root() -> Result<()> {
    check("chroot", rustix::process::chroot("."), || "\".\"".into())
}

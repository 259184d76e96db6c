//! The container's root: a private copy of the mount, and the move into it.

use crate::error::{At, Error, Result};
use crate::plan;
use crate::plan::invalid::Invalid;
use crate::plan::mounts::Propagation;
use dhow_sys::{Mode, OFlags, mount, path, process};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// The root filesystem's directory, opened on the host.
#[derive(Debug)]
pub struct HostRoot {
    /// Absolute host path.
    pub path: PathBuf,
    /// The directory.
    pub directory: OwnedFd,
}

impl HostRoot {
    /// Opens the directory that `root.path` names.
    ///
    /// # Errors
    /// [`Error::Config`] naming `root.path` when it is missing, a link, or no directory.
    pub fn open(bundle: &Path, root: &plan::Root) -> Result<Self> {
        let path = bundle.join(&root.path);
        let refuse = |reason: &str| {
            Error::Config(Invalid::new(
                "root.path",
                format!("{}: {reason}", path.display()),
            ))
        };
        match path::open_directory_no_link(&path) {
            Ok(directory) => Ok(Self { path, directory }),
            // ENOTDIR, also for a link; ENOENT.
            Err(error) if matches!(error.code(), 2 | 20) => {
                let link = std::fs::symlink_metadata(&path).is_ok_and(|kind| kind.is_symlink());
                Err(refuse(match error.code() {
                    2 => "No such file or directory",
                    _ if link => "is a symbolic link; name the directory itself",
                    _ => "is not a directory",
                }))
            }
            Err(error) => Err(error).at("open the root filesystem"),
        }
    }
}

/// The container's root while it is being filled.
#[derive(Debug)]
pub struct Rootfs {
    /// The root directory of the topmost mount at `/`.
    top: OwnedFd,
    /// How many mounts of ours lie at `/` below the topmost.
    covered: usize,
}

impl Rootfs {
    /// Copies the host's mount of the root directory and attaches the copy over `/`, in this mount
    /// namespace only: `pivot_root` wants a mount, and nothing below may spread to the host. Over `/`,
    /// because the directory's own path may lead through directories that the root user of a user
    /// namespace cannot enter.
    ///
    /// # Errors
    /// `open_tree`, `move_mount`, `mount_setattr`.
    pub fn mount(host: &HostRoot, copied: Option<OwnedFd>) -> Result<Self> {
        let step = "mount the root filesystem";
        let tree = match copied {
            Some(tree) => tree,
            // By path: the descriptor is of the caller's mount namespace.
            None => mount::copy_tree(&host.path, true).at(step)?,
        };
        // Private before it is attached: what is mounted inside must not appear on the host, whose
        // mount this was copied from.
        set_propagation(tree.as_fd(), (Propagation::Private, true))?;
        let slash = path::open_directory(Path::new("/")).at(step)?;
        mount::attach(tree.as_fd(), slash.as_fd()).at(step)?;
        Ok(Self {
            top: tree,
            covered: 0,
        })
    }

    /// The same at another place than `/`, which in this mount namespace nobody else needs.
    ///
    /// # Errors
    /// As [`Rootfs::mount`].
    pub fn mount_at(host: &HostRoot, point: BorrowedFd<'_>) -> Result<Self> {
        let step = "mount the root filesystem";
        let tree = mount::copy_tree(&host.path, true).at(step)?;
        set_propagation(tree.as_fd(), (Propagation::Private, true))?;
        mount::attach(tree.as_fd(), point).at(step)?;
        Ok(Self {
            top: tree,
            covered: 0,
        })
    }

    /// Takes the host's directory as it is, for a container without a mount namespace of its own.
    ///
    /// # Errors
    /// `fcntl`: EMFILE.
    pub fn borrow(host: &HostRoot) -> Result<Self> {
        let top =
            path::reopen(host.directory.as_fd(), OFlags::PATH).at("open the root filesystem")?;
        Ok(Self { top, covered: 0 })
    }

    /// The root of the mount namespace that this process has joined.
    ///
    /// # Errors
    /// `open`.
    pub fn inside() -> Result<Self> {
        path::open_directory(Path::new("/"))
            .at("open the root")
            .map(|top| Self { top, covered: 0 })
    }

    /// The root directory.
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.top.as_fd()
    }

    /// A filesystem was mounted over `/` itself: from here on that one is the root.
    pub fn cover(&mut self, top: OwnedFd) {
        self.top = top;
        self.covered += 1;
    }

    /// Opens something inside, links followed inside the root.
    ///
    /// # Errors
    /// As [`path::open_in_root`].
    pub fn open(&self, inside: &str, flags: OFlags) -> dhow_sys::Result<OwnedFd> {
        path::open_in_root(self.as_fd(), Path::new(inside), flags, Mode::empty())
    }

    /// Makes it `/` and lets go of the host's tree.
    ///
    /// # Errors
    /// `pivot_root` and the calls around it.
    pub fn enter(&self, how: Entry) -> Result<()> {
        let step = "pivot into the root filesystem";
        process::change_directory(self.as_fd()).at(step)?;
        match how {
            Entry::Pivot => {
                mount::pivot().at(step)?;
                // The old root now lies on top of the working directory. Letting go of it does not
                // reach the host: this namespace is a slave of the host's. What the topmost mount
                // covered still lies over the old root, and each call takes off only the uppermost:
                // with one call too few, whoever joins this namespace lands in the host's tree.
                for _ in 0..=self.covered {
                    mount::detach_working_directory().at("let go of the host's tree")?;
                }
            }
            // The root's mount lies over `/` already.
            Entry::Move | Entry::ChangeRoot => mount::change_root().at(step)?,
        }
        process::change_directory(self.as_fd()).at(step)
    }
}

/// How the root becomes `/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// `pivot_root(2)`.
    Pivot,
    /// `chroot` into the mount that lies over `/`, for hosts whose root is the initial ramfs, which
    /// cannot be pivoted (`--no-pivot`).
    Move,
    /// `chroot` only, for containers without a mount namespace of their own.
    ChangeRoot,
}

/// The kernel's word for a propagation of the plan.
#[must_use]
pub fn propagation(propagation: Propagation) -> mount::Propagation {
    match propagation {
        Propagation::Private => mount::Propagation::Private,
        Propagation::Slave => mount::Propagation::Slave,
        Propagation::Shared => mount::Propagation::Shared,
        Propagation::Unbindable => mount::Propagation::Unbindable,
    }
}

/// Sets the propagation of `/`, once it is the container's.
///
/// # Errors
/// `mount_setattr`.
pub fn set_propagation(root: BorrowedFd<'_>, wanted: (Propagation, bool)) -> Result<()> {
    let change = mount::Change {
        propagation: Some(propagation(wanted.0)),
        recursive: wanted.1,
        ..mount::Change::default()
    };
    mount::change(root, change).at("set the propagation of the root")
}

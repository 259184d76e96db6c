//! Hiding paths, and making paths read-only.
//!
//! A file is hidden under the null device, a directory under one empty read-only tmpfs that all
//! hidden directories share. The null device is opened on the host before anything of the image is
//! entered and verified: an image whose `/dev/null` is a link to something else changes nothing
//! (CVE-2025-31133). A path that is not there needs no hiding; any other failure is fatal.

use super::rootfs::Rootfs;
use crate::error::{At, Result};
use dhow_sys::mount::{self, Change, Filesystem, NODEV, NOEXEC, NOSUID, RDONLY};
use dhow_sys::{FileType, OFlags, fd, tree};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// The host's null device, to be laid over files.
///
/// # Errors
/// `open_tree`; ENODEV when the host's `/dev/null` is not the null device.
pub fn null_device() -> Result<OwnedFd> {
    let step = "open the null device";
    let null = mount::copy_tree(Path::new("/dev/null"), false).at(step)?;
    // A copy of a shared mount stays connected with the host's until it is told otherwise.
    let private = Some(mount::Propagation::Private);
    mount::change(
        null.as_fd(),
        Change {
            propagation: private,
            ..Change::default()
        },
    )
    .at(step)?;
    let stat = fd::stat(null.as_fd()).at(step)?;
    let genuine = tree::file_type(&stat) == FileType::CharacterDevice
        && tree::device_numbers(&stat) == (1, 3);
    if genuine {
        Ok(null)
    } else {
        Err(dhow_sys::Error::new(
            "open_tree",
            "/dev/null, which is not the null device on this host",
            19,
        ))
        .at(step)
    }
}

/// What lies over hidden paths: laid down itself the first time, as a copy of itself from then on.
/// (A mount that is never attached costs the kernel a wait of its own when it is closed.)
struct Cover {
    mount: OwnedFd,
    used: bool,
}

impl Cover {
    fn lay(&mut self, target: BorrowedFd<'_>) -> dhow_sys::Result<()> {
        if self.used {
            let copy = mount::copy_tree_at(self.mount.as_fd(), false)?;
            return mount::attach(copy.as_fd(), target);
        }
        self.used = true;
        mount::attach(self.mount.as_fd(), target)
    }
}

/// Hides every path that exists.
///
/// # Errors
/// The call, with the path in the step.
pub fn mask(root: &Rootfs, paths: &[String], null: OwnedFd) -> Result<()> {
    let mut file = Cover {
        mount: null,
        used: false,
    };
    let mut directory = None;
    for masked in paths {
        let step = format!("mask {masked}");
        let Some(target) = existing(root, masked).at(&step)? else {
            continue;
        };
        let stat = fd::stat(target.as_fd()).at(&step)?;
        let cover = match &mut directory {
            _ if tree::file_type(&stat) != FileType::Directory => &mut file,
            Some(cover) => cover,
            none => {
                let mount = empty_directory().at("make an empty directory")?;
                none.insert(Cover { mount, used: false })
            }
        };
        cover.lay(target.as_fd()).at(&step)?;
    }
    Ok(())
}

/// Makes every path that exists read-only, with the mounts below it.
///
/// # Errors
/// The call, with the path in the step.
pub fn make_readonly(root: &Rootfs, paths: &[String]) -> Result<()> {
    for path in paths {
        let step = format!("make {path} read-only");
        let Some(target) = existing(root, path).at(&step)? else {
            continue;
        };
        let copy = mount::copy_tree_at(target.as_fd(), true).at(&step)?;
        mount::change(
            copy.as_fd(),
            Change {
                set: RDONLY,
                recursive: true,
                ..Change::default()
            },
        )
        .at(&step)?;
        mount::attach(copy.as_fd(), target.as_fd()).at(&step)?;
    }
    Ok(())
}

fn existing(root: &Rootfs, path: &str) -> dhow_sys::Result<Option<OwnedFd>> {
    match root.open(path, OFlags::PATH) {
        // ENOTDIR: a component is a file, so the path cannot exist either.
        Err(error) if matches!(error.code(), 2 | 20) => Ok(None),
        result => result.map(Some),
    }
}

fn empty_directory() -> dhow_sys::Result<OwnedFd> {
    let tmpfs = Filesystem::open("tmpfs")?;
    tmpfs.set("nr_inodes", "1")?;
    tmpfs.set("mode", "555")?;
    tmpfs.mount(RDONLY | NOSUID | NODEV | NOEXEC)
}

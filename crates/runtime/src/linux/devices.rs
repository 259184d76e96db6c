//! Filling `/dev`: nodes, the usual links, and the terminal device.
//!
//! `/dev` is opened once, beneath the root and over no link; every later step is relative to that
//! descriptor, so an image whose `/dev` or `/dev/ptmx` points elsewhere changes nothing elsewhere
//! (CVE-2026-41579 in another runtime).

use super::rootfs::Rootfs;
use crate::error::{At, Result};
use crate::plan::devices::{Device, Kind};
use dhow_sys::{Mode, OFlags, fd, mount, path, tree};
use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// Links that programs expect (runtime-linux.md, Dev symbolic links).
const LINKS: [(&str, &str); 5] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
];

/// Makes every device of the plan and the links. The host's tree is still visible: nodes that
/// cannot be made in a user namespace are bound from there.
///
/// # Errors
/// The call, with the device's path in the step.
pub fn fill(root: &Rootfs, devices: &[Device]) -> Result<()> {
    let dev = open_dev(root).at("open /dev")?;
    for device in devices {
        node(root, dev.as_fd(), device).at(&format!("make the device {}", device.path))?;
    }
    for (name, target) in LINKS {
        link(dev.as_fd(), name.as_ref(), target.as_ref()).at(&format!("link /dev/{name}"))?;
    }
    Ok(())
}

fn open_dev(root: &Rootfs) -> dhow_sys::Result<OwnedFd> {
    let (name, flags) = (Path::new("/dev"), OFlags::PATH | OFlags::DIRECTORY);
    match path::open_in_root_no_links(root.as_fd(), name, flags) {
        Err(error) if error.code() == 2 => {
            path::mkdir_all_in_root(root.as_fd(), name, Mode::from_raw_mode(0o755))
        }
        result => result,
    }
}

fn node(root: &Rootfs, dev: BorrowedFd<'_>, device: &Device) -> dhow_sys::Result<()> {
    let whole = Path::new(&device.path);
    let invalid = || dhow_sys::Error::new("mknodat", device.path.clone(), 22);
    let name = whole.file_name().ok_or_else(invalid)?;
    let parent = whole.parent().ok_or_else(invalid)?;
    let mode = Mode::from_raw_mode(0o755);
    let other = match parent.strip_prefix("/dev") {
        Ok(below) if below.as_os_str().is_empty() => None,
        Ok(below) => Some(path::mkdir_all_in_root(dev, below, mode)?),
        Err(_) => Some(path::mkdir_all_in_root(root.as_fd(), parent, mode)?),
    };
    make(other.as_ref().map_or(dev, AsFd::as_fd), name, device)
}

fn make(directory: BorrowedFd<'_>, name: &OsStr, device: &Device) -> dhow_sys::Result<()> {
    let node = match device.kind {
        Kind::Character => tree::Node::Character(device.major, device.minor),
        Kind::Block => tree::Node::Block(device.major, device.minor),
        Kind::Fifo => tree::Node::Fifo,
    };
    match tree::make_node(directory, name, node, device.mode) {
        Ok(()) if (device.uid, device.gid) == (0, 0) => Ok(()),
        Ok(()) => tree::set_owner(directory, name, device.uid, device.gid),
        Err(error) if error.code() == 17 => same(directory, name, device),
        Err(error) if matches!(error.code(), 1 | 13) && device.kind != Kind::Fifo => {
            bind(directory, name, device)
        }
        Err(error) => Err(error),
    }
}

/// A node that is there already must be the one that is asked for; its owner and mode stay.
fn same(directory: BorrowedFd<'_>, name: &OsStr, device: &Device) -> dhow_sys::Result<()> {
    let taken = || {
        dhow_sys::Error::new(
            "mknodat",
            format!("{}, which the image has as another file", device.path),
            17,
        )
    };
    let stat = tree::stat(directory, name)?.ok_or_else(taken)?;
    if is(&stat, device) {
        Ok(())
    } else {
        Err(taken())
    }
}

fn is(stat: &dhow_sys::Stat, device: &Device) -> bool {
    let kind = match device.kind {
        Kind::Character => dhow_sys::FileType::CharacterDevice,
        Kind::Block => dhow_sys::FileType::BlockDevice,
        Kind::Fifo => return tree::file_type(stat) == dhow_sys::FileType::Fifo,
    };
    tree::file_type(stat) == kind && tree::device_numbers(stat) == (device.major, device.minor)
}

/// Binds the host's node of the same path, after checking that it is the same device.
fn bind(directory: BorrowedFd<'_>, name: &OsStr, device: &Device) -> dhow_sys::Result<()> {
    let copy = mount::copy_tree(Path::new(&device.path), false)?;
    let private = Some(mount::Propagation::Private);
    mount::change(
        copy.as_fd(),
        mount::Change {
            propagation: private,
            ..mount::Change::default()
        },
    )?;
    if !is(&fd::stat(copy.as_fd())?, device) {
        let numbers = format!(
            "{}, which is not {}:{} on this host",
            device.path, device.major, device.minor
        );
        return Err(dhow_sys::Error::new("open_tree", numbers, 19));
    }
    let target = path::create_file_in_root(directory, Path::new(name), Mode::from_raw_mode(0o644))?;
    mount::attach(copy.as_fd(), target.as_fd())
}

/// Makes a link; what an image has there already stays, except another `ptmx`, which could lead to
/// the host's terminals.
fn link(dev: BorrowedFd<'_>, name: &OsStr, target: &OsStr) -> dhow_sys::Result<()> {
    match tree::make_symlink(dev, name, target) {
        Err(error) if error.code() == 17 && name != "ptmx" => Ok(()),
        Err(error) if error.code() == 17 => {
            if tree::read_link(dev, name).is_ok_and(|there| there == target) {
                return Ok(());
            }
            tree::remove_file(dev, name)?;
            tree::make_symlink(dev, name, target)
        }
        result => result,
    }
}

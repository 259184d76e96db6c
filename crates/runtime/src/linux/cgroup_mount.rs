//! The container's view of cgroups, in whatever form the host has them.
//!
//! With a cgroup namespace a new mount shows the container's group as the root. Without one, the
//! group's directory is bound, so that the rest of the tree cannot be reached through it. On a host
//! with version 1 hierarchies each of them gets a directory of its own on a small tmpfs.

use super::mounts::{Context, change};
use crate::plan::mounts::{Attributes, Mount};
use dhow_sys::mount::{self, Change, Filesystem, NODEV, NOEXEC, NOSUID, RDONLY};
use dhow_sys::{Mode, OFlags, path, tree};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

/// Mounts it at an open directory.
///
/// # Errors
/// The call.
pub fn make(
    target: OwnedFd,
    planned: &Mount,
    hierarchies: &dhow_cgroup::Host,
    context: &Context<'_>,
) -> dhow_sys::Result<()> {
    if hierarchies.is_v2_only() {
        let mounted = unified(Path::new("/sys/fs/cgroup"), context, 0)?;
        change(mounted.as_fd(), planned)?;
        return mount::attach(mounted.as_fd(), target.as_fd());
    }
    let tmpfs = Filesystem::open("tmpfs")?;
    tmpfs.set("mode", "755")?;
    let tmpfs = tmpfs.mount(NOSUID | NODEV | NOEXEC)?;
    mount::attach(tmpfs.as_fd(), target.as_fd())?;
    let set = NOSUID | NODEV | NOEXEC | (planned.attributes.set & RDONLY);
    for (host, controllers, is_v2) in hierarchies.mounts() {
        let Some(name) = host.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        // The tmpfs is ours alone: nothing can be there yet.
        tree::make_directory(tmpfs.as_fd(), name.as_ref(), 0o755)?;
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        let place = path::open_beneath(tmpfs.as_fd(), Path::new(name), flags, Mode::empty())?;
        let mounted = if is_v2 {
            unified(host, context, set)?
        } else {
            version_1(host, controllers, context, set)?
        };
        mount::attach(mounted.as_fd(), place.as_fd())?;
        links(tmpfs.as_fd(), name, controllers)?;
    }
    let Attributes { set, clear } = planned.attributes;
    mount::change(
        tmpfs.as_fd(),
        Change {
            set,
            clear,
            ..Change::default()
        },
    )
}

/// Controllers that share a hierarchy are also found under their own names.
fn links(
    directory: std::os::fd::BorrowedFd<'_>,
    name: &str,
    controllers: &[String],
) -> dhow_sys::Result<()> {
    for controller in controllers
        .iter()
        .filter(|controller| *controller != name && name.contains(controller.as_str()))
    {
        tree::make_symlink(directory, controller.as_ref(), name.as_ref())?;
    }
    Ok(())
}

fn unified(host: &Path, context: &Context<'_>, set: u64) -> dhow_sys::Result<OwnedFd> {
    if context.cgroup_namespace
        && let Ok(mounted) =
            Filesystem::open("cgroup2").and_then(|filesystem| filesystem.mount(set))
    {
        return Ok(mounted);
    }
    group(host, context, set)
}

fn version_1(
    host: &Path,
    controllers: &[String],
    context: &Context<'_>,
    set: u64,
) -> dhow_sys::Result<OwnedFd> {
    if context.cgroup_namespace
        && let Ok(mounted) = hierarchy(controllers, set)
    {
        return Ok(mounted);
    }
    group(host, context, set)
}

fn hierarchy(controllers: &[String], set: u64) -> dhow_sys::Result<OwnedFd> {
    let filesystem = Filesystem::open("cgroup")?;
    for controller in controllers {
        match controller.strip_prefix("name=") {
            Some(name) => {
                filesystem.flag("none")?;
                filesystem.set("name", name)?;
            }
            None => filesystem.flag(controller)?,
        }
    }
    filesystem.mount(set)
}

/// The container's own group in a hierarchy of the host, bound.
fn group(host: &Path, context: &Context<'_>, set: u64) -> dhow_sys::Result<OwnedFd> {
    let own = context
        .cgroup
        .and_then(|group| group.directories().find(|path| path.starts_with(host)));
    match own {
        Some(directory) => {
            let tree = mount::copy_tree(directory, false)?;
            mount::change(
                tree.as_fd(),
                Change {
                    set,
                    ..Change::default()
                },
            )?;
            Ok(tree)
        }
        // A container without a group of its own gets the host's tree, but never to write.
        None => {
            let tree = mount::copy_tree(host, false)?;
            mount::change(
                tree.as_fd(),
                Change {
                    set: set | RDONLY,
                    ..Change::default()
                },
            )?;
            Ok(tree)
        }
    }
}

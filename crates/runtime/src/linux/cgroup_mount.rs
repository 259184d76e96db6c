//! The container's view of cgroups, in whatever form the host has them.
//!
//! With a cgroup namespace a new mount shows the container's group as the root. Without one, the
//! group's directory is bound, so that the rest of the tree cannot be reached through it. On a host
//! with version 1 hierarchies each of them gets a directory of its own on a small tmpfs.

use super::mounts::{Context, change};
use crate::plan::mounts::{Attributes, Mount};
use dhow_sys::mount::{self, Change, Filesystem, NODEV, NOEXEC, NOSUID, RDONLY};
use dhow_sys::{Mode, OFlags, path, tree};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// Mounts it at an open directory.
///
/// # Errors
/// The call.
pub fn make(
    target: BorrowedFd<'_>,
    planned: &Mount,
    hierarchies: &dhow_cgroup::Host,
    context: &Context<'_>,
) -> dhow_sys::Result<()> {
    if hierarchies.is_v2_only() {
        let mounted = unified(Path::new("/sys/fs/cgroup"), context)?;
        change(mounted.as_fd(), planned)?;
        return mount::attach(mounted.as_fd(), target);
    }
    let tmpfs = Filesystem::open("tmpfs")?;
    tmpfs.set("mode", "755")?;
    let tmpfs = tmpfs.mount(NOSUID | NODEV | NOEXEC)?;
    mount::attach(tmpfs.as_fd(), target)?;
    for (host, controllers, is_v2) in hierarchies.mounts() {
        let Some(name) = host.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        // The tmpfs is ours alone: nothing can be there yet, and the name is the host's.
        tree::make_directory(tmpfs.as_fd(), name.as_ref(), 0o755)?;
        let fresh = context.cgroup_namespace
            && mount_fresh(tmpfs.as_fd(), name, controllers, is_v2).is_ok();
        if !fresh {
            let flags = OFlags::PATH | OFlags::DIRECTORY;
            let place = path::open_beneath(tmpfs.as_fd(), Path::new(name), flags, Mode::empty())?;
            mount::attach(group(host, context)?.as_fd(), place.as_fd())?;
        }
        links(tmpfs.as_fd(), name, controllers)?;
    }
    // Everything at once, now that nothing is made in there any more.
    let Attributes { set, clear } = planned.attributes;
    let set = set | NOSUID | NODEV | NOEXEC;
    mount::change(
        tmpfs.as_fd(),
        Change {
            set,
            clear,
            recursive: true,
            ..Change::default()
        },
    )
}

/// Mounts a hierarchy anew, which shows the cgroup namespace's root.
fn mount_fresh(
    directory: BorrowedFd<'_>,
    name: &str,
    controllers: &[String],
    is_v2: bool,
) -> dhow_sys::Result<()> {
    if is_v2 {
        return mount::mount_at(directory, name, "cgroup2", "");
    }
    let named = controllers
        .iter()
        .any(|controller| controller.starts_with("name="));
    let options = controllers.join(",");
    mount::mount_at(
        directory,
        name,
        "cgroup",
        &if named {
            format!("none,{options}")
        } else {
            options
        },
    )
}

/// Controllers that share a hierarchy are also found under their own names.
fn links(directory: BorrowedFd<'_>, name: &str, controllers: &[String]) -> dhow_sys::Result<()> {
    for controller in controllers
        .iter()
        .filter(|controller| *controller != name && name.contains(controller.as_str()))
    {
        tree::make_symlink(directory, controller.as_ref(), name.as_ref())?;
    }
    Ok(())
}

fn unified(host: &Path, context: &Context<'_>) -> dhow_sys::Result<OwnedFd> {
    if context.cgroup_namespace
        && let Ok(mounted) = Filesystem::open("cgroup2").and_then(|filesystem| filesystem.mount(0))
    {
        return Ok(mounted);
    }
    group(host, context)
}

/// The container's own group in a hierarchy of the host, bound.
fn group(host: &Path, context: &Context<'_>) -> dhow_sys::Result<OwnedFd> {
    let own = context
        .cgroup
        .and_then(|group| group.directories().find(|path| path.starts_with(host)));
    match own {
        Some(directory) => mount::copy_tree(directory, false),
        // A container without a group of its own gets the host's tree, but never to write.
        None => {
            let tree = mount::copy_tree(host, false)?;
            mount::change(
                tree.as_fd(),
                Change {
                    set: RDONLY,
                    ..Change::default()
                },
            )?;
            Ok(tree)
        }
    }
}

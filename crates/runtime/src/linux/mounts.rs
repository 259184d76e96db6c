//! Making the plan's mounts, by descriptor on both sides.
//!
//! A source is opened on the host's side ([`Sources::open`]) and attached at a target that was
//! resolved inside the container's root; no path string of the container ever reaches the kernel
//! as something to mount on.

use super::rootfs::{Rootfs, propagation};
use super::{cgroup_mount, copy_up, sysfs};
use crate::error::{At, Error, Result};
use crate::plan::invalid::Invalid;
use crate::plan::mounts::{Attributes, Mount, Source};
use dhow_sys::mount::{self, Change, Filesystem, RDONLY};
use dhow_sys::{FileType, Mode, OFlags, fd, path};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// Directories and files that the runtime makes as mount points.
const DIRECTORY_MODE: u32 = 0o755;
const FILE_MODE: u32 = 0o644;

/// The trees to bind, copied from the host, by their place in the plan.
#[derive(Debug, Default)]
pub struct Sources(Vec<Option<OwnedFd>>);

impl Sources {
    /// Copies the host trees of all bind mounts. They are copied before this namespace is cut off,
    /// so that a mount that shall stay shared with the host is.
    ///
    /// # Errors
    /// [`Error::Config`] naming the mount when its source is missing; else the call.
    pub fn open(mounts: &[Mount], bundle: &Path) -> Result<Self> {
        let open = |(index, mount): (usize, &Mount)| match &mount.source {
            Source::Bind { path, recursive } => {
                let host = bundle.join(path);
                match mount::copy_tree(&host, *recursive) {
                    Ok(tree) => Ok(Some(tree)),
                    Err(error) if error.code() == 2 => {
                        let reason =
                            format!("{}: no such file or directory on the host", host.display());
                        Err(Error::Config(Invalid::new(
                            format!("mounts[{index}].source"),
                            reason,
                        )))
                    }
                    Err(error) => {
                        Err(error).at(&format!("bind {} to {}", host.display(), mount.destination))
                    }
                }
            }
            _ => Ok(None),
        };
        mounts
            .iter()
            .enumerate()
            .map(open)
            .collect::<Result<_>>()
            .map(Self)
    }

    /// Gives a mount its own id map, before it is attached anywhere.
    ///
    /// # Errors
    /// `mount_setattr`: EINVAL when the filesystem does not support it.
    pub fn map_ids(
        &self,
        index: usize,
        mount: &Mount,
        user_namespace: BorrowedFd<'_>,
    ) -> Result<()> {
        let (Some(Some(tree)), Some(map)) = (self.0.get(index), &mount.id_map) else {
            return Ok(());
        };
        let change = Change {
            user_namespace: Some(user_namespace),
            recursive: map.recursive,
            ..Change::default()
        };
        mount::change(tree.as_fd(), change).at(&format!("map the ids of {}", mount.destination))
    }
}

/// Makes every mount, in the plan's order.
///
/// # Errors
/// The call, with the destination in the step.
pub fn make(
    root: &mut Rootfs,
    mounts: &[Mount],
    mut sources: Sources,
    context: &Context<'_>,
) -> Result<()> {
    for (index, planned) in mounts.iter().enumerate() {
        let tree = sources.0.get_mut(index).and_then(Option::take);
        one(root, planned, tree, context)?;
    }
    Ok(())
}

/// Makes the mount points that are in the root itself, without mounting anything: for whoever mounts
/// there later. Those below another mount are in that one.
///
/// # Errors
/// The call, with the destination in the step.
pub fn points(root: &Rootfs, mounts: &[Mount], bundle: &Path) -> Result<()> {
    let inside_another = |mount: &Mount| {
        let others = mounts
            .iter()
            .filter(|other| other.destination != mount.destination);
        others
            .into_iter()
            .any(|other| Path::new(&mount.destination).starts_with(&other.destination))
    };
    for mount in mounts.iter().filter(|mount| !inside_another(mount)) {
        let step = format!("make the mount point {}", mount.destination);
        let file = match &mount.source {
            Source::Bind { path, .. } => !bundle.join(path).is_dir(),
            _ => false,
        };
        if file {
            let mode = Mode::from_raw_mode(FILE_MODE);
            let target = Path::new(&mount.destination);
            path::create_file_in_root(root.as_fd(), target, mode).at(&step)?;
        } else {
            directory(root, mount, false).at(&step)?;
        }
    }
    Ok(())
}

/// What a mount may need besides its own words.
#[derive(Debug)]
pub struct Context<'a> {
    /// The container's cgroup, for the cgroup filesystem.
    pub cgroup: Option<&'a dhow_cgroup::Group>,
    /// The host's hierarchies.
    pub hierarchies: Option<&'a dhow_cgroup::Host>,
    /// Whether the host's `/sys` may stand in for one of its own: a user namespace may mount sysfs only
    /// together with a network namespace of its own.
    pub shared_sys: bool,
    /// Whether the container has a cgroup namespace of its own.
    pub cgroup_namespace: bool,
}

fn one(
    root: &mut Rootfs,
    planned: &Mount,
    tree: Option<OwnedFd>,
    context: &Context<'_>,
) -> Result<()> {
    let step = format!("mount {} at {}", kind(planned), planned.destination);
    if matches!(planned.source, Source::Remount) {
        let target = root.open(&planned.destination, OFlags::PATH).at(&step)?;
        return change(target.as_fd(), planned).at(&step);
    }
    if let (Source::Cgroup, Some(hierarchies)) = (&planned.source, context.hierarchies) {
        let target = directory(root, planned, false).at(&step)?;
        return cgroup_mount::make(target.as_fd(), planned, hierarchies, context).at(&step);
    }
    let (mounted, is_directory) = match &planned.source {
        Source::Bind { .. } => {
            let tree = tree
                .ok_or_else(|| dhow_sys::Error::new("open_tree", planned.destination.clone(), 9))
                .at(&step)?;
            guard_proc(planned, tree.as_fd())?;
            let is_directory = fd::stat(tree.as_fd())
                .map(|stat| file_type(stat.st_mode).is_dir())
                .at(&step)?;
            (tree, is_directory)
        }
        _ => (filesystem(planned, context.shared_sys).at(&step)?, true),
    };
    let target = if is_directory {
        let strict = matches!(kind(planned), "proc" | "sysfs");
        directory(root, planned, strict).at(&step)?
    } else {
        let mode = Mode::from_raw_mode(FILE_MODE);
        path::create_file_in_root(root.as_fd(), Path::new(&planned.destination), mode).at(&step)?
    };
    if let Source::Filesystem { copy_up: true, .. } = planned.source {
        copy_up::directory(target.as_fd(), mounted.as_fd())
            .at(&format!("copy {} up", planned.destination))?;
    }
    // Attributes before the mount can be seen, so that there is no moment without them.
    change(mounted.as_fd(), planned).at(&step)?;
    mount::attach(mounted.as_fd(), target.as_fd()).at(&step)?;
    if let Source::Filesystem {
        options,
        count_changes: true,
        ..
    } = &planned.source
    {
        let has = |word: &str| options.iter().any(|(key, _)| key == word);
        let (lazy, synchronous) = (has("lazytime"), has("sync"));
        mount::count_changes(mounted.as_fd(), planned.attributes.set, lazy, synchronous)
            .at(&step)?;
    }
    if planned.attributes.set & RDONLY != 0 {
        sysfs::protect_cgroups(mounted.as_fd()).at(&step)?;
    }
    if planned.destination.trim_end_matches('/').is_empty() {
        root.cover(mounted);
    }
    Ok(())
}

fn file_type(mode: u32) -> FileType {
    FileType::from_raw_mode(mode)
}

/// The filesystem's type, for messages.
fn kind(planned: &Mount) -> &str {
    match &planned.source {
        Source::Bind { path, .. } => path,
        Source::Filesystem { kind, .. } => kind,
        Source::Cgroup => "cgroup",
        Source::Remount => "other options",
    }
}

/// Only a procfs may be bound at /proc: what is written there later must not go to a look-alike.
fn guard_proc(planned: &Mount, tree: BorrowedFd<'_>) -> Result<()> {
    let at_proc = planned.destination.trim_end_matches('/') == "/proc";
    if at_proc
        && fd::filesystem_magic(tree).at("check what is bound at /proc")? != dhow_sys::procfs::MAGIC
    {
        let reason = "only a procfs may be mounted at /proc";
        return Err(Error::Config(Invalid::new(
            "mounts",
            format!("{}: {reason}", planned.destination),
        )));
    }
    Ok(())
}

/// Opens the directory to mount on, making it if it is missing. A `strict` one must not be reached
/// over a link: an image that makes `/proc` a link could have masks and labels written elsewhere.
fn directory(root: &Rootfs, planned: &Mount, strict: bool) -> dhow_sys::Result<OwnedFd> {
    let destination = Path::new(&planned.destination);
    let mode = Mode::from_raw_mode(DIRECTORY_MODE);
    if !strict {
        return path::mkdir_all_in_root(root.as_fd(), destination, mode);
    }
    match path::open_in_root_no_links(root.as_fd(), destination, OFlags::PATH) {
        Err(error) if error.code() == 2 => path::mkdir_all_in_root(root.as_fd(), destination, mode),
        result => result,
    }
}

/// Configures and creates a filesystem that is attached nowhere yet, with the plan's attributes.
fn filesystem(planned: &Mount, shared_sys: bool) -> dhow_sys::Result<OwnedFd> {
    let Source::Filesystem {
        kind,
        source,
        options,
        ..
    } = &planned.source
    else {
        return Err(dhow_sys::Error::new(
            "fsopen",
            planned.destination.clone(),
            22,
        ));
    };
    let made = configure(kind, source, options, planned.attributes.set);
    match made {
        // Without a network namespace of its own the host's, bound, shows the same.
        Err(error) if error.code() == 1 && kind == "sysfs" && shared_sys => {
            let tree = mount::copy_tree(Path::new("/sys"), true)?;
            let Attributes { set, clear } = planned.attributes;
            mount::change(
                tree.as_fd(),
                Change {
                    set,
                    clear,
                    ..Change::default()
                },
            )?;
            Ok(tree)
        }
        made => made,
    }
}

fn configure(
    kind: &str,
    source: &str,
    options: &[(String, Option<String>)],
    attributes: u64,
) -> dhow_sys::Result<OwnedFd> {
    let filesystem = Filesystem::open(kind)?;
    if !source.is_empty() {
        filesystem.set("source", source)?;
    }
    for (key, value) in options {
        match value {
            Some(value) => filesystem.set(key, value)?,
            None => filesystem.flag(key)?,
        }
    }
    filesystem.mount(attributes)
}

/// Applies attributes and propagation of the plan to a mount.
///
/// # Errors
/// `mount_setattr`: EPERM when an attribute that the host locked would be lifted.
pub fn change(mounted: BorrowedFd<'_>, planned: &Mount) -> dhow_sys::Result<()> {
    let bind = matches!(planned.source, Source::Bind { .. });
    // A tree copied from the host is still connected with it; unless asked otherwise it is not.
    if bind && planned.propagation.is_empty() {
        let private = Some(mount::Propagation::Private);
        mount::change(
            mounted,
            Change {
                propagation: private,
                recursive: true,
                ..Change::default()
            },
        )?;
    }
    for &(word, recursive) in &planned.propagation {
        mount::change(
            mounted,
            Change {
                propagation: Some(propagation(word)),
                recursive,
                ..Change::default()
            },
        )?;
    }
    // A filesystem of our own was made with its attributes.
    let made = matches!(planned.source, Source::Filesystem { .. });
    for (attributes, recursive) in [
        (planned.recursive_attributes, true),
        (planned.attributes, false),
    ] {
        let Attributes { set, clear } = attributes;
        if !attributes.is_empty() && (recursive || !made) {
            mount::change(
                mounted,
                Change {
                    set,
                    clear,
                    recursive,
                    ..Change::default()
                },
            )?;
        }
    }
    Ok(())
}

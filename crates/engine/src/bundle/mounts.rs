//! The container's mounts, in the order in which the runtime makes them.

use super::{Request, RootFilesystem};
use crate::error::{Error, Result};
use crate::options::{Mount, Network, Propagation, Size};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// The group that owns terminals, by convention everywhere.
const TTY_GROUP: u32 = 5;

/// Where a user's mount gets its content: the resolved counterpart of a [`Mount`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// A path of the host.
    Path(PathBuf),
    /// Memory.
    Nothing,
}

/// The list: the root, the kernel's filesystems, our files, then the user's mounts, parents first. A
/// user's mount takes the place of one of ours at the same path.
pub(super) fn compose(request: &Request<'_>) -> Result<Vec<Value>> {
    let mut all = root(request.root);
    let mut ours = kernel(request);
    ours.extend(files(request));
    if let Some(init) = request.init {
        ours.push(bind(super::process::INIT, init, &["ro", "nosuid", "nodev"]));
    }
    let mut theirs = Vec::new();
    for (mount, source) in request.options.mounts.iter().zip(request.sources) {
        theirs.push((mount.target(), user(mount, source, request)?));
    }
    // Docker refuses this too: which of the two shall be seen is anybody's guess.
    for (index, (target, _)) in theirs.iter().enumerate() {
        if theirs[..index].iter().any(|(other, _)| other == target) {
            return Err(Error::invalid("--mount", *target, "is mounted over twice"));
        }
    }
    ours.retain(|mount| {
        theirs
            .iter()
            .all(|(target, _)| mount["destination"] != *target)
    });
    theirs.sort_by_key(|(target, _)| target.matches('/').count());
    all.extend(ours);
    all.extend(theirs.into_iter().map(|(_, mount)| mount));
    Ok(all)
}

/// The mounts that make the root filesystem, before all others.
fn root(root: &RootFilesystem) -> Vec<Value> {
    match root {
        RootFilesystem::Directory(_) => Vec::new(),
        RootFilesystem::Overlay(options) => vec![json!({
            "destination": "/",
            "type": "overlay",
            "source": "overlay",
            "options": options,
        })],
        RootFilesystem::Parts(mounts) => mounts.clone(),
    }
}

fn kernel(request: &Request<'_>) -> Vec<Value> {
    let options = request.options;
    // The container's own writes to sysfs and the cgroup files would reach the host.
    let writable = if options.privileged { "rw" } else { "ro" };
    let mut terminals = vec![
        "nosuid",
        "noexec",
        "newinstance",
        "ptmxmode=0666",
        "mode=0620",
    ];
    let group = format!("gid={TTY_GROUP}");
    // A group that the user namespace does not know cannot own anything in it.
    if request.maps.is_none_or(|maps| maps.has_group(TTY_GROUP)) {
        terminals.push(&group);
    }
    let shm = options.shm_size.map_or(64 << 20, |size| size.0);
    let shm = format!("size={shm}");
    let mount = |target: &str, kind: &str, source: &str, options: &[&str]| json!({"destination": target, "type": kind, "source": source, "options": options});
    vec![
        mount("/proc", "proc", "proc", &["nosuid", "noexec", "nodev"]),
        mount(
            "/dev",
            "tmpfs",
            "tmpfs",
            &["nosuid", "strictatime", "mode=755", "size=65536k"],
        ),
        mount("/dev/pts", "devpts", "devpts", &terminals),
        mount(
            "/dev/shm",
            "tmpfs",
            "shm",
            &["nosuid", "noexec", "nodev", "mode=1777", &shm],
        ),
        mount(
            "/dev/mqueue",
            "mqueue",
            "mqueue",
            &["nosuid", "noexec", "nodev"],
        ),
        sys(request, writable),
        mount(
            "/sys/fs/cgroup",
            "cgroup",
            "cgroup",
            &["nosuid", "noexec", "nodev", "relatime", writable],
        ),
    ]
}

/// In a user namespace sysfs can only be mounted by whoever owns the network namespace that it shows;
/// with the host's network the host's own mount is bound instead.
fn sys(request: &Request<'_>, writable: &str) -> Value {
    let walls = ["nosuid", "noexec", "nodev", writable];
    if request.has_user_namespace() && request.options.network == Network::Host {
        let options: Vec<&str> = ["rbind", "rslave"].iter().chain(&walls).copied().collect();
        return json!({"destination": "/sys", "type": "bind", "source": "/sys", "options": options});
    }
    json!({"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": walls})
}

/// The generated files, bound over whatever the image has there: never written into it, because a
/// name in it may be a link.
fn files(request: &Request<'_>) -> Vec<Value> {
    request
        .generated
        .iter()
        .map(|name| {
            let target = format!("/etc/{name}");
            bind(
                &target,
                &request.directory.join(name),
                &["rw", "nosuid", "nodev", "noexec"],
            )
        })
        .collect()
}

fn bind(target: &str, source: &Path, options: &[&str]) -> Value {
    let options: Vec<&str> = ["rbind", "rprivate"]
        .iter()
        .chain(options)
        .copied()
        .collect();
    json!({"destination": target, "type": "bind", "source": source, "options": options})
}

fn user(mount: &Mount, source: &Source, request: &Request<'_>) -> Result<Value> {
    let read_only = |read_only: bool| if read_only { "ro" } else { "rw" };
    match (mount, source) {
        (
            Mount::Bind {
                target,
                read_only: ro,
                propagation,
                ..
            },
            Source::Path(path),
        ) => {
            let spread = match propagation {
                Propagation::Rprivate => "rprivate",
                Propagation::Rslave => "rslave",
                Propagation::Rshared => "rshared",
            };
            let mut options = vec!["rbind", spread, read_only(*ro)];
            if *ro {
                // Mounts below the source are read-only too (Linux 5.12).
                options.push("rro");
            }
            // Without a user namespace a device file on the host's disk would be the device.
            if !request.options.privileged {
                options.push("nosuid");
                options.push("nodev");
            }
            Ok(json!({"destination": target, "type": "bind", "source": path, "options": options}))
        }
        (
            Mount::Volume {
                target,
                read_only: ro,
                ..
            },
            Source::Path(path),
        ) => Ok(json!({
            "destination": target,
            "type": "bind",
            "source": path,
            "options": ["rbind", "rprivate", "nosuid", "nodev", read_only(*ro)],
        })),
        (
            Mount::Tmpfs {
                target,
                size,
                mode,
                options,
            },
            _,
        ) => {
            let words = tmpfs_options(*size, *mode, options);
            Ok(json!({"destination": target, "type": "tmpfs", "source": "tmpfs", "options": words}))
        }
        (mount, Source::Nothing) => Err(Error::invalid("--mount", mount.target(), "has no source")),
    }
}

/// The options of a tmpfs: protected unless the user says otherwise.
pub(crate) fn tmpfs_options(
    size: Option<Size>,
    mode: Option<u32>,
    asked: &[String],
) -> Vec<String> {
    let mut words = vec!["nosuid".to_owned(), "nodev".to_owned(), "noexec".to_owned()];
    words.push(format!("mode={:o}", mode.unwrap_or(0o1777)));
    words.extend(size.map(|size| format!("size={}", size.0)));
    for option in asked {
        // `exec` undoes `noexec`, and so on.
        words.retain(|word| word.strip_prefix("no") != Some(option));
        words.push(option.clone());
    }
    words
}

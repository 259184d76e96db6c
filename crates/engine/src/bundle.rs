//! A container and its image's configuration become an OCI bundle's `config.json`.
//!
//! Everything here is pure: what the host is like, which ids exist and where things lie comes in as
//! data, so the document can be tested without a kernel. What an image says may choose a command, an
//! environment, a user and a directory; nothing it says can widen what the user asked for.
//!
//! Source: OCI runtime-spec 1.2, config.md and config-linux.md.

pub(crate) mod capabilities;
mod devices;
pub(crate) mod identity;
mod mounts;
mod process;
mod resources;
mod security;

use crate::error::Result;
use crate::idmap::Maps;
use crate::options::{ContainerOptions, Network};
use capabilities::Capabilities;
pub(crate) use devices::Device;
use identity::Identity;
pub(crate) use mounts::Source;
#[cfg(feature = "fuzzing")]
pub(crate) use mounts::tmpfs_options;
pub(crate) use process::command;
pub(crate) use security::seccomp_file;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// What of an image's configuration counts; it has no way to say "from the host".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ImageDefaults {
    /// `KEY=VALUE`, unchecked.
    pub(crate) env: Vec<String>,
    /// `Entrypoint`.
    pub(crate) entrypoint: Vec<String>,
    /// `Cmd`.
    pub(crate) command: Vec<String>,
    /// `WorkingDir`.
    pub(crate) workdir: String,
    /// `User`.
    pub(crate) user: String,
    /// `StopSignal`.
    pub(crate) stop_signal: Option<String>,
    /// `Labels`.
    pub(crate) labels: Vec<(String, String)>,
}

/// How the container's `/` comes about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RootFilesystem {
    /// A directory of the host, as it is.
    Directory(PathBuf),
    /// An overlay, mounted by the runtime over the bundle's empty `rootfs`: its mount options.
    Overlay(Vec<String>),
    /// An empty root of the bundle with mounts for the single top-level directories.
    Parts(Vec<Value>),
}

/// What the host can do, as far as the document depends on it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Host {
    /// Whether cgroups can limit processes here for this user.
    pub(crate) limits_processes: bool,
    /// The value for `cgroupsPath`.
    pub(crate) cgroup: Option<String>,
    /// The numbers of the processors.
    pub(crate) processors: Vec<u32>,
    /// Whether AppArmor is in force.
    pub(crate) apparmor: bool,
    /// The device nodes of the host, for privileged containers.
    pub(crate) devices: Vec<Device>,
    /// Paths that may be worth hiding and exist here.
    pub(crate) hideable: Vec<String>,
}

/// Everything that a `config.json` is made of.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) id: &'a str,
    pub(crate) options: &'a ContainerOptions,
    pub(crate) image: &'a ImageDefaults,
    pub(crate) root: &'a RootFilesystem,
    pub(crate) identity: &'a Identity,
    pub(crate) capabilities: &'a Capabilities,
    /// The maps of the container's user namespace, if it has one of its own.
    pub(crate) maps: Option<&'a Maps>,
    pub(crate) host: &'a Host,
    /// The container's directory, where the generated files lie.
    pub(crate) directory: &'a Path,
    /// Which of the generated files are bound into `/etc`.
    pub(crate) generated: &'a [&'static str],
    /// The sources of the user's mounts, in their order.
    pub(crate) sources: &'a [Source],
    /// The host's path of the init program, with `--init`.
    pub(crate) init: Option<&'a Path>,
    /// The user's own seccomp profile, read from its file.
    pub(crate) seccomp: Option<Value>,
}

impl Request<'_> {
    fn has_user_namespace(&self) -> bool {
        self.maps.is_some()
    }
}

/// Writes the document.
pub(crate) fn compose(request: &Request<'_>) -> Result<Value> {
    let options = request.options;
    let mut linux = json!({
        "namespaces": namespaces(request),
        "resources": resources::compose(request)?,
        "devices": devices::nodes(request),
    });
    if let Some(cgroup) = &request.host.cgroup {
        linux["cgroupsPath"] = json!(cgroup);
    }
    if let Some(maps) = request.maps {
        linux["uidMappings"] = json!(maps.users);
        linux["gidMappings"] = json!(maps.groups);
    }
    security::add(request, &mut linux)?;
    let root = match request.root {
        RootFilesystem::Directory(path) => path.clone(),
        _ => PathBuf::from("rootfs"),
    };
    Ok(json!({
        "ociVersion": "1.0.2",
        "process": process::compose(request)?,
        "root": {"path": root, "readonly": options.read_only},
        "hostname": hostname(request),
        "mounts": mounts::compose(request)?,
        "annotations": {
            "dev.dhow.container.name": options.name.as_deref().unwrap_or_default(),
        },
        "linux": linux,
    }))
}

/// The host name: as asked, or the beginning of the id.
pub(crate) fn hostname<'a>(request: &'a Request<'_>) -> &'a str {
    let short = request.id.get(..12).unwrap_or(request.id);
    request.options.hostname.as_deref().unwrap_or(short)
}

fn namespaces(request: &Request<'_>) -> Value {
    let mut kinds = vec!["pid", "ipc", "uts", "mount", "cgroup"];
    if request.options.network == Network::None {
        kinds.push("network");
    }
    if request.has_user_namespace() {
        kinds.push("user");
    }
    kinds.iter().map(|kind| json!({"type": kind})).collect()
}

#[cfg(test)]
mod tests;

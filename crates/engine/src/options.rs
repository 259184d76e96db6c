//! What a user may ask of a container, parsed once into types.
//!
//! Every textual form (`-v`, `--mount`, `--memory`, …) has its parser in this module, as `FromStr`, so that the
//! command line and the API accept the same texts and give the same messages.

mod mount;
mod process;
mod security;
mod size;

pub use mount::{Mount, Propagation, is_name};
pub use process::{Network, Ulimit, UserNamespace};
pub use security::{Profile, SecurityOption};
pub use size::{Cpus, Size};

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Where a container's root filesystem comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Root {
    /// An image of the store, by name or id.
    Image(String),
    /// A directory of the host.
    #[serde(rename_all = "camelCase")]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Whether changes go to a throw-away layer over it (`:O`).
        overlay: bool,
    },
}

impl std::str::FromStr for Root {
    type Err = crate::Error;

    /// The value of `--rootfs`: `DIR` or `DIR:O`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (path, overlay) = match text.strip_suffix(":O") {
            Some(path) => (path, true),
            None => (text, false),
        };
        if path.is_empty() || path.contains('\0') {
            return Err(crate::Error::invalid(
                "--rootfs",
                text,
                "is not DIR or DIR:O",
            ));
        }
        Ok(Self::Directory {
            path: path.into(),
            overlay,
        })
    }
}

/// Everything that `dhow run` and `dhow create` can be asked.
///
/// `Default` is the hardened container of an image without a name: no network, no new privileges,
/// eleven capabilities, the default seccomp profile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerOptions {
    /// The root filesystem.
    pub root: Root,
    /// The container's name; one is made up when absent.
    pub name: Option<String>,
    /// The command; replaces the image's `Cmd`.
    pub command: Vec<String>,
    /// Replaces the image's `Entrypoint`; an empty list removes it.
    pub entrypoint: Option<Vec<String>>,
    /// Environment, in order; later entries win.
    pub env: Vec<(String, String)>,
    /// Working directory.
    pub workdir: Option<String>,
    /// `user[:group]`, names or numbers.
    pub user: Option<String>,
    /// Supplementary groups, names or numbers.
    pub group_add: Vec<String>,
    /// Mounts, in the order given.
    pub mounts: Vec<Mount>,
    /// Whether the root filesystem is read-only.
    pub read_only: bool,
    /// Memory limit.
    pub memory: Option<Size>,
    /// Limit of memory plus swap.
    pub memory_swap: Option<Size>,
    /// Processor time limit.
    pub cpus: Option<Cpus>,
    /// Limit of processes; 0 or less for none, absent for the default.
    pub pids_limit: Option<i64>,
    /// Capabilities to add; `ALL` for all.
    pub cap_add: Vec<String>,
    /// Capabilities to drop; `ALL` for all.
    pub cap_drop: Vec<String>,
    /// Security options.
    pub security: Vec<SecurityOption>,
    /// Host name; the beginning of the id when absent.
    pub hostname: Option<String>,
    /// Network.
    pub network: Network,
    /// Whether a small init reaps processes and forwards signals.
    pub init: bool,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Resource limits.
    pub ulimits: Vec<Ulimit>,
    /// Whether nearly all walls are taken away.
    pub privileged: bool,
    /// User namespace.
    pub userns: UserNamespace,
    /// Whether it gets a terminal.
    pub tty: bool,
    /// Whether its standard input stays open.
    pub interactive: bool,
    /// Whether it is removed when it ends.
    pub remove: bool,
    /// The signal for `stop`, by name or number; the image's or TERM when absent.
    pub stop_signal: Option<String>,
    /// Size of `/dev/shm`.
    pub shm_size: Option<Size>,
    /// The OCI runtime for this container.
    pub runtime: Option<PathBuf>,
}

impl ContainerOptions {
    /// The options for a container of this root, with everything else at its default.
    #[must_use]
    pub fn new(root: Root) -> Self {
        Self {
            root,
            name: None,
            command: Vec::new(),
            entrypoint: None,
            env: Vec::new(),
            workdir: None,
            user: None,
            group_add: Vec::new(),
            mounts: Vec::new(),
            read_only: false,
            memory: None,
            memory_swap: None,
            cpus: None,
            pids_limit: None,
            cap_add: Vec::new(),
            cap_drop: Vec::new(),
            security: Vec::new(),
            hostname: None,
            network: Network::default(),
            init: false,
            labels: BTreeMap::new(),
            ulimits: Vec::new(),
            privileged: false,
            userns: UserNamespace::default(),
            tty: false,
            interactive: false,
            remove: false,
            stop_signal: None,
            shm_size: None,
            runtime: None,
        }
    }
}

impl Default for ContainerOptions {
    fn default() -> Self {
        Self::new(Root::Image(String::new()))
    }
}

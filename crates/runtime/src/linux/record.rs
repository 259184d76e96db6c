//! `state.json`: what was made of a bundle.

use super::container::{Container, alive};
use crate::bundle;
use crate::error::{At, Error, Result};
use crate::plan::namespaces::Kind;
use crate::spec::{Hook, Spec, State};
use dhow_sys::procfs::{ProcessStatus, Procfs};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of this file, the only one that is read.
pub const VERSION: u32 = 2;

/// A finished container; `G` is its group, borrowed where the record is only written.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record<G = dhow_cgroup::Group> {
    /// Version of this document.
    pub version: u32,
    /// The container's id.
    pub id: String,
    /// The specification's version in the bundle.
    pub oci_version: String,
    /// Absolute path of the bundle.
    pub bundle: String,
    /// Absolute path of the root filesystem.
    pub rootfs: String,
    /// When it was created, RFC 3339 in UTC.
    pub created: String,
    /// The name of the user who created it.
    pub owner: String,
    /// Process id of its first process in our pid namespace.
    pub pid: u32,
    /// That process's start, in clock ticks since boot.
    pub start_time: u64,
    /// The boot in which that was.
    pub boot_id: String,
    /// Its cgroup, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cgroup: Option<G>,
    /// The limits asked for by updates, and before them; absent until the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<dhow_cgroup::Resources>,
    /// The kinds of namespaces that are not ours.
    pub namespaces: Vec<String>,
    /// The bundle's annotations.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
    /// Hooks to run after start.
    #[serde(default)]
    pub poststart: Vec<Hook>,
    /// Hooks to run after deletion.
    #[serde(default)]
    pub poststop: Vec<Hook>,
}

impl Record {
    /// Reads what was written, without its seal.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(text: &[u8]) -> std::result::Result<Self, String> {
        let record: Self = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        if record.version == VERSION {
            return Ok(record);
        }
        let theirs = record.version;
        Err(format!(
            "version {theirs}; this dhow-runtime reads version {VERSION}"
        ))
    }

    /// What the kernel says of the container's process; `None` when it has ended.
    ///
    /// # Errors
    /// The call, when the kernel does not say: that is no reason to think that it has ended.
    pub fn process(&self) -> Result<Option<ProcessStatus>> {
        let procfs = Procfs::host().at("open procfs")?;
        if boot_id(procfs)? != self.boot_id {
            return Ok(None);
        }
        alive(procfs, self.pid, self.start_time)
    }

    /// The container's cgroup, for a verb that cannot do without.
    ///
    /// # Errors
    /// [`Error::Unsupported`] when it has none.
    pub fn group(&self, word: &str) -> Result<&dhow_cgroup::Group> {
        self.cgroup.as_ref().ok_or_else(|| {
            Error::Unsupported(format!(
                "cannot {word} container {:?}: it has no cgroup of its own",
                self.id
            ))
        })
    }

    /// Whether a kind of namespace is not the host's.
    #[must_use]
    pub fn separates(&self, kind: Kind) -> bool {
        self.namespaces.iter().any(|word| word == kind.word())
    }

    /// The state document in a given status.
    #[must_use]
    pub fn state(&self, status: &str) -> State {
        State {
            oci_version: self.oci_version.clone(),
            id: self.id.clone(),
            status: status.into(),
            pid: if status == "stopped" { 0 } else { self.pid },
            bundle: self.bundle.clone(),
            annotations: self.annotations.clone(),
        }
    }
}

/// The document that the container was created from, whatever has become of the bundle since.
///
/// # Errors
/// [`Error::Document`] when it is missing or damaged.
pub fn document(container: &Container) -> Result<Spec> {
    let path = container.path.join("config.json");
    let damaged = |reason: String| Error::Document {
        path: path.clone(),
        reason,
    };
    let document = container.read("config.json")?;
    let document = document.ok_or_else(|| damaged("is missing".into()))?;
    bundle::parse(&document).map_err(damaged)
}

/// The id of this boot.
///
/// # Errors
/// The read.
pub fn boot_id(procfs: &Procfs) -> Result<String> {
    let text = procfs
        .read("sys/kernel/random/boot_id")
        .at("read the id of this boot")?;
    Ok(String::from_utf8_lossy(&text).trim().to_owned())
}

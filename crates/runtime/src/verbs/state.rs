//! `state`: what a container is, as JSON.

use crate::cli::{Arguments, Global, Usage};
use crate::error::Result;
use crate::linux::container::Container;
use crate::linux::record::Record;
use crate::output;
use crate::state::Status;
use serde::Serialize;
use std::collections::BTreeMap;
use std::ffi::OsString;

/// The command line.
pub const USAGE: Usage = Usage {
    verb: "state",
    arguments: "ID",
    summary: "Print a container's state as JSON",
    flags: &[],
    verbatim_after: None,
    example: "dhow-runtime state web",
};

/// What `state` and `list --format json` print: runtime.md's state and what runc adds to it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Shown {
    oci_version: String,
    /// The container's id.
    pub id: String,
    /// Its first process, 0 when it has ended.
    pub pid: u32,
    /// Its status.
    pub status: &'static str,
    /// Its bundle.
    pub bundle: String,
    rootfs: String,
    /// When it was created.
    pub created: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
    /// Who created it.
    pub owner: String,
}

impl Shown {
    /// Puts it together.
    ///
    /// # Errors
    /// The call, when the kernel does not tell the status.
    pub fn new(container: &Container, record: Option<Record>) -> Result<Self> {
        let status = container.status(record.as_ref())?;
        Ok(match record {
            Some(record) => Self {
                oci_version: record.oci_version,
                id: record.id,
                pid: if status == Status::Stopped {
                    0
                } else {
                    record.pid
                },
                status: status.word(),
                bundle: record.bundle,
                rootfs: record.rootfs,
                created: record.created,
                annotations: record.annotations,
                owner: record.owner,
            },
            None => Self {
                oci_version: "1.3.0".into(),
                id: container.id.clone(),
                pid: 0,
                status: status.word(),
                bundle: String::new(),
                rootfs: String::new(),
                created: String::new(),
                annotations: BTreeMap::new(),
                owner: String::new(),
            },
        })
    }
}

/// Runs the verb.
///
/// # Errors
/// [`crate::error::Error::NoContainer`]
pub fn run(global: &Global, arguments: Vec<OsString>) -> Result<u8> {
    let arguments = Arguments::read(&USAGE, arguments)?;
    let container = Container::look(&global.root, arguments.id(&USAGE)?)?;
    let shown = Shown::new(&container, container.record()?)?;
    let text = serde_json::to_string_pretty(&shown).unwrap_or_default();
    output::print(&format!("{text}\n"))?;
    Ok(0)
}

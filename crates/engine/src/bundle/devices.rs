//! Device nodes and who may use them.

use super::Request;
use serde_json::{Value, json};

/// A device node of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Device {
    /// Its path.
    pub(crate) path: String,
    /// Whether it is a block device.
    pub(crate) block: bool,
    /// Major and minor number.
    pub(crate) number: (u32, u32),
    /// Permission bits.
    pub(crate) mode: u32,
}

impl Device {
    fn kind(&self) -> &'static str {
        if self.block { "b" } else { "c" }
    }
}

/// The nodes that are made besides the runtime's own few (null, zero, full, random, urandom, tty).
pub(super) fn nodes(request: &Request<'_>) -> Vec<Value> {
    // A user namespace cannot make any.
    if !request.options.privileged || request.has_user_namespace() {
        return Vec::new();
    }
    request
        .host
        .devices
        .iter()
        .map(|device| {
            json!({
                "path": device.path,
                "type": device.kind(),
                "major": device.number.0,
                "minor": device.number.1,
                "fileMode": device.mode,
                "uid": 0,
                "gid": 0,
            })
        })
        .collect()
}

/// Who may use devices: nobody any, but for the few that the runtime always allows.
pub(super) fn rules(request: &Request<'_>) -> Value {
    json!([{"allow": request.options.privileged, "access": "rwm"}])
}

//! `index.json`: what makes the store an OCI image layout that other tools can read.
//!
//! It is derived from the records, which are the truth, and written anew after each change.

use super::record::{ImageRecord, NameRecord, read_all, replace};
use crate::document::OCI_INDEX;
use crate::layout::Layout;
use crate::lock::Lock;
use crate::{Error, Result};
use serde_json::{Value, json};

/// Writes `index.json` as the records are now.
pub(super) fn rewrite(layout: &Layout) -> Result<()> {
    let _lock = Lock::exclusive(&layout.locks(), Layout::INDEX)?;
    let mut images: Vec<ImageRecord> = read_all(&layout.images())?;
    images.sort_by_key(|image| image.digest);
    let mut names: Vec<NameRecord> = read_all(&layout.names())?;
    names.sort_by(|one, other| one.name.cmp(&other.name));
    let mut manifests = Vec::new();
    for image in &images {
        let mut named = names
            .iter()
            .filter(|name| name.digest == image.digest)
            .peekable();
        if named.peek().is_none() {
            manifests.push(descriptor(image));
        }
        for name in named {
            let mut with_name = descriptor(image);
            with_name["annotations"] = json!({
                "io.containerd.image.name": name.name,
                "org.opencontainers.image.ref.name": name.name,
            });
            manifests.push(with_name);
        }
    }
    let index = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests});
    let path = layout.index();
    let bytes = serde_json::to_vec(&index)
        .map_err(|error| Error::document("index.json", error.to_string()))?;
    if std::fs::read(&path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    replace(layout, &path, &bytes)
}

fn descriptor(image: &ImageRecord) -> Value {
    let platform = image.platform();
    let mut shown = json!({"os": platform.os, "architecture": platform.architecture});
    if let Some(variant) = platform.variant {
        shown["variant"] = Value::String(variant);
    }
    json!({
        "mediaType": image.media_type,
        "digest": image.digest,
        "size": image.manifest_size,
        "platform": shown,
    })
}

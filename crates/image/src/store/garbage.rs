//! Removing what nothing refers to any more.

use super::Store;
use super::record::{self, ImageRecord, RootRecord};
use crate::document::{self, Document};
use crate::layout::Layout;
use crate::lock::Lock;
use crate::{Digest, Error, Result, durable};
use std::collections::HashSet;
use std::path::Path;

/// What a collection removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Collected {
    /// Blobs.
    pub blobs: u64,
    /// Bytes of these blobs.
    pub bytes: u64,
    /// Unpacked layers.
    pub layers: u64,
}

impl Store {
    /// Removes blobs and unpacked layers that no image and no container's root refers to.
    ///
    /// `None` when somebody is adding or unpacking at the moment: then there is nothing to do now,
    /// and the next removal will.
    ///
    /// # Errors
    /// Kernel; Internal when a record is damaged, and then nothing is removed.
    pub fn collect_garbage(&self) -> Result<Option<Collected>> {
        let Some(_alone) = Lock::try_exclusive(&self.layout().locks(), Layout::USE)? else {
            return Ok(None);
        };
        let mut blobs = HashSet::new();
        let mut layers: HashSet<String> = self.layers_of_roots()?;
        for record in record::read_all::<ImageRecord>(&self.layout().images())? {
            blobs.extend([record.digest, record.id]);
            let what = record.digest.to_string();
            let file = self.layout().open_blob(&record.digest)?;
            let bytes = crate::content::read_document(
                &what,
                file,
                &record.digest,
                self.limits().document_bytes,
            )?;
            if let Document::Manifest(manifest) =
                document::parse(&what, &bytes, &record.media_type, self.limits())?
            {
                blobs.extend(manifest.layers.iter().map(|layer| layer.digest));
            }
            for layer in self.image(&record.digest)?.layers {
                layers.insert(layer.chain_id.hex());
            }
        }
        let mut collected = Collected::default();
        let directory = self.layout().blobs();
        for (name, path) in entries(&directory)? {
            if Digest::from_hex(&name).is_ok_and(|digest| !blobs.contains(&digest)) {
                collected.bytes += std::fs::symlink_metadata(&path).map_or(0, |found| found.len());
                durable::remove_tree(&path)?;
                collected.blobs += 1;
            }
        }
        for (name, path) in entries(&self.layout().snapshots())? {
            // An id is the chain id and, after a dot, how the layer was unpacked.
            let chain = name.split('.').next().unwrap_or_default();
            if !layers.contains(chain) && !layers.contains(&name) {
                durable::remove_tree(&path)?;
                collected.layers += 1;
            }
        }
        for (name, path) in entries(&self.layout().roots())? {
            // Left by a killed preparation or removal.
            if name.starts_with('.') {
                durable::remove_tree(&path)?;
            }
        }
        Ok(Some(collected))
    }

    /// The unpacked layers that containers stand on.
    fn layers_of_roots(&self) -> Result<HashSet<String>> {
        let mut layers = HashSet::new();
        for (name, place) in entries(&self.layout().roots())? {
            if name.starts_with('.') {
                continue;
            }
            if let Some(root) = record::read::<RootRecord>(&Layout::root_record(&place))? {
                layers.extend(root.layers);
            }
        }
        Ok(layers)
    }
}

fn entries(directory: &Path) -> Result<Vec<(String, std::path::PathBuf)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(Error::io("read", directory))? {
        let entry = entry.map_err(Error::io("read", directory))?;
        found.push((
            entry.file_name().to_string_lossy().into_owned(),
            entry.path(),
        ));
    }
    Ok(found)
}

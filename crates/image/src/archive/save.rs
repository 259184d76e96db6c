//! Writes an image archive that every tool reads: an OCI layout with a docker `manifest.json` beside it,
//! as newer docker writes it.

use crate::content::read_document;
use crate::document::{OCI_INDEX, OCI_MANIFEST};
use crate::tar::BLOCK;
use crate::tar::write::header;
use crate::{Digest, Error, Image, Reference, Result, Store};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{Read, Write};

impl Store {
    /// Writes images, with all their names, as one archive to `output`, which may be a pipe. Blobs go out
    /// as they are stored, so digests stay the same.
    ///
    /// # Errors
    /// `NotFound` when an image was removed meanwhile; `InvalidInput` when a blob of the store is damaged,
    /// and then the archive is incomplete; Kernel.
    pub fn save(&self, images: &[&Image], output: &mut dyn Write) -> Result<()> {
        let mut archive = Writing { output };
        let mut written = BTreeSet::new();
        let (mut index, mut docker) = (Vec::new(), Vec::new());
        for image in images {
            let mut blobs = vec![image.digest, image.id];
            blobs.extend(image.layers.iter().map(|layer| layer.digest));
            for digest in blobs {
                if written.insert(digest) {
                    archive.blob(self, &digest)?;
                }
            }
            index.extend(self.descriptors(image)?);
            docker.push(docker_entry(image));
        }
        archive.json(
            "index.json",
            &json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": index}),
        )?;
        archive.json("manifest.json", &Value::Array(docker))?;
        archive.json("oci-layout", &json!({"imageLayoutVersion": "1.0.0"}))?;
        archive.write(&[0; 2 * BLOCK])?;
        archive.output.flush().map_err(failed)
    }

    /// One descriptor for each name of the image.
    fn descriptors(&self, image: &Image) -> Result<Vec<Value>> {
        let what = image.digest.to_string();
        let file = self.layout().open_blob(&image.digest)?;
        let bytes = read_document(&what, file, &image.digest, self.limits().document_bytes)?;
        let manifest: Value = crate::document::json(&what, &bytes, self.limits())?;
        let plain = json!({
            "mediaType": manifest.get("mediaType").cloned().unwrap_or_else(|| json!(OCI_MANIFEST)),
            "digest": image.digest,
            "size": bytes.len(),
            "platform": {"os": image.platform.os, "architecture": image.platform.architecture},
        });
        if image.names.is_empty() {
            return Ok(vec![plain]);
        }
        let named = image.names.iter().map(|name| {
            let mut descriptor = plain.clone();
            descriptor["annotations"] = json!({
                "io.containerd.image.name": name.to_string(),
                "org.opencontainers.image.ref.name": name.to_string(),
            });
            descriptor
        });
        Ok(named.collect())
    }
}

fn docker_entry(image: &Image) -> Value {
    let tags: Vec<String> = image.names.iter().map(Reference::familiar).collect();
    let layers: Vec<String> = image
        .layers
        .iter()
        .map(|layer| blob_name(&layer.digest))
        .collect();
    json!({"Config": blob_name(&image.id), "RepoTags": tags, "Layers": layers})
}

fn blob_name(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

fn failed(source: std::io::Error) -> Error {
    Error::Io {
        doing: "write the archive".to_owned(),
        source,
    }
}

struct Writing<'a> {
    output: &'a mut dyn Write,
}

impl Writing<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.output.write_all(bytes).map_err(failed)
    }

    fn pad(&mut self, size: u64) -> Result<()> {
        let padding = usize::try_from(size.wrapping_neg() % BLOCK as u64).unwrap_or(0);
        self.write(&[0; BLOCK][..padding])
    }

    fn json(&mut self, name: &str, value: &Value) -> Result<()> {
        let bytes =
            serde_json::to_vec(value).map_err(|error| Error::document(name, error.to_string()))?;
        self.write(&header(name, 0o644, bytes.len() as u64, b'0')?)?;
        self.write(&bytes)?;
        self.pad(bytes.len() as u64)
    }

    /// Copies a blob, verifying it on the way: a damaged store must not spread.
    fn blob(&mut self, store: &Store, digest: &Digest) -> Result<()> {
        let name = blob_name(digest);
        let mut file = store.layout().open_blob(digest)?;
        let size = store.layout().blob_size(digest).unwrap_or(0);
        self.write(&header(&name, 0o644, size, b'0')?)?;
        let mut hasher = crate::digest::Hasher::new();
        let mut chunk = vec![0; 256 * 1024];
        let mut copied = 0;
        while copied < size {
            let count = file.read(&mut chunk).map_err(failed)?;
            if count == 0 {
                return Err(Error::Truncated { entry: name });
            }
            hasher.update(&chunk[..count]);
            self.write(&chunk[..count])?;
            copied += count as u64;
        }
        let found = hasher.finish();
        if found != *digest {
            return Err(Error::WrongDigest {
                entry: name,
                expected: *digest,
                found,
            });
        }
        self.pad(size)
    }
}

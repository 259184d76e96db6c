//! Images made here, out of a few files: the built-in `hello`, for one.

use super::Store;
use super::commit::{Candidate, Loaded};
use crate::content::{Expected, Ingest};
use crate::document::{OCI_CONFIG, OCI_LAYER, OCI_MANIFEST};
use crate::tar::write::Builder;
use crate::{Digest, Error, Platform, Reference, Result};
use serde_json::json;

/// An image to be made of files in one layer. The same description always gives the same digests.
#[derive(Debug, Clone)]
pub struct NewImage {
    /// The name that it gets; one that stands for another image is moved.
    pub name: Reference,
    /// The platform that its programs are for.
    pub platform: Platform,
    /// Path in the image (absolute), permission bits, content. Owned by root, dated 1970.
    pub files: Vec<(String, u32, Vec<u8>)>,
    /// What runs, when nothing else is said.
    pub entrypoint: Vec<String>,
    /// `KEY=VALUE` each.
    pub env: Vec<String>,
    /// The working directory, empty for `/`.
    pub working_dir: String,
}

impl Store {
    /// Makes an image out of files; adding the same again changes nothing.
    ///
    /// # Errors
    /// `InvalidInput` for a path that a tar cannot hold; Kernel.
    pub fn add_image(&self, new: &NewImage) -> Result<Loaded> {
        let mut tar = Builder::default();
        for (path, mode, content) in &new.files {
            let parents: Vec<&str> = path.trim_start_matches('/').split('/').collect();
            for depth in 1..parents.len() {
                tar.directory(&parents[..depth].join("/"), 0o755)?;
            }
            tar.file(path.trim_start_matches('/'), *mode, content)?;
        }
        let layer = tar.finish();
        let mut ingest = Ingest::begin(self.layout())?;
        let mut put =
            |what: &str, bytes: &[u8]| ingest.write(what, &mut &*bytes, Expected::default());
        let (layer_digest, layer_size) = put("the new layer", &layer)?;
        let config = config(new, &layer_digest)?;
        let (config_digest, config_size) = put("the new configuration", &config)?;
        let manifest = manifest(
            (&config_digest, config_size),
            &[(OCI_LAYER, layer_digest, layer_size)],
        )?;
        let (digest, _) = put("the new manifest", &manifest)?;
        let candidate = Candidate {
            what: new.name.familiar(),
            digest,
            media_type: OCI_MANIFEST.to_owned(),
            names: vec![new.name.clone()],
        };
        let mut loaded = self.commit(ingest, &[candidate], true, "built in")?;
        loaded.pop().ok_or(Error::LostThread {
            what: "image builder",
        })
    }

    /// Makes an image of one program: `bytes` becomes the file `path` and `entrypoint` what runs.
    ///
    /// # Errors
    /// As [`Store::add_image`].
    pub fn add_image_from_file(
        &self,
        name: &Reference,
        path: &str,
        bytes: Vec<u8>,
        entrypoint: &[&str],
    ) -> Result<Loaded> {
        self.add_image(&NewImage {
            name: name.clone(),
            platform: Platform::host(),
            files: vec![(path.to_owned(), 0o755, bytes)],
            entrypoint: entrypoint.iter().map(|&word| word.to_owned()).collect(),
            env: Vec::new(),
            working_dir: String::new(),
        })
    }
}

fn config(new: &NewImage, diff_id: &Digest) -> Result<Vec<u8>> {
    let mut run = json!({"Entrypoint": new.entrypoint});
    if !new.env.is_empty() {
        run["Env"] = json!(new.env);
    }
    if !new.working_dir.is_empty() {
        run["WorkingDir"] = json!(new.working_dir);
    }
    let mut config = json!({
        "created": "1970-01-01T00:00:00Z",
        "architecture": new.platform.architecture,
        "os": new.platform.os,
        "config": run,
        "rootfs": {"type": "layers", "diff_ids": [diff_id]},
        "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "dhow"}],
    });
    if let Some(variant) = &new.platform.variant {
        config["variant"] = json!(variant);
    }
    serde_json::to_vec(&config)
        .map_err(|error| Error::document("the new configuration", error.to_string()))
}

/// The text of an OCI manifest; keys come sorted, so the same parts give the same digest.
pub(crate) fn manifest(config: (&Digest, u64), layers: &[(&str, Digest, u64)]) -> Result<Vec<u8>> {
    let layers: Vec<_> = layers
        .iter()
        .map(|(media_type, digest, size)| json!({"mediaType": media_type, "digest": digest, "size": size}))
        .collect();
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {"mediaType": OCI_CONFIG, "digest": config.0, "size": config.1},
        "layers": layers,
    });
    serde_json::to_vec(&manifest)
        .map_err(|error| Error::document("the new manifest", error.to_string()))
}

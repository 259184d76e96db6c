//! Docker archives: `manifest.json` names a configuration and layers, none of them by digest.
//!
//! The store keeps OCI manifests, so one is written for each image; the same archive always gives the
//! same manifest.

use super::collect::Entries;
use super::parse_names;
use crate::compression::Compression;
use crate::content::{Expected, Ingest};
use crate::document::{self, OCI_LAYER, OCI_LAYER_GZIP, OCI_MANIFEST};
use crate::store::commit::Candidate;
use crate::store::manifest;
use crate::{Digest, Error, Limits, Result};
use oci_spec::image::ImageConfiguration;
use serde::Deserialize;
use std::io::Read;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: String,
    repo_tags: Option<Vec<String>>,
    layers: Option<Vec<String>>,
}

const MANIFEST: &str = "manifest.json";

/// Reads all images of a docker archive.
pub(super) fn read(
    entries: &Entries,
    ingest: &mut Ingest<'_>,
    limits: &Limits,
) -> Result<Vec<Candidate>> {
    let (digest, _) = entries.file(MANIFEST, "the archive")?;
    let bytes = ingest.document(MANIFEST, &digest, limits.document_bytes)?;
    let saved: Vec<Saved> = document::json(MANIFEST, &bytes, limits)?;
    document::within(
        saved.len(),
        limits.descriptors,
        "the number of images",
        "images",
    )?;
    saved
        .iter()
        .map(|saved| read_image(saved, entries, ingest, limits))
        .collect()
}

fn read_image(
    saved: &Saved,
    entries: &Entries,
    ingest: &mut Ingest<'_>,
    limits: &Limits,
) -> Result<Candidate> {
    let (config, config_size) = entries.file(&saved.config, MANIFEST)?;
    check_config_name(&saved.config, &config)?;
    let bytes = ingest.document(&saved.config, &config, limits.document_bytes)?;
    let parsed: ImageConfiguration = document::json(&saved.config, &bytes, limits)?;
    let names = saved.layers.as_deref().unwrap_or_default();
    document::within(names.len(), limits.layers, "the number of layers", "layers")?;
    let diff_ids = parsed.rootfs().diff_ids();
    if diff_ids.len() != names.len() {
        return Err(Error::document(
            &saved.config,
            format!(
                "it has {} diff ids for {} layers",
                diff_ids.len(),
                names.len()
            ),
        ));
    }
    let mut layers = Vec::new();
    for (name, diff_id) in names.iter().zip(diff_ids) {
        let (digest, size) = entries.file(name, MANIFEST)?;
        let media_type = match compression(name, &digest, ingest)? {
            Compression::Gzip => OCI_LAYER_GZIP,
            Compression::None => {
                // Compressed ones are compared when they are unpacked.
                let expected: Digest = diff_id.parse()?;
                if expected != digest {
                    return Err(Error::WrongDigest {
                        entry: name.clone(),
                        expected,
                        found: digest,
                    });
                }
                OCI_LAYER
            }
        };
        layers.push((media_type, digest, size));
    }
    let manifest = manifest((&config, config_size), &layers)?;
    let (digest, _) = ingest.write("the new manifest", &mut &*manifest, Expected::default())?;
    Ok(Candidate {
        what: saved.config.clone(),
        digest,
        media_type: OCI_MANIFEST.to_owned(),
        names: parse_names(saved.repo_tags.iter().flatten().map(String::as_str)),
    })
}

/// The configuration's file name is its digest, as every tool writes it.
fn check_config_name(name: &str, found: &Digest) -> Result<()> {
    let last = name.rsplit('/').next().unwrap_or(name);
    let Ok(expected) = Digest::from_hex(last.strip_suffix(".json").unwrap_or(last)) else {
        return Ok(());
    };
    if expected == *found {
        return Ok(());
    }
    Err(Error::WrongDigest {
        entry: name.to_owned(),
        expected,
        found: *found,
    })
}

fn compression(name: &str, digest: &Digest, ingest: &Ingest<'_>) -> Result<Compression> {
    let mut start = Vec::new();
    ingest
        .open(digest)?
        .take(6)
        .read_to_end(&mut start)
        .map_err(|source| Error::Io {
            doing: format!("read {name:?}"),
            source,
        })?;
    Compression::of(&start, &format!("the layer {name:?}"))
}

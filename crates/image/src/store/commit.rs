//! The last step of everything that adds an image: check that it is whole, then record it.
//!
//! The order is what makes a power cut harmless: blobs on the disk, then the image's record, then its
//! names, then the derived index.

use super::record::{self, ImageRecord, NameRecord, VERSION};
use super::{Store, index};
use crate::content::Ingest;
use crate::document::{self, Document, Manifest};
use crate::{Digest, Error, Image, Reference, Result};
use oci_spec::image::ImageConfiguration;

/// A manifest whose blobs are all in the ingest or in the store.
#[derive(Debug, Clone)]
pub(crate) struct Candidate {
    /// What led to it, for errors.
    pub(crate) what: String,
    pub(crate) digest: Digest,
    pub(crate) media_type: String,
    pub(crate) names: Vec<Reference>,
}

/// What became of a name that an archive gives to an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NameOutcome {
    /// The name is new, or stood for this image already.
    Set(Reference),
    /// The name stood for another image and now stands for this one.
    Moved {
        /// The name.
        name: Reference,
        /// The manifest it stood for.
        from: Digest,
    },
    /// The name stands for another image and still does, because replacing was not asked for.
    Kept {
        /// The name.
        name: Reference,
        /// The manifest it stands for.
        stays: Digest,
    },
}

/// An image that was added.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The image, with all the names it has now.
    pub image: Image,
    /// What became of each name that came with it.
    pub names: Vec<NameOutcome>,
}

/// What an image's documents say, read and checked.
pub(crate) struct Checked {
    pub(crate) manifest: Manifest,
    pub(crate) manifest_size: u64,
    pub(crate) config: ImageConfiguration,
    pub(crate) diff_ids: Vec<Digest>,
}

/// Reads manifest and configuration and checks that they belong together.
pub(crate) fn check_documents(
    what: &str,
    manifest_bytes: &[u8],
    media_type: &str,
    limits: &crate::Limits,
    read_config: impl FnOnce(&str, &Digest) -> Result<Vec<u8>>,
) -> Result<Checked> {
    let Document::Manifest(manifest) = document::parse(what, manifest_bytes, media_type, limits)?
    else {
        return Err(Error::document(what, "it is an index and not an image"));
    };
    if !document::is_image_config(&manifest.config.media_type) {
        return Err(Error::Unsupported {
            what: format!(
                "an artifact of the type {:?} in {what:?}",
                manifest.config.media_type
            ),
            way_out: "; only container images can be run",
        });
    }
    let config_name = manifest.config.digest.to_string();
    let config_bytes = read_config(&config_name, &manifest.config.digest)?;
    if config_bytes.len() as u64 != manifest.config.size {
        return Err(Error::WrongSize {
            entry: config_name,
            expected: manifest.config.size,
            found: config_bytes.len() as u64,
        });
    }
    let config: ImageConfiguration = document::json(&config_name, &config_bytes, limits)?;
    let diff_ids = config
        .rootfs()
        .diff_ids()
        .iter()
        .map(|text| text.parse())
        .collect::<Result<Vec<Digest>>>()?;
    if diff_ids.len() != manifest.layers.len() {
        return Err(Error::document(
            &config_name,
            format!(
                "it has {} diff ids for {} layers",
                diff_ids.len(),
                manifest.layers.len()
            ),
        ));
    }
    for layer in &manifest.layers {
        document::check_layer_type(&layer.media_type)?;
    }
    Ok(Checked {
        manifest,
        manifest_size: manifest_bytes.len() as u64,
        config,
        diff_ids,
    })
}

impl Store {
    /// Checks all candidates, then commits their blobs and records them: all or nothing.
    pub(crate) fn commit(
        &self,
        ingest: Ingest<'_>,
        candidates: &[Candidate],
        replace_names: bool,
        source: &str,
    ) -> Result<Vec<Loaded>> {
        let mut records = Vec::new();
        let mut wanted = Vec::new();
        for candidate in candidates {
            let record = self.check_candidate(&ingest, candidate, &mut wanted)?;
            records.push(record);
        }
        let _committed = ingest.commit(&wanted)?;
        let mut outcomes = Vec::new();
        for (candidate, record) in candidates.iter().zip(&records) {
            let _lock = record::image_lock(self.layout(), &record.digest)?;
            let path = self.layout().image(&record.digest);
            if record::read::<ImageRecord>(&path)?.is_none() {
                record::write(self.layout(), &path, record)?;
            }
            let mut names = Vec::new();
            for name in &candidate.names {
                names.push(self.set_name(name, &record.digest, replace_names, source)?);
            }
            outcomes.push(names);
        }
        index::rewrite(self.layout())?;
        let mut loaded = Vec::new();
        for (record, names) in records.iter().zip(outcomes) {
            let image = self.image(&record.digest)?;
            loaded.push(Loaded { image, names });
        }
        Ok(loaded)
    }

    fn check_candidate(
        &self,
        ingest: &Ingest<'_>,
        candidate: &Candidate,
        wanted: &mut Vec<Digest>,
    ) -> Result<ImageRecord> {
        let limits = self.limits();
        let bytes = ingest.document(&candidate.what, &candidate.digest, limits.document_bytes)?;
        let checked = check_documents(
            &candidate.what,
            &bytes,
            &candidate.media_type,
            limits,
            |what, digest| ingest.document(what, digest, limits.document_bytes),
        )?;
        let mut size = checked.manifest_size + checked.manifest.config.size;
        wanted.extend([candidate.digest, checked.manifest.config.digest]);
        for layer in &checked.manifest.layers {
            let found = ingest
                .size_of(&layer.digest)
                .ok_or_else(|| Error::MissingEntry {
                    entry: layer.digest.to_string(),
                    wanted_by: candidate.what.clone(),
                })?;
            if found != layer.size {
                return Err(Error::WrongSize {
                    entry: layer.digest.to_string(),
                    expected: layer.size,
                    found,
                });
            }
            size += found;
            wanted.push(layer.digest);
        }
        let config = &checked.config;
        let variant = config
            .variant()
            .as_deref()
            .filter(|variant| !variant.is_empty());
        let mut platform = format!("{}/{}", config.os(), config.architecture());
        if let Some(variant) = variant {
            platform = format!("{platform}/{variant}");
        }
        Ok(ImageRecord {
            version: VERSION,
            media_type: if candidate.media_type.is_empty() {
                document::OCI_MANIFEST.to_owned()
            } else {
                candidate.media_type.clone()
            },
            digest: candidate.digest,
            manifest_size: checked.manifest_size,
            id: checked.manifest.config.digest,
            size,
            platform,
            created: config.created().clone(),
            added: std::time::UNIX_EPOCH
                .elapsed()
                .map_or(0, |since| since.as_secs()),
        })
    }

    /// Makes a name stand for a manifest; one that stands for another is moved only when asked.
    pub(super) fn set_name(
        &self,
        name: &Reference,
        manifest: &Digest,
        replace: bool,
        source: &str,
    ) -> Result<NameOutcome> {
        let _lock = record::name_lock(self.layout(), name)?;
        let path = self.layout().names().join(record::name_file(name));
        let before = record::read::<NameRecord>(&path)?.map(|record| record.digest);
        match before {
            Some(before) if before == *manifest => return Ok(NameOutcome::Set(name.clone())),
            Some(before) if !replace && self.layout().image(&before).exists() => {
                return Ok(NameOutcome::Kept {
                    name: name.clone(),
                    stays: before,
                });
            }
            _ => {}
        }
        let record = NameRecord {
            version: VERSION,
            name: name.to_string(),
            digest: *manifest,
            source: source.to_owned(),
        };
        record::write(self.layout(), &path, &record)?;
        Ok(match before {
            Some(from) => NameOutcome::Moved {
                name: name.clone(),
                from,
            },
            None => NameOutcome::Set(name.clone()),
        })
    }
}

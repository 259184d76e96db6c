//! OCI image layouts: `index.json` leads by digests to everything else.
//!
//! Source: OCI image-spec, image-layout.md.

use super::collect::Entries;
use super::parse_names;
use crate::content::{Expected, Ingest};
use crate::document::{self, Descriptor, Document, OCI_INDEX};
use crate::store::commit::Candidate;
use crate::{Digest, Error, Limits, Platform, Reference, Result};
use serde::Deserialize;
use std::collections::HashSet;
use std::fs::File;
use std::io::Read;
use std::path::Path;

const INDEX: &str = "index.json";
const MARKER: &str = "oci-layout";

/// Reads the images of a layout that was collected from an archive.
pub(super) fn read_archive(
    entries: &Entries,
    ingest: &mut Ingest<'_>,
    limits: &Limits,
    platform: &Platform,
) -> Result<Vec<Candidate>> {
    let (marker, _) = entries.file(MARKER, "the archive")?;
    check_marker(
        &ingest.document(MARKER, &marker, limits.document_bytes)?,
        limits,
    )?;
    let (index, _) = entries.file(INDEX, "the archive")?;
    let index = ingest.document(INDEX, &index, limits.document_bytes)?;
    Walk::new(ingest, limits, platform, None).run(&index)
}

/// Reads the images of a layout that is a directory.
pub(super) fn read_directory(
    directory: &Path,
    ingest: &mut Ingest<'_>,
    limits: &Limits,
    platform: &Platform,
) -> Result<Vec<Candidate>> {
    let marker = read_file(&directory.join(MARKER), limits)?;
    check_marker(&marker, limits)?;
    let index = read_file(&directory.join(INDEX), limits)?;
    Walk::new(ingest, limits, platform, Some(directory)).run(&index)
}

fn check_marker(bytes: &[u8], limits: &Limits) -> Result<()> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Marker {
        image_layout_version: String,
    }
    let marker: Marker = document::json(MARKER, bytes, limits)?;
    if marker.image_layout_version.starts_with("1.") {
        return Ok(());
    }
    Err(Error::Unsupported {
        what: format!(
            "version {:?} of the OCI image layout",
            marker.image_layout_version
        ),
        way_out: "",
    })
}

/// Opens a regular file; anything else, such as a pipe, could block for ever.
fn open_regular(path: &Path) -> Result<File> {
    let metadata = std::fs::metadata(path).map_err(Error::io("open", path))?;
    if !metadata.is_file() {
        return Err(Error::BadArchive {
            entry: path.display().to_string(),
            reason: "it is not a regular file".to_owned(),
        });
    }
    File::open(path).map_err(Error::io("open", path))
}

fn read_file(path: &Path, limits: &Limits) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_regular(path)?
        .take(limits.document_bytes + 1)
        .read_to_end(&mut bytes)
        .map_err(Error::io("read", path))?;
    Ok(bytes)
}

/// The names that a descriptor of `index.json` carries. A bare word such as `latest`, which umoci
/// writes, is a tag of a repository that nobody names.
fn names(descriptor: &Descriptor) -> Vec<Reference> {
    let full = descriptor.annotation("io.containerd.image.name");
    let reference = descriptor.annotation("org.opencontainers.image.ref.name");
    parse_names(
        full.into_iter()
            .chain(reference.filter(|text| text.contains(['/', ':']))),
    )
}

struct Walk<'a, 'store> {
    ingest: &'a mut Ingest<'store>,
    limits: &'a Limits,
    platform: &'a Platform,
    /// Where blobs come from that are not in the ingest yet.
    directory: Option<&'a Path>,
    descriptors: usize,
    visited: HashSet<Digest>,
    found: Vec<Candidate>,
}

impl<'a, 'store> Walk<'a, 'store> {
    fn new(
        ingest: &'a mut Ingest<'store>,
        limits: &'a Limits,
        platform: &'a Platform,
        directory: Option<&'a Path>,
    ) -> Self {
        Self {
            ingest,
            limits,
            platform,
            directory,
            descriptors: 0,
            visited: HashSet::new(),
            found: Vec::new(),
        }
    }

    fn run(mut self, index: &[u8]) -> Result<Vec<Candidate>> {
        let Document::Index(top) = document::parse(INDEX, index, OCI_INDEX, self.limits)? else {
            return Err(Error::document(INDEX, "it is a manifest and not an index"));
        };
        self.count(&top)?;
        for descriptor in top.iter().filter(|descriptor| descriptor.may_be_image()) {
            let wanted = |other: &Descriptor| {
                other
                    .platform()
                    .is_none_or(|offered| self.platform.accepts(&offered))
            };
            // The index may itself be a multi-platform image: then only the wanted one of a name counts.
            let rivals = top
                .iter()
                .any(|other| wanted(other) && names(other) == names(descriptor));
            if wanted(descriptor) || !rivals {
                self.descend(descriptor, &names(descriptor), INDEX, 1)?;
            }
        }
        Ok(self.found)
    }

    fn count(&mut self, descriptors: &[Descriptor]) -> Result<()> {
        self.descriptors += descriptors.len();
        document::within(
            self.descriptors,
            self.limits.descriptors,
            "the number of descriptors in the archive",
            "descriptors",
        )
    }

    /// Follows a descriptor to a manifest, choosing by platform in an index on the way.
    fn descend(
        &mut self,
        descriptor: &Descriptor,
        names: &[Reference],
        wanted_by: &str,
        depth: usize,
    ) -> Result<()> {
        document::within(
            depth,
            self.limits.index_depth,
            "the nesting of indexes",
            "levels",
        )?;
        if let Some(known) = self
            .found
            .iter_mut()
            .find(|known| known.digest == descriptor.digest)
        {
            known.names.extend_from_slice(names);
            return Ok(());
        }
        if !self.visited.insert(descriptor.digest) {
            return Ok(());
        }
        let what = descriptor.digest.to_string();
        self.fetch(descriptor, wanted_by)?;
        let bytes = self
            .ingest
            .document(&what, &descriptor.digest, self.limits.document_bytes)?;
        match document::parse(&what, &bytes, &descriptor.media_type, self.limits)? {
            Document::Manifest(manifest) => {
                if !document::is_image_config(&manifest.config.media_type) {
                    return Ok(());
                }
                self.count(&manifest.layers)?;
                self.fetch(&manifest.config, &what)?;
                for layer in &manifest.layers {
                    self.fetch(layer, &what)?;
                }
                self.found.push(Candidate {
                    what,
                    digest: descriptor.digest,
                    media_type: descriptor.media_type.clone(),
                    names: names.to_vec(),
                });
                Ok(())
            }
            Document::Index(below) => {
                self.count(&below)?;
                let chosen = self.choose(&below, &what)?.clone();
                self.descend(&chosen, names, &what, depth + 1)
            }
        }
    }

    /// The descriptor for the wanted platform; one that names no platform is a last resort.
    fn choose<'b>(&self, below: &'b [Descriptor], what: &str) -> Result<&'b Descriptor> {
        let images = || below.iter().filter(|descriptor| descriptor.may_be_image());
        let fitting = images().find(|descriptor| {
            descriptor
                .platform()
                .is_some_and(|offered| self.platform.accepts(&offered))
        });
        fitting
            .or_else(|| images().find(|descriptor| descriptor.platform().is_none()))
            .ok_or_else(|| {
                let available: Vec<String> = images()
                    .filter_map(Descriptor::platform)
                    .map(|platform| platform.to_string())
                    .collect();
                Error::NoSuchPlatform {
                    wanted: self.platform.to_string(),
                    what: what.to_owned(),
                    available: available.join(", "),
                }
            })
    }

    /// Makes sure that a blob is in the ingest or the store, with the promised size.
    fn fetch(&mut self, descriptor: &Descriptor, wanted_by: &str) -> Result<()> {
        let digest = descriptor.digest;
        let entry = format!("blobs/sha256/{}", digest.hex());
        let missing = || Error::MissingEntry {
            entry: entry.clone(),
            wanted_by: wanted_by.to_owned(),
        };
        if let Some(found) = self.ingest.size_of(&digest) {
            if found == descriptor.size {
                return Ok(());
            }
            return Err(Error::WrongSize {
                entry,
                expected: descriptor.size,
                found,
            });
        }
        let path = self
            .directory
            .ok_or_else(missing)?
            .join("blobs/sha256")
            .join(digest.hex());
        let mut file = match open_regular(&path) {
            Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                return Err(missing());
            }
            result => result?,
        };
        let expected = Expected {
            digest: Some(digest),
            size: Some(descriptor.size),
        };
        self.ingest.write(&entry, &mut file, expected).map(drop)
    }
}

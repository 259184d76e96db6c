//! Image archives: what `docker save`, `podman save`, `skopeo` and `umoci` write.
//!
//! An archive is read once from front to back, whatever the order of its entries: each goes into the
//! ingest as it passes, and is looked at when all have been seen. An OCI layout that is a directory
//! is read in place.

mod collect;
mod docker;
mod oci_layout;
mod save;

use crate::compression::Decoder;
use crate::content::Ingest;
use crate::store::commit::{Candidate, Loaded};
use crate::{Error, Platform, Reference, Result, Store};
use std::io::{BufReader, Read};
use std::path::Path;

/// How an archive is loaded.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    /// The name for the one image in the archive, in place of those that the archive gives.
    pub name: Option<Reference>,
    /// Whether names of the archive may be taken from other images; otherwise such a name stays
    /// where it is and the outcome says so.
    pub replace_names: bool,
    /// Which image of a multi-platform index is wanted.
    pub platform: Platform,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self {
            name: None,
            replace_names: false,
            platform: Platform::host(),
        }
    }
}

impl Store {
    /// Loads all images of an archive: an OCI layout (directory or tar) or a docker archive, also
    /// compressed with gzip. All of them are added, or nothing is.
    ///
    /// # Errors
    /// `InvalidInput`, naming the entry, for a damaged or truncated archive; `NotFound` when there is
    /// no image for the wanted platform (it says which exist) or no such file; Unsupported, Kernel.
    pub fn load(&self, path: &Path, options: &LoadOptions) -> Result<Vec<Loaded>> {
        if path.is_dir() {
            let mut ingest = Ingest::begin(self.layout())?;
            let candidates =
                oci_layout::read_directory(path, &mut ingest, self.limits(), &options.platform)?;
            return self.finish_load(ingest, candidates, options);
        }
        let mut file = std::fs::File::open(path).map_err(Error::io("open the archive", path))?;
        self.load_stream(&mut file, options)
    }

    /// As [`Store::load`], from a stream such as standard input.
    ///
    /// # Errors
    /// As [`Store::load`].
    pub fn load_stream(&self, stream: &mut dyn Read, options: &LoadOptions) -> Result<Vec<Loaded>> {
        let mut ingest = Ingest::begin(self.layout())?;
        let reader = BufReader::with_capacity(256 * 1024, stream);
        let decoder = Decoder::new(reader, "the archive")?;
        let entries = collect::collect(decoder, &mut ingest, self.limits())?;
        let mut candidates = Vec::new();
        if entries.has("oci-layout") && entries.has("index.json") {
            candidates =
                oci_layout::read_archive(&entries, &mut ingest, self.limits(), &options.platform)?;
        }
        // `docker save` writes both forms into one archive.
        if candidates.is_empty() && entries.has("manifest.json") {
            candidates = docker::read(&entries, &mut ingest, self.limits())?;
        }
        if candidates.is_empty() && !entries.has("index.json") {
            return Err(Error::BadArchive {
                entry: "(the end)".to_owned(),
                reason: "it has neither oci-layout and index.json nor manifest.json, so it is no image archive".to_owned(),
            });
        }
        self.finish_load(ingest, candidates, options)
    }

    fn finish_load(
        &self,
        ingest: Ingest<'_>,
        mut candidates: Vec<Candidate>,
        options: &LoadOptions,
    ) -> Result<Vec<Loaded>> {
        match (&options.name, candidates.as_mut_slice()) {
            (_, []) => {
                return Err(Error::document(
                    "index.json",
                    "the archive contains no image",
                ));
            }
            (Some(name), [only]) => only.names = vec![name.clone()],
            (Some(_), several) => {
                let count = several.len();
                return Err(Error::document(
                    "index.json",
                    format!(
                        "one name was given for {count} images; load the archive without a name"
                    ),
                ));
            }
            (None, _) => {}
        }
        self.commit(ingest, &candidates, options.replace_names, "archive")
    }
}

/// Reads the names that an archive gives, leaving out what is none.
fn parse_names<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<Reference> {
    let mut names: Vec<Reference> = texts
        .filter_map(|text| text.parse::<Reference>().ok())
        // A name with a digest would promise what only a registry can.
        .filter(|name| name.digest().is_none())
        .collect();
    names.sort();
    names.dedup();
    names
}

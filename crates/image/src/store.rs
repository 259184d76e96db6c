//! The image store: a directory in which files are the truth.
//!
//! Every change is one rename, every object has a lock of its own, and nothing is remembered between
//! two calls, so any number of processes may use one store at once. How things lie on the disk is in
//! `layout.rs`; what survives a power cut is in `commit.rs`.

mod build;
pub(crate) mod commit;
pub(crate) mod garbage;
mod index;
pub(crate) mod record;
#[cfg(target_os = "linux")]
mod rootfs;

use crate::image::{Layer, chain_ids};
use crate::layout::Layout;
use crate::{Digest, Error, Image, Limits, Reference, Result, Summary, durable};
pub use build::NewImage;
pub(crate) use build::manifest;
use commit::{NameOutcome, check_documents};
use record::{ImageRecord, NameRecord};
#[cfg(target_os = "linux")]
pub use rootfs::Unpacked;
use std::path::Path;

/// An image store. Cheap to open, and safe to use from any number of processes.
#[derive(Debug, Clone)]
pub struct Store {
    layout: Layout,
    limits: Limits,
}

impl Store {
    /// Opens the store in `root`, creating what is missing. The directory is made private (mode 0700):
    /// set-user-id programs of images must not be reachable by other users of the host.
    ///
    /// # Errors
    /// Permission, Kernel.
    pub fn open(root: &Path) -> Result<Self> {
        Self::with_limits(root, Limits::default())
    }

    /// As [`Store::open`], with other limits for what is accepted.
    ///
    /// # Errors
    /// Permission, Kernel.
    pub fn with_limits(root: &Path, limits: Limits) -> Result<Self> {
        let root = std::path::absolute(root).map_err(Error::io("find", root))?;
        let layout = Layout::new(&root);
        if !layout.index().exists() {
            for directory in [
                layout.blobs(),
                layout.images(),
                layout.names(),
                layout.snapshots(),
                layout.roots(),
                layout.ingest(),
                layout.locks(),
            ] {
                durable::make_private(&directory)?;
            }
            record::replace(
                &layout,
                &layout.marker(),
                br#"{"imageLayoutVersion":"1.0.0"}"#,
            )?;
            index::rewrite(&layout)?;
        }
        Ok(Self { layout, limits })
    }

    /// The directory of the store.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.layout.root()
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// All images, the newest in this store first.
    ///
    /// # Errors
    /// Kernel; Internal when a record is damaged.
    pub fn images(&self) -> Result<Vec<Summary>> {
        let names = self.names()?;
        let records: Vec<ImageRecord> = record::read_all(&self.layout.images())?;
        let mut images: Vec<Summary> = records
            .into_iter()
            .map(|record| Summary {
                id: record.id,
                digest: record.digest,
                names: names_of(&names, &record.digest),
                platform: record.platform(),
                created: record.created,
                added: record.added,
                size: record.size,
            })
            .collect();
        images.sort_by(|one, other| {
            other
                .added
                .cmp(&one.added)
                .then(one.digest.cmp(&other.digest))
        });
        Ok(images)
    }

    /// Finds an image by what a user writes: a name (first as one of this machine, `localhost/…`, then
    /// in full), a digest, an id or the unique beginning of one (at least 2 digits).
    ///
    /// # Errors
    /// `NotFound`; `InvalidInput` when an id prefix fits several images.
    pub fn find(&self, text: &str) -> Result<Image> {
        if let Ok(reference) = text.parse::<Reference>()
            && let Some(manifest) = self.find_reference(&reference)?
        {
            return self.image(&manifest);
        }
        let hex = text.strip_prefix("sha256:").unwrap_or(text);
        let mut found: Vec<Summary> = Vec::new();
        if hex.len() >= 2 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            found = self.images()?;
            found.retain(|image| image.id.hex().starts_with(hex) || image.digest.hex() == hex);
            // Several manifests of one configuration are one image to a user.
            found.dedup_by_key(|image| image.id);
        }
        match found.as_slice() {
            [] => Err(Error::NoSuchImage {
                text: text.to_owned(),
            }),
            [one] => self.image(&one.digest),
            several => Err(Error::AmbiguousId {
                text: text.to_owned(),
                candidates: several
                    .iter()
                    .map(|image| image.id.short())
                    .collect::<Vec<_>>()
                    .join(", "),
            }),
        }
    }

    fn find_reference(&self, reference: &Reference) -> Result<Option<Digest>> {
        for candidate in reference.local().iter().chain([reference]) {
            let path = self.layout.names().join(record::name_file(candidate));
            if let Some(name) = record::read::<NameRecord>(&path)?
                && self.layout.image(&name.digest).exists()
            {
                return Ok(Some(name.digest));
            }
        }
        // A digest is enough, whatever the name before it.
        Ok(reference
            .digest()
            .filter(|digest| self.layout.image(digest).exists()))
    }

    /// The image with that manifest.
    ///
    /// # Errors
    /// `NotFound`; `InvalidInput` or Kernel when one of its documents is damaged.
    pub fn image(&self, manifest: &Digest) -> Result<Image> {
        let missing = || Error::NoSuchImage {
            text: manifest.to_string(),
        };
        let record: ImageRecord =
            record::read(&self.layout.image(manifest))?.ok_or_else(missing)?;
        let limit = self.limits.document_bytes;
        let read = |what: &str, digest: &Digest| {
            crate::content::read_document(what, self.layout.open_blob(digest)?, digest, limit)
        };
        let what = manifest.to_string();
        let checked = check_documents(
            &what,
            &read(&what, manifest)?,
            &record.media_type,
            &self.limits,
            read,
        )?;
        let chain = chain_ids(&checked.diff_ids);
        let layers = checked
            .manifest
            .layers
            .iter()
            .zip(&checked.diff_ids)
            .zip(chain)
            .map(|((layer, diff_id), chain_id)| Layer {
                digest: layer.digest,
                size: layer.size,
                media_type: layer.media_type.clone(),
                diff_id: *diff_id,
                chain_id,
            })
            .collect();
        Ok(Image {
            id: record.id,
            digest: record.digest,
            names: names_of(&self.names()?, manifest),
            platform: record.platform(),
            config: checked.config,
            layers,
            created: record.created,
            added: record.added,
            size: record.size,
        })
    }

    /// Gives an image a further name; a name that stands for another image is moved to this one.
    ///
    /// # Errors
    /// `NotFound` when the image was removed meanwhile; Kernel.
    pub fn tag(&self, image: &Image, name: &Reference) -> Result<NameOutcome> {
        let outcome = {
            let _lock = record::image_lock(&self.layout, &image.digest)?;
            if !self.layout.image(&image.digest).exists() {
                return Err(Error::NoSuchImage {
                    text: image.shown(),
                });
            }
            self.set_name(name, &image.digest, true, "tag")?
        };
        index::rewrite(&self.layout)?;
        Ok(outcome)
    }

    /// Takes a name away; the image stays. False when there was no such name.
    ///
    /// # Errors
    /// Kernel.
    pub fn untag(&self, name: &Reference) -> Result<bool> {
        let removed = {
            let _lock = record::name_lock(&self.layout, name)?;
            durable::remove_tree(&self.layout.names().join(record::name_file(name)))?
        };
        if removed {
            durable::sync_directory(&self.layout.names())?;
            index::rewrite(&self.layout)?;
        }
        Ok(removed)
    }

    /// Removes an image with all its names, and what no other image or container needs of it.
    ///
    /// # Errors
    /// `NotFound`; Kernel.
    pub fn remove(&self, image: &Image) -> Result<()> {
        {
            let _lock = record::image_lock(&self.layout, &image.digest)?;
            for name in names_of(&self.names()?, &image.digest) {
                let _name_lock = record::name_lock(&self.layout, &name)?;
                durable::remove_tree(&self.layout.names().join(record::name_file(&name)))?;
            }
            if !durable::remove_tree(&self.layout.image(&image.digest))? {
                return Err(Error::NoSuchImage {
                    text: image.shown(),
                });
            }
            durable::sync_directory(&self.layout.names())?;
            durable::sync_directory(&self.layout.images())?;
        }
        index::rewrite(&self.layout)?;
        self.collect_garbage().map(drop)
    }

    fn names(&self) -> Result<Vec<NameRecord>> {
        record::read_all(&self.layout.names())
    }
}

fn names_of(names: &[NameRecord], manifest: &Digest) -> Vec<Reference> {
    let mut found: Vec<Reference> = names
        .iter()
        .filter(|name| name.digest == *manifest)
        .filter_map(|name| name.name.parse().ok())
        .collect();
    found.sort();
    found
}

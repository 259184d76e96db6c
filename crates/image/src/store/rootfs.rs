//! From an image to a root filesystem: layers unpacked once, and a root for each container.

use super::Store;
use super::record::{self, RootRecord, VERSION};
use crate::content::unique;
use crate::image::Layer;
use crate::layer::below::Below;
use crate::layer::{Ownership, stream, unpack};
use crate::layout::Layout;
use crate::lock::Lock;
use crate::snapshot::drivers::snapshotter;
use crate::snapshot::{Driver, Root, RootOptions};
use crate::{Error, Image, Progress, Report, Result, durable};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// The layers of an image, unpacked.
#[derive(Debug, Clone, Default)]
pub struct Unpacked {
    /// The directories with their files, the bottom layer first.
    pub layers: Vec<PathBuf>,
    /// What was done now; empty when all layers were there already.
    pub reports: Vec<Report>,
}

/// A layer unpacked but not yet in its place; dropped without a commit it leaves nothing.
struct Fresh {
    directory: PathBuf,
    place: PathBuf,
    /// So that nobody else unpacks the same meanwhile.
    _lock: Lock,
}

impl Drop for Fresh {
    fn drop(&mut self) {
        // Gone already when it was committed; what cannot be removed the next owner of the lock removes.
        let _ = durable::remove_tree(&self.directory);
    }
}

/// The directory name of a layer: the same files with other owners are another directory.
fn layer_id(layer: &Layer, ownership: Ownership) -> String {
    match ownership {
        Ownership::Keep => layer.chain_id.hex(),
        Ownership::Squash => format!("{}.squash", layer.chain_id.hex()),
    }
}

impl Store {
    /// Unpacks the layers of an image that are not unpacked yet. Safe against other processes doing
    /// the same: each layer is unpacked once, and the others wait for it.
    ///
    /// # Errors
    /// `InvalidInput`, naming the entry, for a hostile or damaged layer; Unsupported for a compression
    /// we do not read; Kernel, Permission. Nothing of the failed layers stays.
    pub fn unpack(
        &self,
        image: &Image,
        ownership: Ownership,
        progress: &mut dyn Progress,
    ) -> Result<Unpacked> {
        let _in_use = Lock::shared(&self.layout().locks(), Layout::USE)?;
        self.unpack_in_use(image, ownership, progress)
    }

    /// Whether all layers of an image are unpacked already.
    #[must_use]
    pub fn is_unpacked(&self, image: &Image, ownership: Ownership) -> bool {
        let snapshots = self.layout().snapshots();
        image
            .layers
            .iter()
            .all(|layer| snapshots.join(layer_id(layer, ownership)).exists())
    }

    fn unpack_in_use(
        &self,
        image: &Image,
        ownership: Ownership,
        progress: &mut dyn Progress,
    ) -> Result<Unpacked> {
        let snapshots = self.layout().snapshots();
        let mut unpacked = Unpacked::default();
        let mut fresh: Vec<Fresh> = Vec::new();
        let mut sources: Vec<PathBuf> = Vec::new();
        for (index, layer) in image.layers.iter().enumerate() {
            let id = layer_id(layer, ownership);
            let place = snapshots.join(&id);
            unpacked.layers.push(place.join("fs"));
            let lock = match place.exists() {
                true => None,
                false => Some(Lock::exclusive(
                    &self.layout().locks(),
                    &format!("layer-{id}"),
                )?),
            };
            // Somebody else may have finished it while we waited.
            let Some(lock) = lock.filter(|_| !place.exists()) else {
                progress.present(index + 1);
                sources.push(place.join("fs"));
                continue;
            };
            let layer_in_work = Fresh {
                directory: snapshots.join(format!(".new-{id}")),
                place,
                _lock: lock,
            };
            progress.unpacking(index + 1, image.layers.len(), &layer.digest);
            let report =
                self.unpack_layer(index, layer, ownership, &layer_in_work.directory, &sources)?;
            progress.unpacked(index + 1, report.entries, report.bytes);
            for skipped in &report.skipped {
                progress.skipped(&skipped.entry, &skipped.reason);
            }
            sources.push(layer_in_work.directory.join("fs"));
            unpacked.reports.push(report);
            fresh.push(layer_in_work);
        }
        if !fresh.is_empty() {
            // One barrier for all files of all layers, before any of them gets its name.
            durable::sync_filesystem(&snapshots)?;
            for layer in &fresh {
                std::fs::rename(&layer.directory, &layer.place)
                    .map_err(Error::io("put in place", &layer.place))?;
            }
            durable::sync_directory(&snapshots)?;
        }
        Ok(unpacked)
    }

    fn unpack_layer(
        &self,
        index: usize,
        layer: &Layer,
        ownership: Ownership,
        directory: &Path,
        below: &[PathBuf],
    ) -> Result<Report> {
        // Left by a killed process; the lock is ours now.
        durable::remove_tree(directory)?;
        let files = directory.join("fs");
        durable::make_private(&files)?;
        let open =
            |path: &Path| dhow_sys::path::open_directory(path).map_err(Error::kernel("open", path));
        let layers_below = below
            .iter()
            .rev()
            .map(|path| open(path))
            .collect::<Result<Vec<OwnedFd>>>()?;
        let options = unpack::Options {
            ownership,
            limits: *self.limits(),
            below: Below::new(layers_below),
        };
        let target = open(&files)?;
        let what = format!("the layer {}", layer.digest);
        let blob = self.layout().open_blob(&layer.digest)?;
        let (mut report, found, bytes) =
            stream::run(blob, layer.size, &what, self.limits(), |chunks| {
                unpack::unpack(chunks, target, &options)
            })?;
        if found != layer.diff_id {
            return Err(Error::WrongDiffId {
                index,
                expected: layer.diff_id,
                found,
            });
        }
        report.bytes = bytes;
        Ok(report)
    }

    /// Makes a root filesystem for the container `key` out of an image, unpacking what is missing.
    ///
    /// # Errors
    /// Conflict when `key` has one already; `InvalidInput` for a key that is no plain name; those of
    /// [`Store::unpack`].
    pub fn prepare(
        &self,
        key: &str,
        image: &Image,
        driver: Driver,
        options: &RootOptions,
        progress: &mut dyn Progress,
    ) -> Result<Root> {
        let place = self.place(key)?;
        let _in_use = Lock::shared(&self.layout().locks(), Layout::USE)?;
        if place.exists() {
            return Err(Error::SnapshotExists {
                key: key.to_owned(),
            });
        }
        let unpacked = self.unpack_in_use(image, options.ownership, progress)?;
        let temporary = self
            .layout()
            .roots()
            .join(format!(".new-{key}-{}", unique()));
        let made = self.fill(&temporary, &place, image, driver, options, &unpacked.layers);
        if made.is_err() {
            // The first failure is the one to tell.
            let _ = durable::remove_tree(&temporary);
        }
        match made {
            Err(Error::Io { source, .. })
                if matches!(
                    source.kind(),
                    std::io::ErrorKind::DirectoryNotEmpty | std::io::ErrorKind::AlreadyExists
                ) =>
            {
                return Err(Error::SnapshotExists {
                    key: key.to_owned(),
                });
            }
            result => result?,
        }
        snapshotter(driver).root(&place, &unpacked.layers, options)
    }

    fn fill(
        &self,
        temporary: &Path,
        place: &Path,
        image: &Image,
        driver: Driver,
        options: &RootOptions,
        layers: &[PathBuf],
    ) -> Result<()> {
        durable::make_private(temporary)?;
        let snapshotter = snapshotter(driver);
        // Refuses now what could not be mounted later.
        snapshotter.root(place, layers, options)?;
        snapshotter.prepare(temporary, layers, options)?;
        let root = RootRecord {
            version: VERSION,
            driver,
            layers: image
                .layers
                .iter()
                .map(|layer| layer_id(layer, options.ownership))
                .collect(),
            options: *options,
        };
        let record = Layout::root_record(temporary);
        if options.throwaway {
            let bytes = serde_json::to_vec(&root)
                .map_err(|error| Error::document("root.json", error.to_string()))?;
            std::fs::write(&record, bytes).map_err(Error::io("write", &record))?;
        } else {
            record::write(self.layout(), &record, &root)?;
            durable::sync_filesystem(temporary)?;
        }
        // A directory that is not empty cannot be replaced: of two makers of one key, one fails here.
        std::fs::rename(temporary, place).map_err(Error::io("put in place", place))?;
        if !options.throwaway {
            durable::sync_directory(&self.layout().roots())?;
        }
        Ok(())
    }

    /// How the root of a container, prepared earlier, is mounted.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn root_of(&self, key: &str) -> Result<Root> {
        let place = self.place(key)?;
        let root: RootRecord =
            record::read(&Layout::root_record(&place))?.ok_or_else(|| Error::NoSuchSnapshot {
                key: key.to_owned(),
            })?;
        let snapshots = self.layout().snapshots();
        let layers: Vec<PathBuf> = root
            .layers
            .iter()
            .map(|id| snapshots.join(id).join("fs"))
            .collect();
        snapshotter(root.driver).root(&place, &layers, &root.options)
    }

    /// Removes the root of a container, mounted nowhere any more; false when there was none.
    ///
    /// # Errors
    /// Permission when files of the container's other users are in it: then it must be done inside
    /// its user namespace. Kernel.
    pub fn discard(&self, key: &str) -> Result<bool> {
        let place = self.place(key)?;
        let gone = self
            .layout()
            .roots()
            .join(format!(".gone-{key}-{}", unique()));
        match std::fs::rename(&place, &gone) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
            result => result.map_err(Error::io("remove", &place))?,
        }
        durable::remove_tree(&gone)
    }

    /// The keys of all roots, sorted.
    ///
    /// # Errors
    /// Kernel.
    pub fn roots(&self) -> Result<Vec<String>> {
        let directory = self.layout().roots();
        let mut keys = Vec::new();
        for entry in std::fs::read_dir(&directory).map_err(Error::io("read", &directory))? {
            let entry = entry.map_err(Error::io("read", &directory))?;
            keys.extend(
                entry
                    .file_name()
                    .into_string()
                    .ok()
                    .filter(|name| !name.starts_with('.')),
            );
        }
        keys.sort();
        Ok(keys)
    }

    fn place(&self, key: &str) -> Result<PathBuf> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
        if key.is_empty() || key.len() > 128 || key.starts_with('.') || !key.bytes().all(plain) {
            return Err(Error::BadReference {
                text: key.chars().take(160).collect(),
                reason: "a container's key is up to 128 letters, digits, '_', '-' or '.', and does not start with '.'",
            });
        }
        Ok(self.layout().roots().join(key))
    }
}

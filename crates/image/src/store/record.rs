//! The small files in which the store remembers images and names: written whole, read strictly.

use crate::content::temporary;
use crate::layout::Layout;
use crate::lock::Lock;
use crate::snapshot::{Driver, RootOptions};
use crate::{Digest, Error, Platform, Reference, Result, durable};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::Write;
use std::path::Path;

/// The form of the files below; a store written by a newer dhow says a higher number.
pub(crate) const VERSION: u32 = 1;

/// `images/HEX.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ImageRecord {
    pub(crate) version: u32,
    /// The media type of the manifest.
    pub(crate) media_type: String,
    /// The digest of the manifest.
    pub(crate) digest: Digest,
    /// The bytes of the manifest.
    pub(crate) manifest_size: u64,
    /// The digest of the configuration.
    pub(crate) id: Digest,
    /// Bytes of all blobs.
    pub(crate) size: u64,
    /// `os/architecture[/variant]`.
    pub(crate) platform: String,
    pub(crate) created: Option<String>,
    /// Seconds since 1970.
    pub(crate) added: u64,
}

impl ImageRecord {
    pub(crate) fn platform(&self) -> Platform {
        Platform::parse(&self.platform).unwrap_or_else(|| Platform {
            os: self.platform.clone(),
            architecture: String::new(),
            variant: None,
        })
    }
}

/// `names/NAME`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct NameRecord {
    pub(crate) version: u32,
    /// The name in full.
    pub(crate) name: String,
    /// The manifest it stands for.
    pub(crate) digest: Digest,
    /// Where the name came from: "archive", "tag", "built in".
    pub(crate) source: String,
}

/// The file name of a name: readable where it fits, so that a person finds it.
pub(crate) fn name_file(name: &Reference) -> String {
    let text = name.to_string().replace('/', "%2F").replace(':', "%3A");
    if text.len() <= 240 {
        return text;
    }
    format!("sha256-{}", Digest::of(name.to_string().as_bytes()).hex())
}

/// Reads one record; `None` when there is no such file.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let bytes = match std::fs::read(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        result => result.map_err(Error::io("read", path))?,
    };
    #[derive(Deserialize)]
    struct Versioned {
        version: u32,
    }
    let damaged = |reason: String| Error::DamagedStore {
        path: path.display().to_string(),
        reason,
    };
    let Versioned { version } =
        serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
    if version > VERSION {
        return Err(Error::Unsupported {
            what: format!("version {version} of {}", path.display()),
            way_out: "; it was written by a newer dhow",
        });
    }
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|error| damaged(error.to_string()))
}

/// Replaces a file whole: a reader sees the old content or the new, and so does the disk.
pub(crate) fn replace(layout: &Layout, path: &Path, bytes: &[u8]) -> Result<()> {
    // Keeps others from clearing `ingest/` meanwhile.
    let _in_use = Lock::shared(&layout.locks(), Layout::USE)?;
    let temporary = temporary(layout);
    let write = || -> Result<()> {
        let mut file = File::create_new(&temporary).map_err(Error::io("create", &temporary))?;
        file.write_all(bytes)
            .map_err(Error::io("write", &temporary))?;
        file.sync_data()
            .map_err(Error::io("write to disk", &temporary))?;
        std::fs::rename(&temporary, path).map_err(Error::io("replace", path))
    };
    let written = write();
    if written.is_err() {
        // The first failure is the one to tell.
        let _ = std::fs::remove_file(&temporary);
    }
    written?;
    path.parent().map_or(Ok(()), durable::sync_directory)
}

/// Writes one record.
pub(crate) fn write<T: Serialize>(layout: &Layout, path: &Path, record: &T) -> Result<()> {
    let bytes = serde_json::to_vec(record)
        .map_err(|error| Error::document(&path.display().to_string(), error.to_string()))?;
    replace(layout, path, &bytes)
}

/// All records of a directory; files that begin with a dot are nobody's.
pub(crate) fn read_all<T: DeserializeOwned>(directory: &Path) -> Result<Vec<T>> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(Error::io("read", directory))? {
        let entry = entry.map_err(Error::io("read", directory))?;
        // Removed by somebody else meanwhile is as good as not there.
        if let Some(record) = read(&entry.path())? {
            all.push(record);
        }
    }
    Ok(all)
}

/// `roots/KEY/root.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RootRecord {
    pub(crate) version: u32,
    pub(crate) driver: Driver,
    /// Directories in `snapshots/`, the bottom one first.
    pub(crate) layers: Vec<String>,
    pub(crate) options: RootOptions,
}

/// The lock of one image.
pub(crate) fn image_lock(layout: &Layout, manifest: &Digest) -> Result<Lock> {
    Lock::exclusive(&layout.locks(), &format!("image-{}", manifest.hex()))
}

/// The lock of one name.
pub(crate) fn name_lock(layout: &Layout, name: &Reference) -> Result<Lock> {
    let digest = Digest::of(name.to_string().as_bytes());
    Lock::exclusive(&layout.locks(), &format!("name-{}", &digest.hex()[..32]))
}

//! Where things lie in the store. Every path of the store is made here.
//!
//! ```text
//! oci-layout index.json blobs/sha256/HEX   an OCI image layout that other tools can read
//! images/HEX.json                          one image: its manifest's descriptor and a summary
//! names/NAME                               one name: the image it stands for
//! snapshots/HEX/fs                         one unpacked layer, by chain id
//! roots/KEY/                               one container's root filesystem
//! ingest/                                  being written; removed by the next operation
//! locks/                                   lock files, never removed
//! ```

use crate::{Digest, Error, Result};
use std::fs::File;
use std::path::{Path, PathBuf};

/// The paths of one store.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    root: PathBuf,
}

impl Layout {
    /// The lock that operations share and garbage collection takes alone.
    pub(crate) const USE: &'static str = "use";
    /// The lock of `index.json`.
    pub(crate) const INDEX: &'static str = "index";

    pub(crate) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn blobs(&self) -> PathBuf {
        self.root.join("blobs/sha256")
    }

    pub(crate) fn blob(&self, digest: &Digest) -> PathBuf {
        self.blobs().join(digest.hex())
    }

    pub(crate) fn images(&self) -> PathBuf {
        self.root.join("images")
    }

    pub(crate) fn image(&self, manifest: &Digest) -> PathBuf {
        self.images().join(format!("{}.json", manifest.hex()))
    }

    pub(crate) fn names(&self) -> PathBuf {
        self.root.join("names")
    }

    pub(crate) fn snapshots(&self) -> PathBuf {
        self.root.join("snapshots")
    }

    pub(crate) fn roots(&self) -> PathBuf {
        self.root.join("roots")
    }

    /// The record of a root, given its place.
    pub(crate) fn root_record(place: &Path) -> PathBuf {
        place.join("root.json")
    }

    pub(crate) fn ingest(&self) -> PathBuf {
        self.root.join("ingest")
    }

    pub(crate) fn locks(&self) -> PathBuf {
        self.root.join("locks")
    }

    pub(crate) fn index(&self) -> PathBuf {
        self.root.join("index.json")
    }

    pub(crate) fn marker(&self) -> PathBuf {
        self.root.join("oci-layout")
    }

    /// The size of a blob of the store.
    pub(crate) fn blob_size(&self, digest: &Digest) -> Option<u64> {
        std::fs::symlink_metadata(self.blob(digest))
            .ok()
            .map(|found| found.len())
    }

    pub(crate) fn open_blob(&self, digest: &Digest) -> Result<File> {
        let path = self.blob(digest);
        File::open(&path).map_err(Error::io("open the blob", &path))
    }
}

//! Blobs by digest: the only place where image content enters the store.
//!
//! Nothing appears under `blobs/` before its size and digest are verified and its bytes are on the
//! disk. What an operation writes stays in `ingest/` until [`Ingest::commit`]; an operation that
//! fails or is killed therefore leaves no blob, and what it left in `ingest/` is removed by the next.

use crate::digest::Hasher;
use crate::layout::Layout;
use crate::lock::Lock;
use crate::{Digest, Error, Result, durable};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

const CHUNK: usize = 256 * 1024;

/// Blobs being added; dropped without a commit it leaves nothing.
pub(crate) struct Ingest<'a> {
    layout: &'a Layout,
    /// Verified files by digest, not yet in the store.
    pending: BTreeMap<Digest, Pending>,
    /// Held until the images that need these blobs are recorded, so that no garbage collection
    /// comes in between.
    _in_use: Lock,
}

struct Pending {
    path: PathBuf,
    size: u64,
}

impl Drop for Pending {
    fn drop(&mut self) {
        // Gone already when it was committed; what cannot be removed the next operation removes.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// What a blob must be.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Expected {
    pub(crate) digest: Option<Digest>,
    pub(crate) size: Option<u64>,
}

impl<'a> Ingest<'a> {
    /// Begins an operation, after removing what killed ones have left.
    pub(crate) fn begin(layout: &'a Layout) -> Result<Self> {
        let ingest = layout.ingest();
        let mut left = std::fs::read_dir(&ingest).map_err(Error::io("read", &ingest))?;
        if left.next().is_some()
            && let Some(_alone) = Lock::try_exclusive(&layout.locks(), Layout::USE)?
        {
            for entry in std::fs::read_dir(&ingest)
                .map_err(Error::io("read", &ingest))?
                .flatten()
            {
                durable::remove_tree(&entry.path())?;
            }
        }
        Ok(Self {
            layout,
            pending: BTreeMap::new(),
            _in_use: Lock::shared(&layout.locks(), Layout::USE)?,
        })
    }

    /// The size of a blob that is verified here or in the store.
    pub(crate) fn size_of(&self, digest: &Digest) -> Option<u64> {
        match self.pending.get(digest) {
            Some(pending) => Some(pending.size),
            None => self.layout.blob_size(digest),
        }
    }

    /// Opens a verified blob.
    pub(crate) fn open(&self, digest: &Digest) -> Result<File> {
        match self.pending.get(digest) {
            Some(pending) => {
                File::open(&pending.path).map_err(Error::io("open the blob", &pending.path))
            }
            None => self.layout.open_blob(digest),
        }
    }

    /// Reads a whole document of at most `limit` bytes.
    pub(crate) fn document(&self, what: &str, digest: &Digest, limit: u64) -> Result<Vec<u8>> {
        read_document(what, self.open(digest)?, digest, limit)
    }

    /// Stores what `reader` gives and verifies it on the way. `entry` names it in errors.
    pub(crate) fn write(
        &mut self,
        entry: &str,
        reader: &mut dyn Read,
        expected: Expected,
    ) -> Result<(Digest, u64)> {
        let path = temporary(self.layout);
        let mut file = File::create_new(&path).map_err(Error::io("create", &path))?;
        let mut pending = Pending { path, size: 0 };
        let mut hasher = Hasher::new();
        let mut chunk = vec![0; CHUNK];
        loop {
            let count = match reader.read(&mut chunk) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(read_failure(entry, error)),
            };
            hasher.update(&chunk[..count]);
            pending.size += count as u64;
            if let Some(size) = expected.size.filter(|size| pending.size > *size) {
                return Err(Error::WrongSize {
                    entry: entry.to_owned(),
                    expected: size,
                    found: pending.size,
                });
            }
            file.write_all(&chunk[..count])
                .map_err(Error::io("write", &pending.path))?;
        }
        let found = hasher.finish();
        check(entry, expected, found, pending.size)?;
        let size = pending.size;
        if self.size_of(&found).is_none() {
            self.pending.insert(found, pending);
        }
        Ok((found, size))
    }

    /// Moves the blobs in `wanted` into the store, durably; the others are dropped.
    pub(crate) fn commit(mut self, wanted: &[Digest]) -> Result<Committed> {
        let mut moved = false;
        for digest in wanted {
            let Some(pending) = self.pending.remove(digest) else {
                continue;
            };
            let target = self.layout.blob(digest);
            let file = File::open(&pending.path).map_err(Error::io("open", &pending.path))?;
            file.sync_data()
                .map_err(Error::io("write to disk", &pending.path))?;
            std::fs::rename(&pending.path, &target)
                .map_err(Error::io("put into the store", &target))?;
            moved = true;
        }
        if moved {
            durable::sync_directory(&self.layout.blobs())?;
        }
        Ok(Committed {
            _in_use: self._in_use,
        })
    }
}

/// Proof that blobs are in the store and cannot be collected while it lives.
pub(crate) struct Committed {
    _in_use: Lock,
}

fn check(entry: &str, expected: Expected, found: Digest, size: u64) -> Result<()> {
    if let Some(wanted) = expected.size.filter(|wanted| *wanted != size) {
        return Err(Error::WrongSize {
            entry: entry.to_owned(),
            expected: wanted,
            found: size,
        });
    }
    match expected.digest {
        Some(wanted) if wanted != found => Err(Error::WrongDigest {
            entry: entry.to_owned(),
            expected: wanted,
            found,
        }),
        _ => Ok(()),
    }
}

fn read_failure(entry: &str, source: std::io::Error) -> Error {
    match source.kind() {
        std::io::ErrorKind::UnexpectedEof => Error::Truncated {
            entry: entry.to_owned(),
        },
        _ => match source.downcast::<Error>() {
            Ok(ours) => ours,
            Err(source) => Error::Io {
                doing: format!("read {entry:?}"),
                source,
            },
        },
    }
}

/// Reads a document whole, within a limit, and verifies it once more: documents are small, and the
/// disk may have changed since they were stored.
pub(crate) fn read_document(
    what: &str,
    file: File,
    digest: &Digest,
    limit: u64,
) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(|source| read_failure(what, source))?;
    if bytes.len() as u64 > limit {
        return Err(Error::TooLarge {
            what: format!("the document {what:?}"),
            limit,
            unit: "bytes",
        });
    }
    check(
        what,
        Expected {
            digest: Some(*digest),
            size: None,
        },
        Digest::of(&bytes),
        bytes.len() as u64,
    )?;
    Ok(bytes)
}

/// A name in `ingest/` that no other operation uses.
pub(crate) fn temporary(layout: &Layout) -> PathBuf {
    layout.ingest().join(unique())
}

/// A part of a file name that no other operation uses, in this process or another.
pub(crate) fn unique() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    // Process ids repeat between pid namespaces that share a store; moments hardly do.
    let moment = std::time::UNIX_EPOCH
        .elapsed()
        .unwrap_or_default()
        .as_nanos();
    format!("{moment:x}-{}-{number}", std::process::id())
}

//! What can go wrong between a reference and a root filesystem, named after what we were doing.

use crate::Digest;
use std::path::Path;

/// The result of this crate's functions.
pub type Result<T> = std::result::Result<T, Error>;

/// What a caller decides on: HTTP status and exit code follow from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// There is no such image, name or blob.
    NotFound,
    /// The name or object exists already, or is in use.
    Conflict,
    /// The input (reference, archive, layer, document) is wrong; trying again will not help.
    InvalidInput,
    /// The system refuses it to this user.
    Permission,
    /// Neither wrong nor possible here.
    Unsupported,
    /// A call to the system failed: disk full, input/output error, …
    Kernel,
    /// A mistake of this program.
    Internal,
}

/// A failed step. Its text says what we were doing, on which object, and what failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text is not an image reference.
    #[error("{text:?} is not an image reference: {reason}")]
    BadReference {
        /// As the user wrote it.
        text: String,
        /// The rule that it breaks.
        reason: &'static str,
    },
    /// The text is not a digest.
    #[error("{text:?} is not a digest: {reason}")]
    BadDigest {
        /// As it was found.
        text: String,
        /// The rule that it breaks.
        reason: &'static str,
    },
    /// A JSON document (manifest, index, configuration) is malformed, ambiguous or beyond a limit.
    #[error("the document {what:?} is not valid: {reason}")]
    BadDocument {
        /// The name of the document in its archive, or its digest.
        what: String,
        /// Why it is refused.
        reason: String,
    },
    /// An image archive cannot be read at this entry.
    #[error("cannot read the archive at entry {entry:?}: {reason}")]
    BadArchive {
        /// The name of the entry, or of the one before it.
        entry: String,
        /// Why it is refused.
        reason: String,
    },
    /// The data ends before the entry does.
    #[error("the archive is truncated: it ends inside {entry:?}")]
    Truncated {
        /// The entry that is incomplete.
        entry: String,
    },
    /// A blob's content has another digest than its name says.
    #[error("{entry:?} is damaged: its digest should be {expected} but is {found}")]
    WrongDigest {
        /// The blob, as the archive names it.
        entry: String,
        /// The promised digest.
        expected: Digest,
        /// The digest of what was read.
        found: Digest,
    },
    /// A blob's content has another length than its descriptor says.
    #[error("{entry:?} is damaged: it should have {expected} bytes but has {found}")]
    WrongSize {
        /// The blob, as the archive names it.
        entry: String,
        /// The promised size in bytes.
        expected: u64,
        /// The size found in bytes.
        found: u64,
    },
    /// The archive lacks something that one of its documents refers to.
    #[error("the archive has no entry {entry:?}, which {wanted_by} refers to")]
    MissingEntry {
        /// The missing entry.
        entry: String,
        /// The document that names it.
        wanted_by: String,
    },
    /// A layer contains an entry that is malformed or would reach outside of the layer.
    #[error("the layer entry {entry:?} is refused: {reason}")]
    BadEntry {
        /// The name of the entry as the layer writes it.
        entry: String,
        /// Why it is refused.
        reason: String,
    },
    /// The unpacked content of a layer is not what the image configuration promises.
    #[error(
        "layer {index} of the image is not what its configuration promises: diff id {found} instead of {expected}"
    )]
    WrongDiffId {
        /// The position of the layer, from 0 at the bottom.
        index: usize,
        /// As in the configuration.
        expected: Digest,
        /// As unpacked.
        found: Digest,
    },
    /// Something grows beyond what we accept from a stranger; see [`Limits`](crate::Limits).
    #[error("{what} exceeds the limit of {limit} {unit}")]
    TooLarge {
        /// What grows.
        what: String,
        /// The limit.
        limit: u64,
        /// What the limit counts.
        unit: &'static str,
    },
    /// No image for the wanted platform.
    #[error("there is no image for {wanted} in {what:?}; it has: {available}")]
    NoSuchPlatform {
        /// The platform asked for, `os/architecture`.
        wanted: String,
        /// The index that was searched.
        what: String,
        /// The platforms that exist, separated by commas.
        available: String,
    },
    /// No image of that name or id.
    #[error("there is no image {text:?} here")]
    NoSuchImage {
        /// As the user wrote it.
        text: String,
    },
    /// An id prefix that fits several images.
    #[error("{text:?} fits several images: {candidates}")]
    AmbiguousId {
        /// As the user wrote it.
        text: String,
        /// The short ids that it fits.
        candidates: String,
    },
    /// A container's root filesystem of that key exists already.
    #[error("there is already a root filesystem for {key:?}")]
    SnapshotExists {
        /// The key.
        key: String,
    },
    /// No container's root filesystem of that key.
    #[error("there is no root filesystem for {key:?}")]
    NoSuchSnapshot {
        /// The key.
        key: String,
    },
    /// A form of image, layer or system that is known and not handled.
    #[error("{what} is not supported{way_out}")]
    Unsupported {
        /// What is not supported.
        what: String,
        /// What to do instead, beginning with its own punctuation, or empty.
        way_out: &'static str,
    },
    /// Reading or writing failed.
    #[error("cannot {doing}: {source}")]
    Io {
        /// What we were doing, with the path.
        doing: String,
        /// The failure.
        source: std::io::Error,
    },
    /// A system call failed.
    #[error("cannot {doing}: {source}")]
    Kernel {
        /// What we were doing, with the entry.
        doing: String,
        /// The call, its arguments and its error number.
        source: dhow_sys::Error,
    },
    /// A file of the store does not say what this program wrote there.
    #[error("the store's file {path:?} is damaged: {reason}")]
    DamagedStore {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A thread of the unpacker ended without a result.
    #[error("the {what} stopped unexpectedly")]
    LostThread {
        /// Its task.
        what: &'static str,
    },
}

impl Error {
    /// What sort of failure it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::BadReference { .. }
            | Self::BadDigest { .. }
            | Self::BadDocument { .. }
            | Self::BadArchive { .. }
            | Self::Truncated { .. }
            | Self::WrongDigest { .. }
            | Self::WrongSize { .. }
            | Self::MissingEntry { .. }
            | Self::BadEntry { .. }
            | Self::WrongDiffId { .. }
            | Self::TooLarge { .. }
            | Self::AmbiguousId { .. } => ErrorKind::InvalidInput,
            Self::NoSuchPlatform { .. }
            | Self::NoSuchImage { .. }
            | Self::NoSuchSnapshot { .. } => ErrorKind::NotFound,
            Self::SnapshotExists { .. } => ErrorKind::Conflict,
            Self::Unsupported { .. } => ErrorKind::Unsupported,
            Self::Io { source, .. } => match source.kind() {
                std::io::ErrorKind::NotFound => ErrorKind::NotFound,
                std::io::ErrorKind::PermissionDenied => ErrorKind::Permission,
                _ => ErrorKind::Kernel,
            },
            Self::Kernel { source, .. } => match source.code() {
                1 | 13 => ErrorKind::Permission,
                _ => ErrorKind::Kernel,
            },
            Self::DamagedStore { .. } | Self::LostThread { .. } => ErrorKind::Internal,
        }
    }

    /// For `map_err`: the failure of doing something with a path.
    pub(crate) fn io<'a>(
        doing: &'static str,
        path: &'a Path,
    ) -> impl FnOnce(std::io::Error) -> Self + use<'a> {
        move |source| Self::Io {
            doing: format!("{doing} {}", path.display()),
            source,
        }
    }

    /// For `map_err`: the failed system call of doing something with a named object.
    pub(crate) fn kernel<'a>(
        doing: &'static str,
        name: impl std::fmt::Debug + 'a,
    ) -> impl FnOnce(dhow_sys::Error) -> Self + 'a {
        move |source| Self::Kernel {
            doing: format!("{doing} {name:?}"),
            source,
        }
    }

    pub(crate) fn document(what: &str, reason: impl Into<String>) -> Self {
        Self::BadDocument {
            what: what.to_owned(),
            reason: reason.into(),
        }
    }

    pub(crate) fn entry(entry: &[u8], reason: impl Into<String>) -> Self {
        Self::BadEntry {
            entry: String::from_utf8_lossy(entry).into_owned(),
            reason: reason.into(),
        }
    }
}

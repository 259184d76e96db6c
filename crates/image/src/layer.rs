//! A layer: a tar of changes, unpacked once into a directory of its own.
//!
//! [`unpack`] is the one place that trusts no path. The other files here decide, without touching the
//! disk, what a name means ([`name`], [`whiteout`]) and how bytes get from a blob to the unpacker
//! ([`stream`]).

#[cfg(target_os = "linux")]
pub(crate) mod below;
#[cfg(target_os = "linux")]
pub(crate) mod hide;
pub(crate) mod name;
#[cfg(target_os = "linux")]
pub(crate) mod stream;
#[cfg(target_os = "linux")]
pub(crate) mod unpack;
pub(crate) mod whiteout;

/// Whose the unpacked files are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ownership {
    /// The owners in the archive. Needs root, or a user namespace that maps all of them.
    Keep,
    /// Everything belongs to the unpacking user: for a container with one single id.
    ///
    /// Set-user-id and set-group-id bits and file capabilities are dropped as well: with one id they
    /// can mean nothing in the container, and outside they would be programs that anybody may use to
    /// become this user. Directories stay open and files readable for their owner, who could otherwise
    /// neither copy nor remove them.
    Squash,
}

/// What unpacking a layer did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Entries of the archive.
    pub entries: u64,
    /// Uncompressed bytes of the archive.
    pub bytes: u64,
    /// What was left out and why, at most [`Report::SKIPPED_MAX`] of them.
    pub skipped: Vec<Skipped>,
}

impl Report {
    /// The most [`Report::skipped`] keeps.
    pub const SKIPPED_MAX: usize = 100;
}

/// An entry, or a part of one, that was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// The entry's name as the archive writes it.
    pub entry: String,
    /// Why, and which part.
    pub reason: String,
}

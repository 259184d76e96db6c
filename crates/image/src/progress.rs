//! How long operations tell their caller where they are. This crate never prints.

use crate::Digest;

/// Told about each layer while an image is unpacked.
pub trait Progress {
    /// The layer at `position` (from 1) of `count` is being unpacked.
    fn unpacking(&mut self, position: usize, count: usize, layer: &Digest) {
        let _ = (position, count, layer);
    }

    /// The layer is unpacked: this many entries and uncompressed bytes.
    fn unpacked(&mut self, position: usize, entries: u64, bytes: u64) {
        let _ = (position, entries, bytes);
    }

    /// The layer was there already.
    fn present(&mut self, position: usize) {
        let _ = position;
    }

    /// Something of the layer was left out.
    fn skipped(&mut self, entry: &str, reason: &str) {
        let _ = (entry, reason);
    }
}

/// Tells nobody.
impl Progress for () {}

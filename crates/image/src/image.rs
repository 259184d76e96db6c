//! An image as the store knows it.

use crate::{Digest, Platform, Reference};
use oci_spec::image::ImageConfiguration;

/// What lists of images show, read without opening the image's documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// The image id: the digest of its configuration, as docker and podman have it.
    pub id: Digest,
    /// The digest of its manifest.
    pub digest: Digest,
    /// Its names, sorted; none for an image that is only reached by id.
    pub names: Vec<Reference>,
    /// What it runs on.
    pub platform: Platform,
    /// When it was made, as its configuration says (RFC 3339).
    pub created: Option<String>,
    /// When it came into this store, in seconds since 1970.
    pub added: u64,
    /// Bytes of its blobs, as they lie in the store (compressed where they are).
    pub size: u64,
}

/// An image with its configuration and layers.
#[derive(Debug, Clone)]
pub struct Image {
    /// The image id: the digest of its configuration, as docker and podman have it.
    pub id: Digest,
    /// The digest of its manifest.
    pub digest: Digest,
    /// Its names, sorted; none for an image that is only reached by id.
    pub names: Vec<Reference>,
    /// What it runs on.
    pub platform: Platform,
    /// The configuration, parsed. What it does not model is in the blob [`Image::id`].
    pub config: ImageConfiguration,
    /// The layers, the bottom one first.
    pub layers: Vec<Layer>,
    /// When it was made, as its configuration says (RFC 3339).
    pub created: Option<String>,
    /// When it came into this store, in seconds since 1970.
    pub added: u64,
    /// Bytes of its blobs, as they lie in the store (compressed where they are).
    pub size: u64,
}

/// One layer of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// The digest of the blob.
    pub digest: Digest,
    /// The bytes of the blob.
    pub size: u64,
    /// The blob's media type as the manifest gives it.
    pub media_type: String,
    /// The digest of the uncompressed tar, as the configuration promises.
    pub diff_id: Digest,
    /// The digest that names this layer on top of those below it.
    pub chain_id: Digest,
}

impl Image {
    /// The first name, in its familiar form, or else the short id: for messages.
    #[must_use]
    pub fn shown(&self) -> String {
        self.names
            .first()
            .map_or_else(|| self.id.short(), Reference::familiar)
    }
}

/// The chain id of each layer. Source: OCI image-spec, config.md, "Layer `ChainID`".
pub(crate) fn chain_ids(diff_ids: &[Digest]) -> Vec<Digest> {
    let mut chain: Vec<Digest> = Vec::with_capacity(diff_ids.len());
    for diff_id in diff_ids {
        let next = match chain.last() {
            None => *diff_id,
            Some(below) => Digest::of(format!("{below} {diff_id}").as_bytes()),
        };
        chain.push(next);
    }
    chain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_id_names_the_layers_below_too() {
        let (a, b) = (Digest::of(b"a"), Digest::of(b"b"));
        let chain = chain_ids(&[a, b]);
        assert_eq!(chain[0], a);
        assert_eq!(chain[1], Digest::of(format!("{a} {b}").as_bytes()));
        assert_ne!(chain_ids(&[b, a])[1], chain[1]);
    }
}

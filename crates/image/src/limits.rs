//! How much we accept from a stranger before we stop.

/// Upper bounds for archives and layers. The defaults fit every image we know of with a wide margin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one JSON document (manifest, index, configuration).
    pub document_bytes: u64,
    /// How deep JSON may nest.
    pub json_depth: usize,
    /// How deep indexes may nest.
    pub index_depth: usize,
    /// Descriptors met while loading one archive.
    pub descriptors: usize,
    /// Layers of one image; overlay itself stacks no more than 500.
    pub layers: usize,
    /// Entries of an image archive.
    pub archive_entries: u64,
    /// Entries of one layer.
    pub layer_entries: u64,
    /// Uncompressed bytes of one layer, holes in sparse files included.
    pub layer_bytes: u64,
    /// Uncompressed bytes per compressed byte of one layer, judged from 1 GiB on: smaller layers may
    /// be all zeros.
    pub layer_ratio: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            document_bytes: 4 << 20,
            json_depth: 32,
            index_depth: 4,
            descriptors: 4096,
            layers: 500,
            archive_entries: 100_000,
            layer_entries: 4_000_000,
            layer_bytes: 256 << 30,
            layer_ratio: 200,
        }
    }
}

/// Output below this many bytes is never judged by its ratio.
pub(crate) const RATIO_FREE_BYTES: u64 = 1 << 30;

//! Which compression some data has, judged by its first bytes.
//!
//! Names and media types are often wrong; docker and podman look at the content too. It cannot
//! change the meaning of a layer, because its diff id is checked in any case.

use crate::{Error, Result};
use flate2::bufread::MultiGzDecoder;
use std::io::{BufRead, Read};

/// A stream that decompresses what needs it.
pub(crate) enum Decoder<R: BufRead> {
    Plain(R),
    Gzip(Box<MultiGzDecoder<R>>),
}

/// What the first bytes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    Gzip,
}

impl Compression {
    /// Judges by the first bytes; refuses by name what we know and cannot read.
    pub(crate) fn of(start: &[u8], what: &str) -> Result<Self> {
        let unsupported = |name: &str| Error::Unsupported {
            what: format!("{name} compression of {what}"),
            way_out: "; recompress it with gzip or save it uncompressed",
        };
        match start {
            [0x1f, 0x8b, ..] => Ok(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Err(unsupported("zstd")),
            // A zstd stream may begin with a skippable frame.
            [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Err(unsupported("zstd")),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Err(unsupported("xz")),
            [b'B', b'Z', b'h', b'1'..=b'9', ..] => Err(unsupported("bzip2")),
            _ => Ok(Self::None),
        }
    }
}

impl<R: BufRead> Decoder<R> {
    /// Looks at the beginning of `reader`; `what` names it in errors.
    pub(crate) fn new(mut reader: R, what: &str) -> Result<Self> {
        let start = reader.fill_buf().map_err(|source| Error::Io {
            doing: format!("read {what}"),
            source,
        })?;
        match Compression::of(start, what)? {
            Compression::Gzip => Ok(Self::Gzip(Box::new(MultiGzDecoder::new(reader)))),
            Compression::None => Ok(Self::Plain(reader)),
        }
    }
}

impl<R: BufRead> Read for Decoder<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Plain(reader) => reader.read(buffer),
            Self::Gzip(decoder) => decoder.read(buffer),
        }
    }
}

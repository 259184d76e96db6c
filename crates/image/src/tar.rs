//! A strict reader of tar streams.
//!
//! A layer that a scanner and an engine read differently is a security bug ("TARmageddon",
//! CVE-2025-62518), so this reader has one rule: where GNU tar and Go's `archive/tar` would disagree
//! about what an entry is, the archive is refused, naming the entry. Everything that real tools
//! write is read: v7, ustar, star, GNU long names and sparse files, and PAX.
//!
//! Sources: POSIX.1-2017 pax, "ustar Interchange Format" and "pax Extended Header"; GNU tar manual,
//! "Basic Tar Format" and "Storing Sparse Files".

mod header;
mod pax;
mod sparse;
pub(crate) mod write;

use crate::{Error, Result};
pub(crate) use sparse::Sparse;
use std::io::Read;

pub(crate) const BLOCK: usize = 512;
/// The longest path Linux resolves, without its NUL.
const PATH_MAX: u64 = 4095;
/// The longest PAX header we read into memory.
const PAX_MAX: u64 = 1 << 20;

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Regular,
    HardLink,
    Symlink,
    Character,
    Block,
    Directory,
    Fifo,
}

/// A moment: seconds since 1970 and nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Moment {
    pub(crate) seconds: i64,
    pub(crate) nanoseconds: u32,
}

/// One entry, every extension already applied.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// As written, not yet judged.
    pub(crate) name: Vec<u8>,
    /// The target of a hard or symbolic link.
    pub(crate) link: Vec<u8>,
    pub(crate) kind: Kind,
    /// Permission bits, 12 of them.
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Bytes that follow in the archive.
    pub(crate) size: u64,
    pub(crate) time: Moment,
    /// Major and minor number of a device.
    pub(crate) device: (u32, u32),
    pub(crate) xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    /// Where the stored bytes belong, for a file with holes.
    pub(crate) sparse: Option<Sparse>,
}

impl Entry {
    /// The name for messages.
    pub(crate) fn shown(&self) -> String {
        String::from_utf8_lossy(&self.name).into_owned()
    }
}

/// Reads entries from a stream; between two calls of [`Reader::next_entry`] it is itself a
/// [`Read`] of the entry's stored bytes.
pub(crate) struct Reader<R> {
    inner: R,
    /// Stored bytes of the current entry not read yet.
    remaining: u64,
    /// Zero bytes after them, up to the next block.
    padding: u64,
    /// The current entry, for messages.
    current: String,
    ended: bool,
}

/// Extensions collected before the entry that they belong to.
#[derive(Default)]
struct Pending {
    pax: Option<pax::Records>,
    long_name: Option<Vec<u8>>,
    long_link: Option<Vec<u8>>,
}

impl<R: Read> Reader<R> {
    pub(crate) fn new(inner: R) -> Self {
        Self {
            inner,
            remaining: 0,
            padding: 0,
            current: "(the start)".to_owned(),
            ended: false,
        }
    }

    /// The next entry, `None` after the end marker or at the end of the data.
    pub(crate) fn next_entry(&mut self) -> Result<Option<Entry>> {
        self.skip_rest()?;
        let mut pending = Pending::default();
        loop {
            let Some(block) = self.header_block(&pending)? else {
                return Ok(None);
            };
            let header = header::parse(&block).map_err(|reason| self.bad(reason))?;
            match header.typeflag {
                b'x' => {
                    if pending.pax.is_some() {
                        return Err(self.bad("two PAX headers for one entry"));
                    }
                    let text = self.extension(&header, PAX_MAX, "PAX header")?;
                    pending.pax = Some(pax::parse(&text).map_err(|reason| self.bad(reason))?);
                }
                b'g' => {
                    let text = self.extension(&header, PAX_MAX, "global PAX header")?;
                    pax::check_global(&text).map_err(|reason| self.bad(reason))?;
                }
                b'L' | b'K' => {
                    let text = self.extension(&header, PATH_MAX + 1, "GNU long name")?;
                    let slot = if header.typeflag == b'L' {
                        &mut pending.long_name
                    } else {
                        &mut pending.long_link
                    };
                    let twice = slot.is_some();
                    *slot = Some(header::until_nul(&text).to_vec());
                    if twice {
                        return Err(self.bad("two GNU long names for one entry"));
                    }
                }
                _ => return self.finish(header, &block, pending).map(Some),
            }
        }
    }

    /// The next header block, `None` at the end of the archive.
    fn header_block(&mut self, pending: &Pending) -> Result<Option<[u8; BLOCK]>> {
        if self.ended {
            return Ok(None);
        }
        let mut block = [0; BLOCK];
        let filled = fill(&mut self.inner, &mut block).map_err(|source| self.failed(source))?;
        let dangling =
            pending.pax.is_some() || pending.long_name.is_some() || pending.long_link.is_some();
        if filled == 0 || block.iter().all(|byte| *byte == 0) {
            if dangling {
                return Err(self.bad("an extension header without the entry it belongs to"));
            }
            if filled == BLOCK {
                let filled =
                    fill(&mut self.inner, &mut block).map_err(|source| self.failed(source))?;
                if filled == BLOCK && block.iter().any(|byte| *byte != 0) {
                    return Err(self.bad("a single zero block in the middle of the archive"));
                }
            }
            self.ended = true;
            return Ok(None);
        }
        if filled < BLOCK {
            return Err(self.truncated());
        }
        Ok(Some(block))
    }

    /// Reads the body of an extension header, which `limit` bounds.
    fn extension(&mut self, header: &header::Header, limit: u64, what: &str) -> Result<Vec<u8>> {
        if header.size > limit {
            return Err(self.bad(format!(
                "a {what} of {} bytes; the limit is {limit}",
                header.size
            )));
        }
        self.begin(header.size);
        let mut text = Vec::new();
        self.read_to_end(&mut text)
            .map_err(|source| self.failed(source))?;
        self.skip_rest()?;
        Ok(text)
    }

    /// Combines a header with the extensions before it.
    fn finish(
        &mut self,
        header: header::Header,
        block: &[u8; BLOCK],
        pending: Pending,
    ) -> Result<Entry> {
        let mut pax = pending.pax.unwrap_or_default();
        if pending.long_name.is_some() && pax.path.is_some() {
            return Err(self.bad("a GNU long name and a PAX path for one entry"));
        }
        if pending.long_link.is_some() && pax.link.is_some() {
            return Err(self.bad("a GNU long link and a PAX linkpath for one entry"));
        }
        let sparse_name = pax.sparse.name.take();
        let name = sparse_name
            .or(pax.path.take())
            .or(pending.long_name)
            .unwrap_or(header.name);
        self.current = String::from_utf8_lossy(&name).into_owned();
        let kind = header::kind(header.typeflag, &name).map_err(|reason| self.bad(reason))?;
        let declared = pax.size.unwrap_or(header.size);
        let size = match kind {
            Kind::Regular => declared,
            // The size of the file that it names: GNU tar, Go and Python agree that no data follows.
            Kind::HardLink => 0,
            _ if declared == 0 => 0,
            _ => return Err(self.bad("it has data although it is no regular file")),
        };
        self.begin(size);
        let sparse = self.sparse_map(header.typeflag, block, size, &pax)?;
        let id = |value: Option<u64>, from_header: u64, what: &str| {
            let value = value.unwrap_or(from_header);
            // All ones would mean "leave as it is" to chown.
            match u32::try_from(value) {
                Ok(id) if id != u32::MAX => Ok(id),
                _ => Err(self.bad(format!("its {what} {value} is too large"))),
            }
        };
        let (uid, gid) = (
            id(pax.uid, header.uid, "uid")?,
            id(pax.gid, header.gid, "gid")?,
        );
        Ok(Entry {
            name,
            link: pax.link.or(pending.long_link).unwrap_or(header.link),
            kind,
            mode: header.mode,
            uid,
            gid,
            size: self.remaining,
            time: pax.mtime.unwrap_or(header.time),
            device: header.device,
            xattrs: pax.xattrs,
            sparse,
        })
    }

    fn sparse_map(
        &mut self,
        typeflag: u8,
        block: &[u8; BLOCK],
        size: u64,
        pax: &pax::Records,
    ) -> Result<Option<Sparse>> {
        if typeflag == b'S' {
            if pax.sparse.is_present() {
                return Err(self.bad("two kinds of sparse map for one entry"));
            }
            let sparse = self.old_sparse(block)?;
            sparse.check(size).map_err(|reason| self.bad(reason))?;
            return Ok(Some(sparse));
        }
        if !pax.sparse.is_present() {
            return Ok(None);
        }
        let sparse = if pax.sparse.in_data() {
            let real_size = pax.sparse.real_size().map_err(|reason| self.bad(reason))?;
            let mut map = sparse::DataMap::new(real_size);
            let mut block = [0; BLOCK];
            while !map.is_complete() {
                self.read_exact(&mut block)
                    .map_err(|source| self.failed(source))?;
                map.feed(&block).map_err(|reason| self.bad(reason))?;
            }
            map.into_sparse()
        } else {
            pax.sparse.map().map_err(|reason| self.bad(reason))?
        };
        sparse
            .check(self.remaining)
            .map_err(|reason| self.bad(reason))?;
        Ok(Some(sparse))
    }

    /// The old GNU map: four regions in the header, then blocks of 21.
    fn old_sparse(&mut self, block: &[u8; BLOCK]) -> Result<Sparse> {
        let (mut sparse, mut more) = sparse::old_gnu(block).map_err(|reason| self.bad(reason))?;
        while more {
            let mut block = [0; BLOCK];
            // These blocks stand between header and data and are not counted by the size.
            let filled = fill(&mut self.inner, &mut block).map_err(|source| self.failed(source))?;
            if filled < BLOCK {
                return Err(self.truncated());
            }
            more = sparse::old_gnu_more(&block, &mut sparse).map_err(|reason| self.bad(reason))?;
        }
        Ok(sparse)
    }

    fn begin(&mut self, size: u64) {
        self.remaining = size;
        self.padding = size.wrapping_neg() % BLOCK as u64;
    }

    fn skip_rest(&mut self) -> Result<()> {
        let rest = self.remaining.saturating_add(self.padding);
        let skipped = std::io::copy(&mut (&mut self.inner).take(rest), &mut std::io::sink())
            .map_err(|source| self.failed(source))?;
        // The last padding is often missing; its content means nothing.
        if skipped < self.remaining {
            return Err(self.truncated());
        }
        (self.remaining, self.padding) = (0, 0);
        Ok(())
    }

    fn bad(&self, reason: impl Into<String>) -> Error {
        Error::BadArchive {
            entry: self.current.clone(),
            reason: reason.into(),
        }
    }

    fn truncated(&self) -> Error {
        Error::Truncated {
            entry: self.current.clone(),
        }
    }

    /// A failed read: the end of the data, a failure of ours carried through, or the system's.
    pub(crate) fn failed(&self, source: std::io::Error) -> Error {
        if source.kind() == std::io::ErrorKind::UnexpectedEof {
            return self.truncated();
        }
        match source.downcast::<Error>() {
            Ok(ours) => ours,
            Err(source) => Error::Io {
                doing: format!("read the archive at entry {:?}", self.current),
                source,
            },
        }
    }
}

impl<R: Read> Read for Reader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let wanted = usize::try_from(self.remaining)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        if wanted == 0 {
            return Ok(0);
        }
        let count = self.inner.read(&mut buffer[..wanted])?;
        if count == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        self.remaining -= count as u64;
        Ok(count)
    }
}

/// Fills the buffer as far as the data goes.
fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

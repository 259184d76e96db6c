//! Files with holes: the four forms in which tars store them.

use super::BLOCK;
use super::header::{Reason, number};
use super::pax::decimal;

/// More regions than any real file has; GNU tar itself would need a header of megabytes.
const REGIONS_MAX: usize = 65_536;

/// Where the stored bytes of a file belong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sparse {
    /// The size of the file with its holes.
    pub(crate) real_size: u64,
    /// Offset and length of each stored piece, in order.
    pub(crate) regions: Vec<(u64, u64)>,
}

impl Sparse {
    /// Regions must ascend, stay inside the file and add up to the bytes that are stored.
    pub(super) fn check(&self, stored: u64) -> Result<(), Reason> {
        let mut end = 0_u64;
        let mut total = 0_u64;
        for (offset, length) in &self.regions {
            let next = offset
                .checked_add(*length)
                .ok_or("its sparse map overflows")?;
            if *offset < end || next > self.real_size {
                return Err("its sparse map overlaps or leaves the file".to_owned());
            }
            end = next;
            total += length;
        }
        if total == stored {
            Ok(())
        } else {
            Err(format!(
                "its sparse map covers {total} bytes but {stored} are stored"
            ))
        }
    }

    fn push(&mut self, offset: u64, length: u64) -> Result<(), Reason> {
        if self.regions.len() == REGIONS_MAX {
            return Err(format!(
                "its sparse map has more than {REGIONS_MAX} regions"
            ));
        }
        self.regions.push((offset, length));
        Ok(())
    }
}

/// Reads the regions of an old GNU header; true when a further block follows.
pub(super) fn old_gnu(block: &[u8; BLOCK]) -> Result<(Sparse, bool), Reason> {
    let mut sparse = Sparse {
        real_size: number(&block[483..495], "real size")?,
        regions: Vec::new(),
    };
    old_gnu_regions(&block[386..482], &mut sparse)?;
    Ok((sparse, block[482] != 0))
}

/// Reads a further block of old GNU regions; true when yet another follows.
pub(super) fn old_gnu_more(block: &[u8; BLOCK], sparse: &mut Sparse) -> Result<bool, Reason> {
    old_gnu_regions(&block[..504], sparse)?;
    Ok(block[504] != 0)
}

fn old_gnu_regions(fields: &[u8], sparse: &mut Sparse) -> Result<(), Reason> {
    for field in fields.chunks_exact(24) {
        if field[0] == 0 || field[12] == 0 {
            break;
        }
        sparse.push(
            number(&field[..12], "sparse offset")?,
            number(&field[12..], "sparse length")?,
        )?;
    }
    Ok(())
}

/// The `GNU.sparse.*` records of a PAX header.
#[derive(Default)]
pub(super) struct PaxSparse {
    pub(super) name: Option<Vec<u8>>,
    version: (Option<u64>, Option<u64>),
    real_size: Option<u64>,
    blocks: Option<u64>,
    /// Offsets and lengths in turn, as forms 0.0 and 0.1 give them.
    numbers: Vec<u64>,
}

impl PaxSparse {
    pub(super) fn record(&mut self, key: &[u8], value: &[u8]) -> Result<(), Reason> {
        match key {
            b"major" => self.version.0 = Some(decimal(key, value)?),
            b"minor" => self.version.1 = Some(decimal(key, value)?),
            b"name" if value.contains(&0) => return Err("a NUL byte in GNU.sparse.name".to_owned()),
            b"name" => self.name = Some(value.to_vec()),
            b"size" | b"realsize" => self.real_size = Some(decimal(key, value)?),
            b"numblocks" => self.blocks = Some(decimal(key, value)?),
            b"offset" if self.numbers.len().is_multiple_of(2) => {
                self.numbers.push(decimal(key, value)?);
            }
            b"numbytes" if !self.numbers.len().is_multiple_of(2) => {
                self.numbers.push(decimal(key, value)?);
            }
            b"map" if self.numbers.is_empty() => {
                for text in value.split(|byte| *byte == b',') {
                    self.numbers.push(decimal(key, text)?);
                }
            }
            _ => {
                return Err(format!(
                    "an unexpected record GNU.sparse.{}",
                    String::from_utf8_lossy(key)
                ));
            }
        }
        Ok(())
    }

    pub(super) fn is_present(&self) -> bool {
        self.real_size.is_some()
            || !self.numbers.is_empty()
            || self.version != (None, None)
            || self.name.is_some()
    }

    /// Form 1.0 keeps its map in front of the data.
    pub(super) fn in_data(&self) -> bool {
        self.version == (Some(1), Some(0))
    }

    pub(super) fn real_size(&self) -> Result<u64, Reason> {
        self.real_size
            .ok_or_else(|| "a sparse file without its real size".to_owned())
    }

    pub(super) fn map(&self) -> Result<Sparse, Reason> {
        if !matches!(self.version, (None, None) | (Some(0), Some(0 | 1))) {
            return Err("a sparse file of an unknown version".to_owned());
        }
        let pairs = (self.numbers.len() / 2) as u64;
        if !self.numbers.len().is_multiple_of(2)
            || self.blocks.is_some_and(|blocks| blocks != pairs)
        {
            return Err("an incomplete sparse map".to_owned());
        }
        let mut sparse = Sparse {
            real_size: self.real_size()?,
            regions: Vec::new(),
        };
        for pair in self.numbers.chunks_exact(2) {
            sparse.push(pair[0], pair[1])?;
        }
        Ok(sparse)
    }
}

/// Reads the map of form 1.0: decimal lines (count, then offset and length of each), padded to a block.
pub(super) struct DataMap {
    sparse: Sparse,
    count: Option<u64>,
    offset: Option<u64>,
    line: Vec<u8>,
}

impl DataMap {
    pub(super) fn new(real_size: u64) -> Self {
        Self {
            sparse: Sparse {
                real_size,
                regions: Vec::new(),
            },
            count: None,
            offset: None,
            line: Vec::new(),
        }
    }

    pub(super) fn is_complete(&self) -> bool {
        self.count == Some(self.sparse.regions.len() as u64)
    }

    pub(super) fn feed(&mut self, block: &[u8; BLOCK]) -> Result<(), Reason> {
        for byte in block {
            if self.is_complete() {
                break;
            }
            if *byte != b'\n' {
                if self.line.len() > 20 {
                    return Err("a malformed sparse map".to_owned());
                }
                self.line.push(*byte);
                continue;
            }
            let value = decimal(b"sparse map", &self.line)?;
            self.line.clear();
            match (self.count, self.offset.take()) {
                (None, _) => self.count = Some(value),
                (Some(_), None) => self.offset = Some(value),
                (Some(_), Some(offset)) => self.sparse.push(offset, value)?,
            }
        }
        Ok(())
    }

    pub(super) fn into_sparse(self) -> Sparse {
        self.sparse
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_in_the_data_is_read_to_its_end_only() {
        let mut map = DataMap::new(100);
        let mut block = [b'x'; BLOCK];
        block[..12].copy_from_slice(b"2\n0\n5\n90\n10\n");
        map.feed(&block).unwrap();
        assert!(map.is_complete());
        let sparse = map.into_sparse();
        assert_eq!(sparse.regions, [(0, 5), (90, 10)]);
        assert_eq!(sparse.check(15), Ok(()));
        assert!(sparse.check(14).unwrap_err().contains("covers 15"));
    }

    #[test]
    fn regions_stay_in_order_and_inside() {
        let sparse = |regions: &[(u64, u64)]| Sparse {
            real_size: 10,
            regions: regions.to_vec(),
        };
        assert!(sparse(&[(5, 2), (4, 1)]).check(3).is_err());
        assert!(sparse(&[(9, 2)]).check(2).is_err());
        assert!(sparse(&[(u64::MAX, 2)]).check(2).is_err());
        assert_eq!(sparse(&[(0, 0), (10, 0)]).check(0), Ok(()));
    }
}

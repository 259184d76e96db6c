//! Writes plain tars: ustar headers, everything owned by root and dated 1970.

use super::BLOCK;
use crate::{Error, Result};

/// A tar being written in memory.
#[derive(Debug, Default)]
pub(crate) struct Builder {
    bytes: Vec<u8>,
    directories: std::collections::BTreeSet<String>,
}

impl Builder {
    /// Adds a directory, once.
    pub(crate) fn directory(&mut self, path: &str, mode: u32) -> Result<()> {
        if self.directories.insert(path.to_owned()) {
            self.header(&format!("{path}/"), mode, 0, b'5')?;
        }
        Ok(())
    }

    /// Adds a regular file.
    pub(crate) fn file(&mut self, path: &str, mode: u32, content: &[u8]) -> Result<()> {
        self.header(path, mode, content.len() as u64, b'0')?;
        self.bytes.extend_from_slice(content);
        self.pad();
        Ok(())
    }

    /// The finished tar with its end marker.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.bytes.extend_from_slice(&[0; 2 * BLOCK]);
        self.bytes
    }

    fn pad(&mut self) {
        let padded = self.bytes.len().next_multiple_of(BLOCK);
        self.bytes.resize(padded, 0);
    }

    fn header(&mut self, name: &str, mode: u32, size: u64, typeflag: u8) -> Result<()> {
        self.bytes
            .extend_from_slice(&header(name, mode, size, typeflag)?);
        Ok(())
    }
}

/// The header of one entry.
pub(crate) fn header(name: &str, mode: u32, size: u64, typeflag: u8) -> Result<[u8; BLOCK]> {
    if name.is_empty() || name.len() > 100 || name.contains('\0') {
        return Err(Error::entry(
            name.as_bytes(),
            "a name in a new archive has 1 to 100 bytes",
        ));
    }
    let mut block = [0; BLOCK];
    block[..name.len()].copy_from_slice(name.as_bytes());
    block[100..107].copy_from_slice(format!("{:07o}", mode & 0o7777).as_bytes());
    block[108..115].copy_from_slice(b"0000000");
    block[116..123].copy_from_slice(b"0000000");
    if size < 1 << 33 {
        block[124..135].copy_from_slice(format!("{size:011o}").as_bytes());
    } else {
        // Too large for eleven octal digits: the base-256 form, which every reader knows.
        block[124] = 0x80;
        block[128..136].copy_from_slice(&size.to_be_bytes());
    }
    block[136..147].copy_from_slice(b"00000000000");
    block[156] = typeflag;
    block[257..265].copy_from_slice(b"ustar\x0000");
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    Ok(block)
}

#[cfg(test)]
mod tests {
    use super::Builder;
    use crate::tar::{Kind, Reader};
    use std::io::Read;

    #[test]
    fn reads_back() {
        let mut tar = Builder::default();
        tar.directory("a", 0o755).unwrap();
        tar.directory("a", 0o755).unwrap();
        tar.file("a/b", 0o4755, b"content").unwrap();
        assert!(tar.file(&"x".repeat(101), 0, b"").is_err());
        let bytes = tar.finish();
        let mut reader = Reader::new(&bytes[..]);
        let directory = reader.next_entry().unwrap().unwrap();
        assert_eq!(
            (directory.kind, directory.name.as_slice()),
            (Kind::Directory, &b"a/"[..])
        );
        let file = reader.next_entry().unwrap().unwrap();
        assert_eq!(
            (file.kind, file.mode, file.size),
            (Kind::Regular, 0o4755, 7)
        );
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "content");
        assert!(reader.next_entry().unwrap().is_none());
    }
}

//! The log, in the format of Kubernetes' container runtimes, which log shippers read:
//! `2026-11-22T10:41:04.000000000Z stdout F the line`, with `P` for a piece of a line that goes on.

use crate::clock;
use dhow_sys::{Result, file, stream, tree};
use std::ffi::OsStr;
use std::io::BufRead as _;
use std::os::fd::{AsFd, OwnedFd};

/// The name of the log in the container's directory; after a rotation the older half is `log.1`.
const NAME: &str = "log";
const OLDER: &str = "log.1";

/// An open log.
#[derive(Debug)]
pub(crate) struct Log {
    file: OwnedFd,
    length: u64,
    maximum: Option<u64>,
    /// What goes to the file in one write, kept to save allocations.
    buffer: Vec<u8>,
}

impl Log {
    /// Opens the log in `directory` for appending.
    pub(crate) fn open(directory: &OwnedFd, maximum: Option<u64>) -> Result<Self> {
        let file = file::append(directory.as_fd(), OsStr::new(NAME), 0o640)?;
        let length = u64::try_from(dhow_sys::fd::stat(file.as_fd())?.st_size).unwrap_or(0);
        Ok(Self {
            file,
            length,
            maximum,
            buffer: Vec::new(),
        })
    }

    /// Appends what one read gave, all with the time of that read.
    ///
    /// A log that cannot be written (a full disk) never stops the container: what does not fit is
    /// lost to the log, and writing is tried again with the next piece.
    pub(crate) fn append(&mut self, directory: &OwnedFd, stream: &str, data: &[u8]) {
        let mut front = String::with_capacity(clock::LENGTH + 16);
        clock::append_now(&mut front);
        for part in [" ", stream, " F "] {
            front.push_str(part);
        }
        let mut rest = data;
        while !rest.is_empty() {
            let start = self.buffer.len();
            self.buffer.extend_from_slice(front.as_bytes());
            // Finds and copies in one go; a slice cannot fail.
            let _ = rest.read_until(b'\n', &mut self.buffer);
            if !self.buffer.ends_with(b"\n") {
                self.buffer[start + front.len() - 2] = b'P';
                self.buffer.push(b'\n');
            }
            if self.is_full() {
                let record = self.buffer.split_off(start);
                self.flush();
                self.rotate(directory);
                self.buffer = record;
            }
        }
        self.flush();
    }

    /// Whether the records that wait would make the file longer than it may be.
    fn is_full(&self) -> bool {
        let length = self.length + self.buffer.len() as u64;
        self.maximum.is_some_and(|maximum| length > maximum)
    }

    fn flush(&mut self) {
        if stream::write_all(self.file.as_fd(), &self.buffer).is_ok() {
            self.length += self.buffer.len() as u64;
        }
        self.buffer.clear();
    }

    /// Begins a new file; readers that follow hold the old one until they have read it.
    fn rotate(&mut self, directory: &OwnedFd) {
        if self.length == 0 {
            // One record longer than the limit: it has a file of its own already.
            return;
        }
        let directory = directory.as_fd();
        let (name, older) = (OsStr::new(NAME), OsStr::new(OLDER));
        if tree::rename(directory, name, directory, older).is_err() {
            return;
        }
        if let Ok(file) = file::append(directory, name, 0o640) {
            self.file = file;
            self.length = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> std::path::PathBuf {
        let path = std::env::temp_dir().join(format!("dhow-log-{name}-{}", std::process::id()));
        std::fs::create_dir(&path).expect("directory");
        path
    }

    #[test]
    fn lines_pieces_and_binary() {
        let path = scratch("lines");
        let directory = dhow_sys::path::open_directory(&path).expect("open");
        let mut log = Log::open(&directory, None).expect("log");
        log.append(&directory, "stdout", b"one\ntwo");
        log.append(&directory, "stderr", b"\xff\0\n");
        let bytes = std::fs::read(path.join("log")).expect("read");
        let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
        assert_eq!(&lines[0][clock::LENGTH..], b" stdout F one");
        assert_eq!(&lines[1][clock::LENGTH..], b" stdout P two");
        assert_eq!(&lines[2][clock::LENGTH..], b" stderr F \xff\0");
        assert_eq!(lines[3], b"");
        std::fs::remove_dir_all(&path).expect("clean up");
    }

    #[test]
    fn rotation_keeps_below_the_limit() {
        let path = scratch("rotate");
        let directory = dhow_sys::path::open_directory(&path).expect("open");
        let mut log = Log::open(&directory, Some(1000)).expect("log");
        for _ in 0..100 {
            log.append(&directory, "stdout", b"0123456789\n");
        }
        for name in ["log", "log.1"] {
            let length = path.join(name).metadata().expect("file").len();
            assert!(length > 0 && length <= 1000, "{name} has {length}");
        }
        std::fs::remove_dir_all(&path).expect("clean up");
    }
}

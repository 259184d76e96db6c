//! Standard input of the container: never waits for it, never loses a byte that was taken.

use dhow_sys::stream;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// The way into the container.
#[derive(Debug, Default)]
pub(crate) struct Input {
    way: Option<OwnedFd>,
    /// Bytes that found no room; while there are any, no more are taken from engines.
    pending: Vec<u8>,
    /// Whether to close once nothing is pending.
    ending: bool,
}

impl Input {
    /// The input through a pipe or terminal, or none.
    pub(crate) fn new(way: Option<OwnedFd>) -> dhow_sys::Result<Self> {
        if let Some(way) = &way {
            stream::set_nonblocking(way.as_fd())?;
        }
        Ok(Self {
            way,
            ..Self::default()
        })
    }

    /// The descriptor to wait on for room, when there is something to write.
    pub(crate) fn waiting(&self) -> Option<BorrowedFd<'_>> {
        let way = self.way.as_ref()?;
        (!self.pending.is_empty()).then(|| way.as_fd())
    }

    /// Passes bytes on, or keeps them until there is room.
    pub(crate) fn give(&mut self, bytes: &[u8]) {
        if self.way.is_some() {
            self.pending.extend_from_slice(bytes);
            self.flush();
        }
    }

    /// Writes what there is room for.
    pub(crate) fn flush(&mut self) {
        while let (Some(way), false) = (&self.way, self.pending.is_empty()) {
            match stream::write(way.as_fd(), &self.pending) {
                Ok(Some(count)) => drop(self.pending.drain(..count)),
                Ok(None) => return,
                // The container has closed its end: what it does not want is nobody's.
                Err(_) => {
                    self.way = None;
                    self.pending.clear();
                }
            }
        }
        if self.ending && self.pending.is_empty() {
            self.way = None;
        }
    }

    /// Closes the pipe once everything has been written; a terminal stays open.
    pub(crate) fn end(&mut self, is_terminal: bool) {
        self.ending = !is_terminal;
        self.flush();
    }
}

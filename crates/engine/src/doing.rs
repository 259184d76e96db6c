//! From a failed call to an error that says what was being done.

use crate::error::{Error, Result};

/// Says what was being done when a call failed.
pub(crate) trait Doing<T> {
    /// Turns a failed call into an [`Error`] that begins with "cannot `doing`".
    fn doing(self, doing: impl FnOnce() -> String) -> Result<T>;
}

impl<T> Doing<T> for dhow_sys::Result<T> {
    fn doing(self, doing: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|source| Error::Call {
            doing: doing(),
            source,
        })
    }
}

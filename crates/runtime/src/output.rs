//! What a verb prints on standard output.

use crate::error::{Error, Result};
use std::io::{ErrorKind, Write};

/// Prints; a reader that has gone away is no failure.
///
/// # Errors
/// The write: half an answer is none.
pub fn print(text: &str) -> Result<()> {
    tell(text).map(drop)
}

/// Prints for somebody who may go away while there is more to tell: false when they have.
///
/// # Errors
/// As [`print`].
pub fn tell(text: &str) -> Result<bool> {
    let mut stdout = std::io::stdout();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => {
            let code = error.raw_os_error().unwrap_or(0);
            Err(Error::step(
                "print the answer",
                dhow_sys::Error::new("write", "standard output", code),
            ))
        }
    }
}

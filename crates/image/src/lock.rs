//! Locks of the store: one file each, held by an open descriptor, so that a killed holder leaves
//! nothing behind.
//!
//! Order, which every caller keeps: `use` → layers from the bottom up → image → name → `index`.

use crate::{Error, Result};
use std::fs::{File, TryLockError};
use std::path::Path;

/// A held lock; dropping it releases it. The file stays, because unlinking a lock that somebody
/// waits for would split it in two.
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "held for its lock")] File);

impl Lock {
    /// Waits for the lock of that name, alone.
    pub(crate) fn exclusive(directory: &Path, name: &str) -> Result<Self> {
        let (file, path) = open(directory, name)?;
        retry(|| file.lock()).map_err(Error::io("lock", &path))?;
        Ok(Self(file))
    }

    /// Waits for the lock of that name, together with other sharers.
    pub(crate) fn shared(directory: &Path, name: &str) -> Result<Self> {
        let (file, path) = open(directory, name)?;
        retry(|| file.lock_shared()).map_err(Error::io("lock", &path))?;
        Ok(Self(file))
    }

    /// Takes the lock if nobody else has it.
    pub(crate) fn try_exclusive(directory: &Path, name: &str) -> Result<Option<Self>> {
        let (file, path) = open(directory, name)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(Error::io("lock", &path)(source)),
        }
    }
}

fn open(directory: &Path, name: &str) -> Result<(File, std::path::PathBuf)> {
    let path = directory.join(name);
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(Error::io("open the lock", &path))?;
    Ok((file, path))
}

fn retry(mut call: impl FnMut() -> std::io::Result<()>) -> std::io::Result<()> {
    loop {
        match call() {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

//! What makes a change of the store survive a power cut, where directories cannot be synced: NTFS
//! journals names by itself.

use crate::{Error, Result};
use std::path::Path;

/// Nothing to do: the filesystem journals names.
pub(crate) fn sync_directory(_path: &Path) -> Result<()> {
    Ok(())
}

/// Removes a file or a directory with all it holds; false when it was not there.
pub(crate) fn remove_tree(path: &Path) -> Result<bool> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        result => result.map(|()| true).map_err(Error::io("remove", path)),
    }
}

/// Makes a directory and its parents.
pub(crate) fn make_private(path: &Path) -> Result<()> {
    std::fs::create_dir_all(path).map_err(Error::io("create the directory", path))
}

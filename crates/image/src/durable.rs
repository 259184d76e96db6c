//! What makes a change of the store survive a power cut: data before its name, the name before the
//! next step.

use crate::{Error, Result};
use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;

/// Writes the names in a directory to the disk.
pub(crate) fn sync_directory(path: &Path) -> Result<()> {
    let directory = File::open(path).map_err(Error::io("open", path))?;
    directory
        .sync_all()
        .map_err(Error::io("write to disk", path))
}

/// Writes all data of the filesystem that holds `path` to the disk: one barrier for thousands of files.
pub(crate) fn sync_filesystem(path: &Path) -> Result<()> {
    let directory = File::open(path).map_err(Error::io("open", path))?;
    dhow_sys::tree::sync_filesystem(directory.as_fd())
        .map_err(Error::kernel("write to disk the filesystem of", path))
}

/// Removes a file or a directory with all it holds; false when it was not there.
pub(crate) fn remove_tree(path: &Path) -> Result<bool> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Ok(false);
    };
    let parent = match File::open(parent) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        result => result.map_err(Error::io("open", parent))?,
    };
    let there =
        dhow_sys::tree::stat(parent.as_fd(), name).map_err(Error::kernel("look at", path))?;
    if there.is_none() {
        return Ok(false);
    }
    dhow_sys::tree::remove_tree(parent.as_fd(), name).map_err(Error::kernel("remove", path))?;
    Ok(true)
}

/// Makes a directory that only its owner may enter, and its parents.
pub(crate) fn make_private(path: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(Error::io("create the directory", path))
}

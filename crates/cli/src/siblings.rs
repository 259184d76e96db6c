//! Where dhow's own programs are: beside this one, then in its `libexec/dhow`.

use std::path::{Path, PathBuf};

/// The directories, best first.
pub(crate) fn directories() -> Vec<PathBuf> {
    let own = std::env::current_exe().unwrap_or_default();
    let beside = own.parent().unwrap_or(Path::new("/")).to_path_buf();
    let prefix = beside.parent().unwrap_or(Path::new("/"));
    vec![beside.clone(), prefix.join("libexec/dhow")]
}

/// The program of this name, if it is in one of them.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let name = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    directories()
        .into_iter()
        .map(|directory| directory.join(&name))
        .find(|path| path.is_file())
}

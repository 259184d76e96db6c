//! Doors to private parsers for `fuzz/`; compiled with the feature `fuzzing` alone, and no part of the
//! interface.

use crate::bundle;
use crate::bundle::identity::UserFiles;
use crate::error::Result;
use crate::options::Mount;
use crate::signals;

/// What a `user[:group]` came to.
#[derive(Debug, PartialEq, Eq)]
pub struct Identity {
    /// User id in the container.
    pub uid: u32,
    /// Group id in the container.
    pub gid: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
    /// The home directory, if a user entry names one.
    pub home: Option<String>,
}

/// Resolves `user[:group]` and further groups by the text of a passwd and a group file.
///
/// # Errors
/// `InvalidInput` when a name is not in its file.
pub fn resolve(passwd: &[u8], group: &[u8], user: &str, further: &[String]) -> Result<Identity> {
    let found = UserFiles::new(passwd.to_vec(), group.to_vec()).resolve(user, further)?;
    Ok(Identity {
        uid: found.uid,
        gid: found.gid,
        groups: found.groups,
        home: found.home,
    })
}

/// The number of a signal by number or name.
///
/// # Errors
/// `InvalidInput` when there is no such signal.
pub fn signal(text: &str) -> Result<u8> {
    signals::number("--signal", text)
}

/// The options in the bundle for a tmpfs that the user asked for; `None` for another mount.
#[must_use]
pub fn tmpfs_options(mount: &Mount) -> Option<Vec<String>> {
    match mount {
        Mount::Tmpfs {
            size,
            mode,
            options,
            ..
        } => Some(bundle::tmpfs_options(*size, *mode, options)),
        _ => None,
    }
}

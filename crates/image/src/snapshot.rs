//! Snapshots: how unpacked layers become the root filesystem of one container.
//!
//! # The words
//!
//! A *layer* is a directory `snapshots/ID/fs` with the files of one image layer, unpacked once and
//! never changed again; what it removes from the layers below it says in overlayfs's own words (a
//! character device 0:0, the attribute `overlay.opaque`). A *root* is what one container sees as `/`;
//! it has a *key* (the container's id) and a *place*, the directory `roots/KEY/`. A *snapshotter*
//! makes a root out of layers.
//!
//! # A walk
//!
//! `dhow run alpine`: the store finds that the layers of `alpine` are unpacked, creates a temporary
//! directory, and calls [`Snapshotter::prepare`] with it, the layers (bottom first) and the wishes in
//! [`RootOptions`]. The snapshotter puts there whatever it needs: the overlay driver two empty
//! directories, the copy driver a copy of all files. The store then renames the directory to its
//! place, so a root exists whole or not at all, and asks [`Snapshotter::root`] how it is mounted.
//!
//! Nothing is mounted on the host. The answer is data: a directory, or an overlay that becomes the
//! first mount of the container's bundle, made by the runtime inside the container's own mount
//! namespace. It works without root, and when the container ends there is nothing to unmount.
//!
//! Later `dhow start` of a stopped container asks [`Snapshotter::root`] again; `dhow rm` removes the
//! place. Drivers hold no state in memory: all of it is in the place.
//!
//! # A new driver
//!
//! Implement the trait, add it to [`Driver`], and let `tests/snapshots.rs` run its suite on it.

#[cfg(target_os = "linux")]
mod copy;
#[cfg(target_os = "linux")]
pub(crate) mod drivers;
#[cfg(target_os = "linux")]
mod overlay;

#[cfg(target_os = "linux")]
pub(crate) use copy::copy_contents;

use crate::{Ownership, Result};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Makes root filesystems out of unpacked layers. See the module's text for the words.
pub trait Snapshotter: Send + Sync {
    /// The name by which users choose it and by which a root remembers its maker.
    fn name(&self) -> &'static str;

    /// Fills the empty directory `place` for a root made of `layers`, the bottom one first.
    ///
    /// # Errors
    /// Kernel for a full disk and the like, Permission. The caller removes `place` then.
    fn prepare(&self, place: &Path, layers: &[PathBuf], options: &RootOptions) -> Result<()>;

    /// How the root at `place`, prepared earlier with the same layers and options, is mounted.
    ///
    /// # Errors
    /// `InvalidInput` when a path cannot be expressed.
    fn root(&self, place: &Path, layers: &[PathBuf], options: &RootOptions) -> Result<Root>;
}

/// The snapshotters there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Driver {
    /// Linux overlayfs: layers are shared, a container's changes lie beside them.
    Overlay,
    /// A full copy for each container: works everywhere, costs time and space.
    Copy,
}

/// What a root is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RootOptions {
    /// The overlay will be mounted in a user namespace other than the first.
    pub user_namespace: bool,
    /// The root will be removed when its container ends: its changes need not survive a power cut.
    pub throwaway: bool,
    /// Owner (uid and gid on the host) of what the driver creates for the container; `None` for the
    /// owner that the topmost layer's root has.
    pub owner: Option<(u32, u32)>,
    /// Whether owners are copied, as the layers were unpacked.
    #[serde(skip, default = "keep")]
    pub ownership: Ownership,
}

fn keep() -> Ownership {
    Ownership::Keep
}

impl Default for RootOptions {
    fn default() -> Self {
        Self {
            user_namespace: false,
            throwaway: false,
            owner: None,
            ownership: Ownership::Keep,
        }
    }
}

/// How a root filesystem is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Root {
    /// An overlay, to be mounted by the runtime as the bundle's first mount.
    Overlay {
        /// The layers, the topmost first.
        lower: Vec<PathBuf>,
        /// Where the container's changes go.
        upper: PathBuf,
        /// Overlayfs's own working directory.
        work: PathBuf,
        /// Further options, such as `userxattr`.
        options: Vec<String>,
    },
    /// A directory that is the root as it is.
    Directory(PathBuf),
}

impl Root {
    /// The options of the overlay mount, one string for each `fsconfig(2)` call; empty for a directory.
    ///
    /// Layers are given by `lowerdir+=`, one each, topmost first (Linux 6.7): one `lowerdir=` for all
    /// would exceed what a call takes (255 bytes) with the third layer. Where all fit, `lowerdir=` is
    /// used, which every kernel knows. Both forms also work joined by commas in `mount(2)`, which
    /// takes 4,095 bytes in all. The driver refuses paths with characters that these forms reserve.
    #[must_use]
    pub fn mount_options(&self) -> Vec<String> {
        let Self::Overlay {
            lower,
            upper,
            work,
            options,
        } = self
        else {
            return Vec::new();
        };
        let shown: Vec<String> = lower
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        let together = format!("lowerdir={}", shown.join(":"));
        let mut all = if together.len() <= FSCONFIG_MAX {
            vec![together]
        } else {
            shown
                .iter()
                .map(|path| format!("lowerdir+={path}"))
                .collect()
        };
        all.push(format!("upperdir={}", upper.display()));
        all.push(format!("workdir={}", work.display()));
        all.extend(options.iter().cloned());
        all
    }
}

/// The longest string value that `fsconfig(2)` takes, with room for the key.
const FSCONFIG_MAX: usize = 255;

#[cfg(test)]
mod tests {
    use super::*;

    fn overlay(layers: usize) -> Root {
        Root::Overlay {
            lower: (0..layers)
                .map(|n| PathBuf::from(format!("/var/lib/dhow/snapshots/{n:064}/fs")))
                .collect(),
            upper: "/u".into(),
            work: "/w".into(),
            options: vec!["userxattr".to_owned()],
        }
    }

    #[test]
    fn layers_are_given_one_by_one_when_they_do_not_fit() {
        let two = overlay(2).mount_options();
        assert!(
            two[0].starts_with("lowerdir=/var") && two[0].contains(':'),
            "{two:?}"
        );
        let many = overlay(30).mount_options();
        assert_eq!(
            many.iter()
                .filter(|option| option.starts_with("lowerdir+="))
                .count(),
            30
        );
        assert!(many.iter().all(|option| option.len() <= FSCONFIG_MAX));
        assert_eq!(&many[30..], ["upperdir=/u", "workdir=/w", "userxattr"]);
        assert!(Root::Directory("/x".into()).mount_options().is_empty());
    }
}

//! Roots by overlayfs: the layers below, one directory for the container's changes above.
//!
//! Source: kernel, Documentation/filesystems/overlayfs.rst; user namespaces since Linux 5.11.

use super::{Root, RootOptions, Snapshotter};
use crate::{Error, Ownership, Result};
use dhow_sys::tree;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

/// Overlayfs stacks no more layers than this (`OVL_MAX_STACK`).
const LAYERS_MAX: usize = 500;

#[derive(Debug)]
pub(super) struct Overlay;

impl Snapshotter for Overlay {
    fn name(&self) -> &'static str {
        "overlay"
    }

    fn prepare(&self, place: &Path, layers: &[PathBuf], options: &RootOptions) -> Result<()> {
        let parent = dhow_sys::path::open_directory(place).map_err(Error::kernel("open", place))?;
        for name in ["upper", "work"] {
            tree::make_directory(parent.as_fd(), name.as_ref(), 0o700)
                .map_err(Error::kernel("create", name))?;
        }
        let upper = open(&parent, "upper")?;
        let work = open(&parent, "work")?;
        // The upper directory's owner and mode are those of the merged root.
        let (mut owner, mut mode) = (None, 0o755);
        if let Some(top) = layers.last() {
            let top_fd = dhow_sys::path::open_directory(top)
                .map_err(Error::kernel("open the layer", top))?;
            let stat = dhow_sys::fd::stat(top_fd.as_fd())
                .map_err(Error::kernel("look at the layer", top))?;
            mode = stat.st_mode & 0o7777;
            owner = (options.ownership == Ownership::Keep).then_some((stat.st_uid, stat.st_gid));
        }
        if let Some((uid, gid)) = options.owner.or(owner) {
            for directory in [&upper, &work] {
                tree::set_owner_of(directory.as_fd(), uid, gid)
                    .map_err(Error::kernel("set the owner of", place))?;
            }
        }
        tree::set_mode_of(upper.as_fd(), mode).map_err(Error::kernel("set the mode of", place))
    }

    fn root(&self, place: &Path, layers: &[PathBuf], options: &RootOptions) -> Result<Root> {
        if layers.is_empty() {
            // Overlayfs wants at least one layer below.
            return Ok(Root::Directory(place.join("upper")));
        }
        crate::document::within(layers.len(), LAYERS_MAX, "the number of layers", "layers")?;
        for path in layers.iter().map(PathBuf::as_path).chain([place]) {
            check_path(path)?;
        }
        Ok(Root::Overlay {
            lower: layers.iter().rev().cloned().collect(),
            upper: place.join("upper"),
            work: place.join("work"),
            options: mount_options(options),
        })
    }
}

fn open(parent: &OwnedFd, name: &str) -> Result<OwnedFd> {
    tree::open_directory(parent.as_fd(), name.as_ref()).map_err(Error::kernel("open", name))
}

/// Options that do not depend on how the host's kernel was built: a container sees the same rename
/// and link behaviour everywhere, and a layer stays readable without its upper directory's records.
fn mount_options(options: &RootOptions) -> Vec<String> {
    let mut chosen = vec!["index=off"];
    if options.user_namespace {
        // Implies that neither redirects nor metadata-only copies are made.
        chosen.push("userxattr");
    } else {
        chosen.extend(["redirect_dir=off", "metacopy=off"]);
    }
    if options.throwaway {
        // Nobody reads it after a power cut, so syncs inside may be skipped (Linux 5.10).
        chosen.push("volatile");
    }
    chosen.into_iter().map(str::to_owned).collect()
}

/// Mount options have no form of escape that all ways of passing them share.
fn check_path(path: &Path) -> Result<()> {
    let shown = path.to_str().filter(|text| {
        !text.contains([':', ',', '\\', '"'])
            && !text.chars().any(|c| c.is_control() || c.is_whitespace())
    });
    if shown.is_some_and(|text| text.len() < super::FSCONFIG_MAX - "lowerdir+=".len()) {
        return Ok(());
    }
    Err(Error::Unsupported {
        what: format!(
            "an overlay at {path:?}, whose path is long or has white space or one of : , \\ \""
        ),
        way_out: "; move the store elsewhere or use the copy driver",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_mount_options_cannot_carry_are_refused() {
        for path in ["/a:b", "/a,b", "/a\\b", "/a b", "/a\nb"] {
            let error = check_path(Path::new(path)).unwrap_err();
            assert!(error.to_string().contains("copy driver"), "{error}");
        }
        assert!(check_path(Path::new("/var/lib/dhow")).is_ok());
        assert!(check_path(&PathBuf::from("/x".repeat(130))).is_err());
    }

    #[test]
    fn options_follow_the_wishes() {
        let mut wishes = RootOptions::default();
        assert_eq!(
            mount_options(&wishes),
            ["index=off", "redirect_dir=off", "metacopy=off"]
        );
        wishes.user_namespace = true;
        wishes.throwaway = true;
        assert_eq!(
            mount_options(&wishes),
            ["index=off", "userxattr", "volatile"]
        );
    }
}

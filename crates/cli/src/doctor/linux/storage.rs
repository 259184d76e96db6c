//! Where images and containers are kept, and whether layers can be stacked there.

use super::super::Check;
use super::kernel::probe;
use super::read;
use std::fs;
use std::path::{Path, PathBuf};

const AREA: &str = "storage";

/// The directory, its filesystem, overlays on it, and fuse.
pub(super) fn checks(store: &Path) -> Vec<Check> {
    let root = dhow_sys::id::effective_user() == 0;
    let mut checks = vec![directory(store)];
    let scratch = Scratch::near(store);
    if root {
        checks.push(overlay("overlay", "overlay-root", scratch.as_ref(), root));
    }
    checks.push(overlay(
        "overlay without root",
        "overlay-user",
        scratch.as_ref(),
        root,
    ));
    checks.push(fuse());
    checks
}

fn directory(store: &Path) -> Check {
    let mounts = read("/proc/self/mountinfo").unwrap_or_default();
    let existing = nearest(store);
    let mount = mount_of(&mounts, &existing);
    let kind = mount.as_ref().map_or("unknown", |mount| mount.kind);
    let made = if existing == store {
        ""
    } else {
        ", made on first use"
    };
    let check = Check::ok(
        AREA,
        "directory",
        format!("{} on {kind}{made}", store.display()),
    );
    if !dhow_sys::feature::may_write(&existing) {
        let fix = format!(
            "make {} yours, or choose another with --root",
            existing.display()
        );
        return check.missing("images and containers cannot be kept there", fix);
    }
    let forbidden = |option: &str| mount.as_ref().is_some_and(|mount| mount.has(option));
    if forbidden("ro") {
        return check.missing(
            "it is on a read-only mount",
            "choose another directory with --root",
        );
    }
    if forbidden("noexec") || forbidden("nosuid") || forbidden("nodev") {
        return check.limited(
            "its mount forbids programs, set-user-id bits or devices, and so does every container on it",
            "choose another directory with --root, or change the mount's options",
        );
    }
    check
}

/// The closest directory that exists.
fn nearest(path: &Path) -> PathBuf {
    path.ancestors()
        .find(|path| path.is_dir())
        .unwrap_or(Path::new("/"))
        .to_owned()
}

struct Mount<'a> {
    options: &'a str,
    kind: &'a str,
}

impl Mount<'_> {
    fn has(&self, option: &str) -> bool {
        self.options.split(',').any(|own| own == option)
    }
}

/// The mount that `path` is on: the last of those with the longest mount point (`proc_pid_mountinfo(5)`).
fn mount_of<'a>(mountinfo: &'a str, path: &Path) -> Option<Mount<'a>> {
    let parse = |line: &'a str| {
        let (before, after) = line.split_once(" - ")?;
        let mut fields = before.split(' ').skip(4);
        let (point, options) = (fields.next()?, fields.next()?);
        let kind = after.split(' ').next()?;
        path.starts_with(point)
            .then_some((point.len(), Mount { options, kind }))
    };
    mountinfo
        .lines()
        .filter_map(parse)
        .max_by_key(|(length, _)| *length)
        .map(|(_, mount)| mount)
}

/// A directory of our own on the store's filesystem, removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn near(store: &Path) -> Option<Self> {
        let name = format!(".dhow-doctor-{}", std::process::id());
        let candidates = [nearest(store), std::env::temp_dir()];
        let path = candidates
            .iter()
            .map(|parent| parent.join(&name))
            .find(|path| fs::create_dir(path).is_ok())?;
        Some(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // overlayfs leaves `work/work` with mode 0, which only its owner as root could enter.
        for name in ["overlay-root", "overlay-user"] {
            let _ = fs::remove_dir(self.0.join(name).join("work/work"));
        }
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn overlay(name: &'static str, mode: &str, scratch: Option<&Scratch>, root: bool) -> Check {
    let Some(scratch) = scratch else {
        return Check::ok(AREA, name, "not tried: no directory to try it in");
    };
    let directory = scratch.0.join(mode);
    let result = fs::create_dir(&directory)
        .map_err(|error| error.to_string())
        .and_then(|()| probe(mode, &directory));
    let Err(text) = result else {
        return Check::ok(AREA, name, "a file was changed through one");
    };
    let check = Check::ok(AREA, name, text);
    if root && mode == "overlay-user" {
        check.limited(
            "other users' containers each get a full copy of their image",
            "run Linux 5.11 or newer",
        )
    } else {
        check.limited(
            "each container gets a full copy of its image: slower to create, and larger",
            "run Linux 5.11 or newer with CONFIG_OVERLAY_FS, and keep the store on ext4, xfs, btrfs or tmpfs",
        )
    }
}

fn fuse() -> Check {
    let writable = dhow_sys::feature::may_write(Path::new("/dev/fuse"));
    let detail = if writable {
        "/dev/fuse may be opened"
    } else {
        "/dev/fuse is not there or not ours"
    };
    // Nothing in dhow needs it; programs in containers may.
    Check::ok(
        AREA,
        "fuse",
        format!("{detail}; dhow itself does not need it"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFO: &str = "21 1 8:1 / / rw - ext4 /dev/vda rw\n\
                        22 21 0:9 / /home rw,noexec,nodev - xfs /dev/b rw\n\
                        23 21 0:9 / /homeless rw - tmpfs x rw\n";

    #[test]
    fn the_mount_is_the_longest_that_leads_there_by_whole_names() {
        assert_eq!(mount_of(INFO, Path::new("/home/a")).unwrap().kind, "xfs");
        assert!(mount_of(INFO, Path::new("/home/a")).unwrap().has("noexec"));
        assert_eq!(mount_of(INFO, Path::new("/home2")).unwrap().kind, "ext4");
    }

    #[test]
    fn the_scratch_directory_goes_away() {
        let store = std::env::temp_dir().join("dhow-none/deep/store");
        let path = {
            let scratch = Scratch::near(&store).unwrap();
            assert!(scratch.0.is_dir());
            scratch.0.clone()
        };
        assert!(!path.exists());
    }
}

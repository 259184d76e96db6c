//! A directory of its own for each test: a store, and beside it a canary that must never change.

use dhow_image::{Error, Image, LoadOptions, Loaded, Ownership, Store, Unpacked};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

pub(crate) struct Scratch {
    pub(crate) path: PathBuf,
    canary: Vec<String>,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("dhow-image-{}-{number}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        let canary = path.join("canary");
        std::fs::create_dir_all(canary.join("BREAKOUT-parent/empty")).unwrap();
        for name in ["file", "ptmx", "BREAKOUT-parent/f"] {
            std::fs::write(canary.join(name), "canary").unwrap();
        }
        std::fs::set_permissions(canary.join("file"), PermissionsExt::from_mode(0o640)).unwrap();
        let canary = tree(&canary, true);
        Self { path, canary }
    }

    pub(crate) fn store(&self) -> Store {
        Store::open(&self.path.join("store")).unwrap()
    }

    pub(crate) fn canary(&self) -> PathBuf {
        self.path.join("canary")
    }

    pub(crate) fn assert_canary(&self, case: &str) {
        assert_eq!(
            tree(&self.canary(), true),
            self.canary,
            "{case} changed the canary"
        );
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::process::Command::new("chmod")
            .arg("-R")
            .arg("u+rwx")
            .arg(&self.path)
            .output();
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// One line for each name under a directory, sorted: what it is, and with `exact` also mode, owner and time.
pub(crate) fn tree(root: &Path, exact: bool) -> Vec<String> {
    let mut lines = Vec::new();
    let mut waiting = vec![root.to_owned()];
    while let Some(directory) = waiting.pop() {
        for entry in std::fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            let metadata = std::fs::symlink_metadata(&path).unwrap();
            let kind = metadata.file_type();
            let name = path
                .strip_prefix(root)
                .unwrap()
                .to_string_lossy()
                .into_owned();
            let mut line = if kind.is_dir() {
                waiting.push(path.clone());
                format!("{name}/")
            } else if kind.is_symlink() {
                format!("{name} -> {}", std::fs::read_link(&path).unwrap().display())
            } else if kind.is_char_device() && metadata.rdev() == 0 {
                format!("{name} (gone)")
            } else if kind.is_char_device() || kind.is_block_device() {
                format!("{name} (device)")
            } else if kind.is_fifo() {
                format!("{name} (fifo)")
            } else {
                format!(
                    "{name}={}",
                    String::from_utf8_lossy(&std::fs::read(&path).unwrap())
                )
            };
            if exact {
                line += &format!(
                    " {:o} {}:{} {}.{}",
                    metadata.mode() & 0o7777,
                    metadata.uid(),
                    metadata.gid(),
                    metadata.mtime(),
                    metadata.mtime_nsec()
                );
            }
            lines.push(line);
        }
    }
    lines.sort();
    lines
}

/// Loads an archive that is in memory.
pub(crate) fn load(store: &Store, archive: &[u8]) -> Result<Vec<Loaded>, Error> {
    store.load_stream(&mut &*archive, &LoadOptions::default())
}

/// Loads and unpacks an image of these layers.
pub(crate) fn unpack(store: &Store, layers: &[Vec<u8>]) -> Result<(Image, Unpacked), Error> {
    let image = load(
        store,
        &crate::tarball::oci_archive("test.example/image:1", layers),
    )?
    .pop()
    .unwrap()
    .image;
    let unpacked = store.unpack(&image, Ownership::Keep, &mut ())?;
    Ok((image, unpacked))
}

/// The names in a directory.
pub(crate) fn names(path: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

pub(crate) fn is_root() -> bool {
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}

//! Bundles: a root file system of busybox and the probe, and a config.json.

use crate::{Config, program};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};

/// The busybox programs that tests use.
const APPLETS: &[&str] = &[
    "cat", "chmod", "dd", "dirname", "echo", "env", "false", "grep", "head", "hostname", "id",
    "ionice", "ip", "kill", "ln", "ls", "mkdir", "mknod", "mount", "mv", "nice", "ping", "ps",
    "pwd", "readlink", "rm", "sh", "sleep", "sort", "stat", "stty", "sync", "tail", "test",
    "touch", "tr", "true", "tty", "ulimit", "umount", "uname", "wc", "who", "yes",
];

/// A bundle on disk.
#[derive(Clone, Debug)]
pub struct Bundle {
    path: PathBuf,
}

impl Bundle {
    /// Makes a bundle with the base config at this path.
    ///
    /// # Panics
    /// When busybox or the probe is missing, or a file cannot be written.
    #[must_use]
    pub fn new(path: PathBuf, mark: &str) -> Self {
        let bundle = Self { path };
        let rootfs = bundle.rootfs();
        for directory in ["bin", "etc", "tmp", "proc", "sys", "dev", "root", "var"] {
            fs::create_dir_all(rootfs.join(directory)).expect("make the root file system");
        }
        fs::set_permissions(rootfs.join("tmp"), fs::Permissions::from_mode(0o1777))
            .expect("open /tmp to everybody");
        let busybox = program::on_path("busybox").expect("busybox (Debian: busybox-static)");
        fs::copy(busybox, rootfs.join("bin/busybox")).expect("copy busybox");
        for applet in APPLETS {
            symlink("busybox", rootfs.join("bin").join(applet)).expect("link an applet");
        }
        let probe = program::binary("probe").unwrap_or_else(|reason| panic!("{reason}"));
        fs::copy(probe, rootfs.join("bin/probe")).expect("copy the probe");
        bundle.write(&Config::base(mark));
        bundle
    }

    /// The bundle's directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its root file system.
    #[must_use]
    pub fn rootfs(&self) -> PathBuf {
        self.path.join("rootfs")
    }

    /// Changes config.json.
    ///
    /// # Panics
    /// When it cannot be read or written.
    pub fn edit(&self, change: impl FnOnce(&mut Config)) -> &Self {
        let text = fs::read_to_string(self.path.join("config.json")).expect("read config.json");
        let mut config = Config::parse(&text);
        change(&mut config);
        self.write(&config);
        self
    }

    /// Replaces config.json.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write(&self, config: &Value) {
        self.write_text(&serde_json::to_string_pretty(config).expect("JSON prints"));
    }

    /// Replaces config.json by any text.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write_text(&self, text: &str) {
        fs::write(self.path.join("config.json"), text).expect("write config.json");
    }

    /// Gives all of it to a user, for rootless tests.
    ///
    /// # Panics
    /// When a file cannot be changed.
    pub fn give_to(&self, user: u32) {
        give(&self.path, user);
    }
}

fn give(path: &Path, user: u32) {
    let is_link = path.is_symlink();
    if is_link {
        std::os::unix::fs::lchown(path, Some(user), Some(user)).expect("lchown");
        return;
    }
    chown(path, Some(user), Some(user)).expect("chown");
    if path.is_dir() {
        for entry in fs::read_dir(path).expect("list a directory") {
            give(&entry.expect("read a directory").path(), user);
        }
    }
}

//! Where the engine keeps things and which programs it uses.

use std::ffi::OsString;
use std::path::PathBuf;

/// Directories and programs of one engine.
///
/// [`Config::detect`] follows the environment and the user; every field may be changed before
/// [`Engine::open`](crate::Engine::open).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// What survives a reboot: images, containers, volumes, names.
    pub root: PathBuf,
    /// What does not: sockets, locks and runtime state of living containers.
    pub run: PathBuf,
    /// The OCI runtime: a path, or a name that is looked for beside our own program.
    pub runtime: PathBuf,
    /// The monitor program.
    pub monitor: PathBuf,
    /// The program for `--init`.
    pub init: PathBuf,
    /// The command line tool, run again in hidden modes.
    pub helper: PathBuf,
    /// Whether the engine works for an ordinary user, in user namespaces.
    pub rootless: bool,
    /// `overlay`, `copy`, or nothing for the best that works.
    pub storage_driver: Option<String>,
    /// The size in bytes at which a container's log is rotated; `None` never.
    pub log_max_size: Option<u64>,
}

impl Config {
    /// The configuration for a user: `/var/lib/dhow` and `/run/dhow` for root, else
    /// `$XDG_DATA_HOME/dhow` and `$XDG_RUNTIME_DIR/dhow` (fallbacks `~/.local/share/dhow` and
    /// `/tmp/dhow-run-UID`). `DHOW_ROOT`, `DHOW_RUN`, `DHOW_RUNTIME`, `DHOW_MONITOR` and
    /// `DHOW_STORAGE_DRIVER` override.
    ///
    /// `environment` answers for one variable; `user` is the effective user id.
    #[must_use]
    pub fn detect(environment: &dyn Fn(&str) -> Option<OsString>, user: u32) -> Self {
        let path = |name: &str| {
            environment(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        let rootless = user != 0;
        let root = path("DHOW_ROOT").unwrap_or_else(|| {
            if !rootless {
                return PathBuf::from("/var/lib/dhow");
            }
            let home = || {
                path("HOME")
                    .unwrap_or_else(|| "/".into())
                    .join(".local/share")
            };
            path("XDG_DATA_HOME").unwrap_or_else(home).join("dhow")
        });
        let run = path("DHOW_RUN").unwrap_or_else(|| {
            if !rootless {
                return PathBuf::from("/run/dhow");
            }
            path("XDG_RUNTIME_DIR").map_or_else(
                || PathBuf::from(format!("/tmp/dhow-run-{user}")),
                |directory| directory.join("dhow"),
            )
        });
        let program = |variable: &str, name: &str| path(variable).unwrap_or_else(|| name.into());
        Self {
            root,
            run,
            runtime: program("DHOW_RUNTIME", "dhow-runtime"),
            monitor: program("DHOW_MONITOR", "dhow-monitor"),
            init: program("DHOW_INIT", "dhow-init"),
            helper: path("DHOW_HELPER").unwrap_or_default(),
            rootless,
            storage_driver: environment("DHOW_STORAGE_DRIVER")
                .and_then(|value| value.into_string().ok()),
            log_max_size: None,
        }
    }

    /// The configuration for this process.
    #[must_use]
    pub fn of_this_process() -> Self {
        Self::detect(&|name| std::env::var_os(name), crate::config::user())
    }
}

#[cfg(target_os = "linux")]
use dhow_sys::id::effective_user as user;

#[cfg(not(target_os = "linux"))]
use crate::elsewhere::user;

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn detect(pairs: &[(&str, &str)], user: u32) -> Config {
        let find = |name: &str| {
            let found = pairs.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| OsString::from(value))
        };
        Config::detect(&find, user)
    }

    #[test]
    fn root_and_user_have_their_own_places() {
        let root = detect(&[("XDG_RUNTIME_DIR", "/run/user/0")], 0);
        assert_eq!(
            (root.root, root.run, root.rootless),
            ("/var/lib/dhow".into(), "/run/dhow".into(), false)
        );
        let user = detect(
            &[("HOME", "/home/u"), ("XDG_RUNTIME_DIR", "/run/user/7")],
            7,
        );
        assert_eq!(user.root, Path::new("/home/u/.local/share/dhow"));
        assert_eq!(user.run, Path::new("/run/user/7/dhow"));
        assert!(user.rootless);
        let bare = detect(&[("XDG_DATA_HOME", "/d"), ("XDG_RUNTIME_DIR", "")], 7);
        assert_eq!(
            (bare.root, bare.run),
            ("/d/dhow".into(), "/tmp/dhow-run-7".into())
        );
    }

    #[test]
    fn the_environment_overrides() {
        let config = detect(
            &[
                ("DHOW_ROOT", "/a"),
                ("DHOW_RUN", "/b"),
                ("DHOW_RUNTIME", "/usr/bin/runc"),
            ],
            0,
        );
        assert_eq!(
            (config.root, config.run, config.runtime),
            ("/a".into(), "/b".into(), "/usr/bin/runc".into())
        );
    }
}

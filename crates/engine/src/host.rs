//! What this host can do, found out by looking, once per container.

use crate::bundle::{Device, Host};
use crate::options::ContainerOptions;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// The magic number of cgroup version 2 (`CGROUP2_SUPER_MAGIC`).
const CGROUP2: u64 = 0x6367_7270;

/// The cgroups of this host, as far as an engine must know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cgroups {
    /// Whether `/sys/fs/cgroup` is version 2 alone.
    pub(crate) unified: bool,
    /// Whether systemd is to make them: an ordinary user may not.
    pub(crate) systemd: bool,
}

impl Cgroups {
    /// Looks at the mounts and for systemd.
    pub(crate) fn detect(rootless: bool) -> Self {
        let unified = dhow_sys::path::open_directory(Path::new("/sys/fs/cgroup"))
            .and_then(|fd| dhow_sys::fd::filesystem_magic(std::os::fd::AsFd::as_fd(&fd)))
            .is_ok_and(|magic| magic == CGROUP2);
        let user = dhow_sys::id::effective_user();
        let manager = PathBuf::from(format!("/run/user/{user}/systemd/private"));
        Self {
            unified,
            systemd: rootless && unified && manager.exists(),
        }
    }

    /// The value for `cgroupsPath`; `None` leaves it to the runtime, which for an ordinary user means
    /// as much as this user may.
    pub(crate) fn path(&self, id: &str, rootless: bool) -> Option<String> {
        match (self.systemd, rootless) {
            (true, _) => Some(format!("user.slice:dhow:{id}")),
            (false, true) => None,
            (false, false) => Some(format!("/dhow-{id}")),
        }
    }

    /// The file that counts kills for want of memory.
    pub(crate) fn oom_file(&self, id: &str, rootless: bool) -> Option<PathBuf> {
        if self.systemd {
            // A scope below the user's own manager, as the systemd driver names it.
            let user = dhow_sys::id::effective_user();
            let slice = format!("/sys/fs/cgroup/user.slice/user-{user}.slice/user@{user}.service");
            return Some(format!("{slice}/user.slice/dhow-{id}.scope/memory.events").into());
        }
        if rootless {
            return None;
        }
        Some(if self.unified {
            format!("/sys/fs/cgroup/dhow-{id}/memory.events").into()
        } else {
            format!("/sys/fs/cgroup/memory/dhow-{id}/memory.oom_control").into()
        })
    }

    /// Whether the number of processes can be limited without anybody having asked for it.
    fn limits_processes(&self, rootless: bool) -> bool {
        if rootless {
            return self.systemd;
        }
        if self.unified {
            let controllers = std::fs::read_to_string("/sys/fs/cgroup/cgroup.controllers");
            return controllers
                .is_ok_and(|text| text.split_whitespace().any(|name| name == "pids"));
        }
        Path::new("/sys/fs/cgroup/pids/cgroup.procs").exists()
    }
}

/// Gathers the facts for one container.
pub(crate) fn facts(
    cgroups: &Cgroups,
    id: &str,
    options: &ContainerOptions,
    rootless: bool,
) -> Host {
    let hideable = ["/sys/kernel/debug", "/sys/kernel/tracing"];
    Host {
        limits_processes: cgroups.limits_processes(rootless),
        cgroup: cgroups.path(id, rootless),
        processors: processors(),
        apparmor: Path::new("/sys/kernel/security/apparmor").exists(),
        devices: if options.privileged && !rootless {
            devices(Path::new("/dev"))
        } else {
            Vec::new()
        },
        hideable: hideable
            .iter()
            .filter(|path| Path::new(path).exists())
            .map(ToString::to_string)
            .collect(),
    }
}

/// The processors whose throttling can be watched.
fn processors() -> Vec<u32> {
    let entries = std::fs::read_dir("/sys/devices/system/cpu")
        .into_iter()
        .flatten();
    let mut numbers: Vec<u32> = entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let number = name.strip_prefix("cpu")?.parse().ok()?;
            entry
                .path()
                .join("thermal_throttle")
                .exists()
                .then_some(number)
        })
        .collect();
    numbers.sort_unstable();
    numbers
}

/// The device nodes below a directory; terminals, shared memory and mounts of their own are left out,
/// and so are those that the runtime makes anyway.
fn devices(directory: &Path) -> Vec<Device> {
    const NOT: [&str; 12] = [
        "pts", "shm", "mqueue", "fd", "console", "ptmx", "null", "zero", "full", "random",
        "urandom", "tty",
    ];
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        let Ok(metadata) = path.symlink_metadata() else {
            continue;
        };
        let kind = metadata.file_type();
        if NOT.iter().any(|name| entry.file_name() == *name) {
            continue;
        }
        if kind.is_dir() {
            found.extend(devices(&path));
        } else if kind.is_block_device() || kind.is_char_device() {
            let number = metadata.rdev();
            found.push(Device {
                path: path.display().to_string(),
                block: kind.is_block_device(),
                number: (major(number), minor(number)),
                mode: metadata.mode() & 0o777,
            });
        }
    }
    found
}

/// The halves of a device number as Linux packs them, see makedev(3).
fn major(number: u64) -> u32 {
    u32::try_from(((number >> 8) & 0xfff) | ((number >> 32) & 0xffff_f000)).unwrap_or(0)
}

fn minor(number: u64) -> u32 {
    u32::try_from((number & 0xff) | ((number >> 12) & 0xffff_ff00)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_numbers() {
        assert_eq!((major(0x103), minor(0x103)), (1, 3));
        assert_eq!((major(0x0010_fd02), minor(0x0010_fd02)), (0xfd, 0x102));
    }
}

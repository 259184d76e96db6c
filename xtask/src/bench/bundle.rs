//! What the measured containers run: busybox in the namespaces that `runc spec` asks for.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::{make_folder, write_file};
use crate::error::Error;

/// Makes a root file system with a static busybox, and bundles that share it.
///
/// # Errors
/// When busybox is not installed or the files cannot be written.
pub(super) fn root_filesystem(folder: &Path) -> Result<PathBuf, Error> {
    let root = folder.join("rootfs");
    for part in ["bin", "proc", "dev", "sys", "etc", "tmp"] {
        make_folder(&root.join(part))?;
    }
    let busybox = ["/bin/busybox", "/usr/bin/busybox"]
        .iter()
        .find(|path| Path::new(path).is_file());
    let busybox = busybox.ok_or_else(|| Error::Missing {
        tool: "busybox".into(),
        why: "it is the root file system of the measured containers (Debian: busybox-static)"
            .into(),
    })?;
    let copy = root.join("bin/busybox");
    fs::copy(busybox, &copy).map_err(|source| Error::Write { path: copy, source })?;
    for name in ["true", "sleep", "sh"] {
        let link = root.join("bin").join(name);
        if !link.is_symlink() {
            symlink("busybox", &link).map_err(|source| Error::Write { path: link, source })?;
        }
    }
    Ok(root)
}

/// A bundle whose process is `words`.
///
/// # Errors
/// When it cannot be written.
pub(super) fn bundle(folder: &Path, root: &Path, words: &[&str]) -> Result<PathBuf, Error> {
    make_folder(folder)?;
    let capabilities = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"];
    let namespaces =
        ["pid", "network", "ipc", "uts", "mount", "cgroup"].map(|kind| json!({ "type": kind }));
    let masked = [
        "/proc/acpi",
        "/proc/asound",
        "/proc/kcore",
        "/proc/keys",
        "/proc/latency_stats",
    ];
    let masked_too = [
        "/proc/timer_list",
        "/proc/timer_stats",
        "/proc/sched_debug",
        "/sys/firmware",
        "/proc/scsi",
    ];
    let document = json!({
        "ociVersion": "1.0.2",
        "process": {
            "terminal": false,
            "user": { "uid": 0, "gid": 0 },
            "args": words,
            "env": ["PATH=/bin", "TERM=xterm"],
            "cwd": "/",
            "capabilities": {
                "bounding": capabilities, "effective": capabilities, "permitted": capabilities,
            },
            "rlimits": [{ "type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024 }],
            "noNewPrivileges": true,
        },
        "root": { "path": root, "readonly": true },
        "hostname": "bench",
        "mounts": mounts(),
        "linux": {
            "resources": { "devices": [{ "allow": false, "access": "rwm" }] },
            "namespaces": namespaces,
            "maskedPaths": masked.iter().chain(&masked_too).collect::<Vec<_>>(),
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
        },
    });
    write_file(&folder.join("config.json"), &format!("{document:#}"))?;
    Ok(folder.to_path_buf())
}

fn mounts() -> serde_json::Value {
    json!([
        { "destination": "/proc", "type": "proc", "source": "proc" },
        { "destination": "/dev", "type": "tmpfs", "source": "tmpfs",
          "options": ["nosuid", "strictatime", "mode=755", "size=65536k"] },
        { "destination": "/dev/pts", "type": "devpts", "source": "devpts",
          "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"] },
        { "destination": "/dev/shm", "type": "tmpfs", "source": "shm",
          "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"] },
        { "destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": ["nosuid", "noexec", "nodev"] },
        { "destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"] },
        { "destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
          "options": ["nosuid", "noexec", "nodev", "relatime", "ro"] },
    ])
}

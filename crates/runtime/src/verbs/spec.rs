//! `spec`: writes a template of a bundle's document, one that runs as it is.

use crate::cli::{Arguments, Global, Usage, switch, usage_error, value};
use crate::error::{Error, Result};
use serde_json::{Value, json};
use std::ffi::OsString;
use std::io::Write;
use std::path::Path;

/// The command line.
pub const USAGE: Usage = Usage {
    verb: "spec",
    arguments: "[OPTIONS]",
    summary: "Write a template config.json",
    flags: &[
        value(
            "bundle",
            Some('b'),
            "DIR",
            "where to write it [default: the working directory]",
        ),
        switch("rootless", None, "one that an ordinary user can run"),
    ],
    verbatim_after: None,
    example: "dhow-runtime spec --rootless --bundle /srv/web",
};

/// Runs the verb.
///
/// # Errors
/// [`Error::Document`] when there is a `config.json` already, or it cannot be written.
pub fn run(_: &Global, arguments: Vec<OsString>) -> Result<u8> {
    let arguments = Arguments::read(&USAGE, arguments)?;
    if let Some(extra) = arguments.words.first() {
        return Err(usage_error(
            &USAGE,
            &format!("unexpected argument {extra:?}"),
        ));
    }
    let path = Path::new(arguments.value("bundle").unwrap_or(".")).join("config.json");
    let mut document = template();
    if arguments.is_on("rootless") {
        make_rootless(&mut document);
    }
    let text = format!(
        "{}\n",
        serde_json::to_string_pretty(&document).unwrap_or_default()
    );
    let refuse = |error: std::io::Error| {
        let reason = match error.kind() {
            std::io::ErrorKind::AlreadyExists => {
                "exists already; remove it first or choose another --bundle".into()
            }
            _ => format!("cannot be written: {error}"),
        };
        Error::Document {
            path: path.clone(),
            reason,
        }
    };
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&path)
        .map_err(refuse)?;
    file.write_all(text.as_bytes()).map_err(refuse)?;
    Ok(0)
}

const CAPABILITIES: [&str; 3] = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"];

/// What every container here starts from: a shell in `rootfs`, alone in its namespaces.
#[must_use]
pub fn template() -> Value {
    json!({
        "ociVersion": "1.3.0",
        "process": {
            "terminal": true,
            "user": { "uid": 0, "gid": 0 },
            "args": ["sh"],
            "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
            "cwd": "/",
            "capabilities": { "bounding": CAPABILITIES, "effective": CAPABILITIES, "permitted": CAPABILITIES },
            "rlimits": [{ "type": "RLIMIT_NOFILE", "soft": 1024, "hard": 1024 }],
            "noNewPrivileges": true
        },
        "root": { "path": "rootfs", "readonly": true },
        "hostname": "dhow",
        "mounts": mounts(),
        "linux": {
            "namespaces": kinds(&["pid", "network", "ipc", "uts", "mount", "cgroup"]),
            "resources": { "devices": [{ "allow": false, "access": "rwm" }] },
            "maskedPaths": [
                "/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
                "/proc/sched_debug", "/proc/scsi", "/proc/timer_list", "/proc/timer_stats", "/sys/firmware",
                "/sys/devices/virtual/powercap"
            ],
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
        }
    })
}

fn kinds(words: &[&str]) -> Vec<Value> {
    words.iter().map(|word| json!({ "type": word })).collect()
}

fn mount(destination: &str, kind: &str, options: &[&str]) -> Value {
    json!({ "destination": destination, "type": kind, "source": kind, "options": options })
}

fn mounts() -> Vec<Value> {
    vec![
        mount("/proc", "proc", &["nosuid", "noexec", "nodev"]),
        mount(
            "/dev",
            "tmpfs",
            &["nosuid", "strictatime", "mode=755", "size=65536k"],
        ),
        mount(
            "/dev/pts",
            "devpts",
            &[
                "nosuid",
                "noexec",
                "newinstance",
                "ptmxmode=0666",
                "mode=0620",
                "gid=5",
            ],
        ),
        mount(
            "/dev/shm",
            "tmpfs",
            &["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"],
        ),
        mount("/dev/mqueue", "mqueue", &["nosuid", "noexec", "nodev"]),
        mount("/sys", "sysfs", &["nosuid", "noexec", "nodev", "ro"]),
        mount(
            "/sys/fs/cgroup",
            "cgroup",
            &["nosuid", "noexec", "nodev", "relatime", "ro"],
        ),
    ]
}

/// One id, the caller's, as root inside; the network stays the host's, whose sysfs is bound.
fn make_rootless(document: &mut Value) {
    let (uid, gid) = crate::platform::ids();
    document["linux"]["uidMappings"] = json!([{ "containerID": 0, "hostID": uid, "size": 1 }]);
    document["linux"]["gidMappings"] = json!([{ "containerID": 0, "hostID": gid, "size": 1 }]);
    document["linux"]["namespaces"] =
        json!(kinds(&["user", "pid", "ipc", "uts", "mount", "cgroup"]));
    if let Some(linux) = document["linux"].as_object_mut() {
        linux.remove("resources");
    }
    let options = json!(["rbind", "nosuid", "noexec", "nodev", "ro"]);
    let sys =
        json!({ "destination": "/sys", "type": "none", "source": "/sys", "options": options });
    let Some(mounts) = document["mounts"].as_array_mut() else {
        return;
    };
    mounts.retain(|mount| mount["destination"] != "/sys/fs/cgroup");
    for mount in mounts {
        if mount["destination"] == "/sys" {
            *mount = sys.clone();
        } else if mount["destination"] == "/dev/pts"
            && let Some(options) = mount["options"].as_array_mut()
        {
            // Group 5 is not mapped.
            options.retain(|option| option != "gid=5");
        }
    }
}

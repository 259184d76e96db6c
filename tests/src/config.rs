//! A complete minimal config.json, and small edits to it.
//!
//! The base is what `runc spec` writes, less the terminal: eight namespaces save user and time,
//! the usual mounts, three capabilities, the masks. A test changes one thing, so that what
//! fails is what the test is about.

use crate::command::MARK;
use serde_json::{Value, json};
use std::ops::{Deref, DerefMut};

/// The capabilities of the base, as `runc spec` has them.
pub const CAPABILITIES: [&str; 3] = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"];

/// A config.json in the making; it dereferences to the JSON value.
#[derive(Clone, Debug)]
pub struct Config(Value);

impl Deref for Config {
    type Target = Value;
    fn deref(&self) -> &Value {
        &self.0
    }
}

impl DerefMut for Config {
    fn deref_mut(&mut self) -> &mut Value {
        &mut self.0
    }
}

impl Config {
    /// The base, for a test with this mark. It runs `true`.
    #[must_use]
    pub fn base(mark: &str) -> Self {
        let namespaces = ["pid", "network", "ipc", "uts", "mount", "cgroup"];
        Self(json!({
            "ociVersion": "1.0.2",
            "process": {
                "terminal": false,
                "user": {"uid": 0, "gid": 0},
                "args": ["true"],
                "env": ["PATH=/bin", "TERM=xterm", format!("{MARK}={mark}")],
                "cwd": "/",
                "capabilities": {
                    "bounding": CAPABILITIES,
                    "effective": CAPABILITIES,
                    "permitted": CAPABILITIES,
                },
                "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
                "noNewPrivileges": true
            },
            "root": {"path": "rootfs", "readonly": false},
            "hostname": "dhow-test",
            "mounts": mounts(),
            "linux": {
                "namespaces": namespaces.map(|kind| json!({"type": kind})),
                "maskedPaths": [
                    "/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys",
                    "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats",
                    "/proc/sched_debug", "/sys/firmware", "/proc/scsi"
                ],
                "readonlyPaths": [
                    "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"
                ]
            }
        }))
    }

    /// Reads a config.json.
    ///
    /// # Panics
    /// When the text is not JSON.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        Self(serde_json::from_str(text).expect("config.json is JSON"))
    }

    /// Turns the base into what `runc spec --rootless` writes, for this user on the host: a user
    /// namespace in which the user is root, no network namespace, `/sys` bound from the host.
    pub fn rootless(&mut self, user: u32) {
        self.drop_namespace("network");
        self.add_namespace("user", None);
        let map = json!([{"containerID": 0, "hostID": user, "size": 1}]);
        self["linux"]["uidMappings"] = map.clone();
        self["linux"]["gidMappings"] = map;
        let mounts = self["mounts"].as_array_mut().expect("mounts is a list");
        for mount in mounts {
            if mount["destination"] == "/dev/pts" {
                // The group tty (5) is not mapped.
                let options = mount["options"].as_array_mut().expect("options is a list");
                options.retain(|option| option != "gid=5");
            }
            if mount["destination"] == "/sys" {
                // sysfs belongs to the network namespace, which is the host's.
                *mount = json!({
                    "destination": "/sys", "type": "none", "source": "/sys",
                    "options": ["rbind", "nosuid", "noexec", "nodev", "ro"]
                });
            }
        }
    }

    /// What the container runs.
    pub fn args(&mut self, args: &[&str]) {
        self["process"]["args"] = json!(args);
    }

    /// Adds an environment entry.
    pub fn add_env(&mut self, entry: &str) {
        push(&mut self["process"]["env"], json!(entry));
    }

    /// Adds a mount as the last one.
    pub fn add_mount(&mut self, kind: &str, source: &str, destination: &str, options: &[&str]) {
        let mount = json!({
            "type": kind, "source": source, "destination": destination, "options": options
        });
        push(&mut self["mounts"], mount);
    }

    /// Takes the mount at `destination` out.
    pub fn drop_mount(&mut self, destination: &str) {
        self["mounts"]
            .as_array_mut()
            .expect("mounts is a list")
            .retain(|mount| mount["destination"] != destination);
    }

    /// Adds a namespace; with a path it is joined.
    pub fn add_namespace(&mut self, kind: &str, path: Option<&str>) {
        let namespace = match path {
            Some(path) => json!({"type": kind, "path": path}),
            None => json!({"type": kind}),
        };
        push(&mut self["linux"]["namespaces"], namespace);
    }

    /// Takes a namespace out: the container then shares the runtime's.
    pub fn drop_namespace(&mut self, kind: &str) {
        self["linux"]["namespaces"]
            .as_array_mut()
            .expect("namespaces is a list")
            .retain(|namespace| namespace["type"] != kind);
    }

    /// Gives the process these capabilities, in the bounding, effective and permitted sets.
    pub fn capabilities(&mut self, names: &[&str]) {
        self["process"]["capabilities"] =
            json!({"bounding": names, "effective": names, "permitted": names});
    }

    /// Adds a hook of the named kind.
    pub fn add_hook(&mut self, kind: &str, hook: Value) {
        push(&mut self["hooks"][kind], hook);
    }
}

fn mounts() -> Value {
    json!([
        {"destination": "/proc", "type": "proc", "source": "proc"},
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
         "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
        {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
         "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
        {"destination": "/dev/shm", "type": "tmpfs", "source": "shm",
         "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]},
        {"destination": "/sys", "type": "sysfs", "source": "sysfs",
         "options": ["nosuid", "noexec", "nodev", "ro"]}
    ])
}

fn push(list: &mut Value, item: Value) {
    match list {
        Value::Array(items) => items.push(item),
        other => *other = json!([item]),
    }
}

//! What the specification calls REQUIRED is missed by its name, and nothing is guessed in its place.

use dhow_tests::{Config, Test, for_runtimes};
use serde_json::{Value, json};

const THROTTLED: &str = r#"{"major": 8, "minor": 0, "rate": 5}"#;
const THROTTLES: &[&str] = &["major", "minor", "rate"];
const MAPPING: &str = r#"{"containerID": 0, "hostID": 0, "size": 1}"#;
const MAPPINGS: &[&str] = &["containerID", "hostID", "size"];

/// A pointer to an object, the object as it would be complete (nothing: as the base has it), and the properties
/// that are taken out of it, one at a time.
const CASES: &[(&str, &str, &[&str])] = &[
    ("", "", &["ociVersion", "root", "process"]),
    ("/root", "", &["path"]),
    (
        "/mounts/0",
        r#"{"destination": "/proc", "type": "proc"}"#,
        &["destination"],
    ),
    ("/mounts/0/uidMappings/0", MAPPING, MAPPINGS),
    ("/process", "", &["cwd", "args"]),
    ("/process/user", "", &["uid", "gid"]),
    (
        "/process/consoleSize",
        r#"{"height": 1, "width": 1}"#,
        &["height", "width"],
    ),
    (
        "/process/scheduler",
        r#"{"policy": "SCHED_OTHER"}"#,
        &["policy"],
    ),
    (
        "/process/ioPriority",
        r#"{"class": "IOPRIO_CLASS_BE", "priority": 1}"#,
        &["class", "priority"],
    ),
    (
        "/process/rlimits/0",
        r#"{"type": "RLIMIT_CORE", "soft": 0, "hard": 0}"#,
        &["type", "soft", "hard"],
    ),
    ("/hooks/poststop/0", r#"{"path": "/bin/true"}"#, &["path"]),
    ("/linux/namespaces/0", "", &["type"]),
    ("/linux/uidMappings/0", MAPPING, MAPPINGS),
    ("/linux/gidMappings/0", MAPPING, MAPPINGS),
    (
        "/linux/devices/0",
        r#"{"type": "c", "path": "/dev/x", "major": 1, "minor": 3}"#,
        &["type", "path", "major", "minor"],
    ),
    (
        "/linux/resources/devices/0",
        r#"{"allow": true, "access": "rwm"}"#,
        &["allow"],
    ),
    (
        "/linux/resources/hugepageLimits/0",
        r#"{"pageSize": "2MB", "limit": 1}"#,
        &["pageSize", "limit"],
    ),
    (
        "/linux/resources/network/priorities/0",
        r#"{"name": "lo", "priority": 1}"#,
        &["name", "priority"],
    ),
    (
        "/linux/resources/blockIO/weightDevice/0",
        r#"{"major": 8, "minor": 0, "weight": 10}"#,
        &["major", "minor"],
    ),
    (
        "/linux/resources/blockIO/throttleReadBpsDevice/0",
        THROTTLED,
        THROTTLES,
    ),
    (
        "/linux/resources/blockIO/throttleWriteBpsDevice/0",
        THROTTLED,
        THROTTLES,
    ),
    (
        "/linux/resources/blockIO/throttleReadIOPSDevice/0",
        THROTTLED,
        THROTTLES,
    ),
    (
        "/linux/resources/blockIO/throttleWriteIOPSDevice/0",
        THROTTLED,
        THROTTLES,
    ),
    (
        "/linux/memoryPolicy",
        r#"{"mode": "MPOL_DEFAULT"}"#,
        &["mode"],
    ),
    ("/linux/personality", r#"{"domain": "LINUX"}"#, &["domain"]),
    (
        "/linux/seccomp",
        r#"{"defaultAction": "SCMP_ACT_ALLOW"}"#,
        &["defaultAction"],
    ),
    (
        "/linux/seccomp/syscalls/0",
        r#"{"names": ["chroot"], "action": "SCMP_ACT_ERRNO"}"#,
        &["names", "action"],
    ),
    (
        "/linux/seccomp/syscalls/0/args/0",
        r#"{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}"#,
        &["index", "value", "op"],
    ),
];

/// Puts a value at a pointer, making the objects and lists on the way.
fn put(config: &mut Config, pointer: &str, value: Value) {
    let mut at: &mut Value = config;
    for part in pointer.split('/').skip(1) {
        at = if part == "0" {
            if !at.is_array() {
                *at = json!([null]);
            }
            &mut at[0]
        } else {
            &mut at[part]
        };
    }
    *at = value;
}

fn each_is_missed_by_its_name(test: &Test) {
    for (pointer, complete, properties) in CASES {
        for missing in *properties {
            let output = test.run_with(|config| {
                if pointer.starts_with("/linux/seccomp/") {
                    let rule = json!({"names": ["chroot"], "action": "SCMP_ACT_ERRNO"});
                    config["linux"]["seccomp"] =
                        json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]});
                }
                if !complete.is_empty() {
                    let complete = serde_json::from_str(complete).expect("JSON");
                    put(config, pointer, complete);
                }
                let object = config.pointer_mut(pointer).expect("it is there");
                object.as_object_mut().expect("an object").remove(*missing);
            });
            output.fails("config.json").fails(missing);
        }
    }
}

// The rivals take 0 or nothing for what is missing.
for_runtimes!([Dhow]; each_is_missed_by_its_name);

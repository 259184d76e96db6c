//! `features`: what is supported, for programs to read, and true.

use dhow_tests::{Test, for_runtimes, host, schema};
use serde_json::{Value, json};

fn features(test: &Test) -> Value {
    test.runtime().arg("features").run().ok().json()
}

fn follows_the_schema(test: &Test) {
    schema::assert_follows(&features(test), "features-schema.json");
}

fn names_what_engines_ask_for(test: &Test) {
    let features = features(test);
    let kinds = [
        "prestart",
        "createRuntime",
        "createContainer",
        "startContainer",
        "poststart",
        "poststop",
    ];
    assert_eq!(features["hooks"], json!(kinds));
    let namespaces = features["linux"]["namespaces"].as_array().expect("a list");
    for kind in ["cgroup", "ipc", "mount", "network", "pid", "user", "uts"] {
        assert!(namespaces.contains(&json!(kind)), "{kind}");
    }
    let options = features["mountOptions"].as_array().expect("a list");
    for option in [
        "bind", "rbind", "ro", "nosuid", "nodev", "noexec", "rro", "noatime", "private",
    ] {
        assert!(options.contains(&json!(option)), "{option}");
    }
    assert_eq!(features["linux"]["seccomp"]["enabled"], true);
    assert_eq!(features["linux"]["cgroup"]["v1"], true);
    assert_eq!(features["linux"]["cgroup"]["v2"], true);
}

/// Only what this version does, whatever the host has.
fn says_1_3_and_all_namespaces(test: &Test) {
    let features = features(test);
    assert_eq!(features["ociVersionMin"], "1.0.0");
    let highest = features["ociVersionMax"].as_str().expect("text");
    assert!(highest.starts_with("1.3"), "{highest}");
    assert!(
        features["linux"]["namespaces"]
            .as_array()
            .is_some_and(|n| n.contains(&json!("time")))
    );
    assert_eq!(
        features["linux"]["mountExtensions"]["idmap"]["enabled"],
        true
    );
}

/// Every mount option it names is accepted, or refused for its combination, never as unknown.
fn every_named_mount_option_is_known(test: &Test) {
    let features = features(test);
    for option in features["mountOptions"].as_array().expect("a list") {
        let option = option.as_str().expect("text");
        let source = match ["bind", "rbind", "idmap", "ridmap"].contains(&option) {
            true => ("none", "/etc"),
            false => ("tmpfs", "tmpfs"),
        };
        let output = test.run_with(|config| {
            // A remount needs something that is mounted.
            let point = if option == "remount" {
                "/dev/shm"
            } else {
                "/mnt"
            };
            config.add_mount(source.0, source.1, point, &[option]);
        });
        // tmpfs takes no unknown option, so an option handed on as data is an error.
        let needs_a_mapping = option.contains("idmap");
        assert!(
            output.code == Some(0) || needs_a_mapping,
            "{option}: {output}"
        );
    }
}

fn every_named_capability_is_the_kernel_s(test: &Test) {
    let features = features(test);
    let Some(names) = features["linux"]["capabilities"].as_array() else {
        panic!("no capabilities in {features:#}");
    };
    let last = std::fs::read_to_string("/proc/sys/kernel/cap_last_cap").expect("read");
    let last: usize = last.trim().parse().expect("a number");
    assert!(
        names.len() <= last + 1,
        "{} names, the kernel has {}",
        names.len(),
        last + 1
    );
    assert!(names.contains(&json!("CAP_SYS_ADMIN")));
    let _ = host::has_capability(0);
}

for_runtimes!([Dhow, Runc]; follows_the_schema, names_what_engines_ask_for);

// crun 1.8 has no `features`; runc 1.1 is older than 1.3 and names no capabilities it checked.
for_runtimes!([Dhow];
    says_1_3_and_all_namespaces,
    every_named_mount_option_is_known,
    every_named_capability_is_the_kernel_s,
);

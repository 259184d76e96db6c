//! S-HOSTSYSCTL: a namespaced setting applied while the namespace is the host's, and the part of
//! S-ANNOT that smuggles further settings in a key. The values asked for are those in force, so
//! that the host is not harmed where a runtime sets them.

use dhow_tests::{Config, Test, for_each_runtime, for_runtimes};
use serde_json::json;
use std::fs;

fn settings_of_the_host_s_namespaces_are_refused(test: &Test) {
    for (namespace, key, file) in [
        ("network", "net.ipv4.ip_forward", "net/ipv4/ip_forward"),
        ("network", "net.core.somaxconn", "net/core/somaxconn"),
        ("ipc", "kernel.shmmax", "kernel/shmmax"),
        ("ipc", "kernel.sem", "kernel/sem"),
        ("ipc", "fs.mqueue.queues_max", "fs/mqueue/queues_max"),
        ("uts", "kernel.domainname", "kernel/domainname"),
    ] {
        let path = format!("/proc/sys/{file}");
        let Ok(before) = fs::read_to_string(&path) else {
            continue;
        };
        let output = test.run_with(|config| {
            config.drop_namespace(namespace);
            if namespace == "uts" {
                config
                    .as_object_mut()
                    .expect("an object")
                    .remove("hostname");
            }
            config["linux"]["sysctl"] = json!({key: before.trim()});
        });
        output.fails(key);
    }
}

/// Joining the host's namespace by path is the same as having none.
fn the_host_s_namespace_by_path_is_refused(test: &Test) {
    let before = fs::read_to_string("/proc/sys/net/ipv4/ip_forward").expect("read");
    let own = format!("/proc/{}/ns/net", std::process::id());
    let with_path = |config: &mut Config| {
        config.drop_namespace("network");
        config.add_namespace("network", Some(&own));
        config["linux"]["sysctl"] = json!({"net.ipv4.ip_forward": before.trim()});
    };
    test.run_with(with_path).fails("ip_forward");
}

fn keys_with_separators_are_refused(test: &Test) {
    let before = fs::read_to_string("/proc/sys/kernel/core_pattern").expect("read");
    for key in [
        "net.ipv4.ip_forward+kernel.core_pattern",
        "net.ipv4../../kernel/core_pattern",
        "net/../kernel/core_pattern",
        "net.ipv4.ip_forward\nkernel.core_pattern",
        "net.",
        "",
        "/etc/passwd",
    ] {
        let sysctl = json!({key: before.trim()});
        let output = test.run_with(|config| config["linux"]["sysctl"] = sysctl);
        output.fails("sysctl");
    }
}

for_each_runtime!(settings_of_the_host_s_namespaces_are_refused);
for_runtimes!([Dhow, Runc]; the_host_s_namespace_by_path_is_refused);

// The rivals name the key, not the property.
for_runtimes!([Dhow]; keys_with_separators_are_refused);

//! `linux.sysctl`: set in the container's namespaces, refused when it would reach the host (more
//! of that in `security::s_sysctl`).

use dhow_tests::{Test, for_each_runtime};
use serde_json::json;
use std::fs;

fn read_inside(test: &Test, sysctl: serde_json::Value, path: &str) -> String {
    let output = test.run_with(|config| {
        config["linux"]["sysctl"] = sysctl;
        config.args(&["cat", path]);
    });
    output.ok().stdout().trim().to_owned()
}

fn of_the_network_namespace(test: &Test) {
    let path = "/proc/sys/net/ipv4/ip_unprivileged_port_start";
    let host = fs::read_to_string(path).expect("read");
    let value = json!({"net.ipv4.ip_unprivileged_port_start": "77"});
    assert_eq!(read_inside(test, value, path), "77");
    assert_eq!(fs::read_to_string(path).expect("read"), host);
}

fn of_the_ipc_namespace(test: &Test) {
    let host = fs::read_to_string("/proc/sys/kernel/msgmax").expect("read");
    let inside = read_inside(
        test,
        json!({"kernel.msgmax": "4321"}),
        "/proc/sys/kernel/msgmax",
    );
    assert_eq!(inside, "4321");
    assert_eq!(
        fs::read_to_string("/proc/sys/kernel/msgmax").expect("read"),
        host
    );
}

fn slashes_separate_too(test: &Test) {
    let path = "/proc/sys/net/ipv4/conf/lo/forwarding";
    assert_eq!(
        read_inside(test, json!({"net/ipv4/conf/lo/forwarding": "1"}), path),
        "1"
    );
}

fn of_the_host_are_refused_by_name(test: &Test) {
    for (key, file) in [
        ("vm.swappiness", "/proc/sys/vm/swappiness"),
        ("kernel.panic", "/proc/sys/kernel/panic"),
        ("kernel.core_pattern", "/proc/sys/kernel/core_pattern"),
        ("fs.file-max", "/proc/sys/fs/file-max"),
    ] {
        let host = fs::read_to_string(file).expect("read");
        // The value it has: should a runtime set it, the host is not harmed by this test.
        let sysctl = json!({key: host.trim()});
        test.run_with(|config| config["linux"]["sysctl"] = sysctl)
            .fails(key);
    }
}

fn that_do_not_exist_are_refused(test: &Test) {
    let output = test.run_with(|config| config["linux"]["sysctl"] = json!({"net.moon": "1"}));
    output.refuses(["net.moon", "moon", "moon"]);
}

fn with_a_wrong_value_are_refused(test: &Test) {
    let sysctl = json!({"net.ipv4.ip_forward": "many"});
    let output = test.run_with(|config| config["linux"]["sysctl"] = sysctl);
    output.refuses(["net.ipv4.ip_forward", "ip_forward", "ip_forward"]);
}

for_each_runtime!(
    of_the_network_namespace,
    of_the_ipc_namespace,
    slashes_separate_too,
    of_the_host_are_refused_by_name,
    that_do_not_exist_are_refused,
    with_a_wrong_value_are_refused,
);

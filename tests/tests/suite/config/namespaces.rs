//! `linux.namespaces`: new, absent, joined.

use dhow_tests::{Test, for_each_runtime, for_runtimes, needs};
use serde_json::json;
use std::fs;

/// The words of config.json and of /proc/PID/ns.
const KINDS: [(&str, &str); 6] = [
    ("pid", "pid"),
    ("network", "net"),
    ("ipc", "ipc"),
    ("uts", "uts"),
    ("mount", "mnt"),
    ("cgroup", "cgroup"),
];

fn own(kind: &str) -> String {
    let link = fs::read_link(format!("/proc/self/ns/{kind}")).expect("a namespace");
    link.display().to_string()
}

fn those_named_are_new(test: &Test) {
    let report = test.probe_with(|_| {});
    for (_, kind) in KINDS {
        assert_ne!(report["namespaces"][kind], own(kind), "{kind}");
    }
    assert_eq!(report["namespaces"]["user"], own("user"));
    assert_eq!(report["pid"], 1);
    assert_eq!(report["links"], json!(["lo"]));
}

fn those_absent_are_the_callers(test: &Test) {
    for (word, kind) in KINDS.iter().filter(|(word, _)| *word != "mount") {
        let report = test.probe_with(|config| {
            config.drop_namespace(word);
            if *word == "uts" {
                config
                    .as_object_mut()
                    .expect("an object")
                    .remove("hostname");
            }
        });
        assert_eq!(report["namespaces"][kind], own(kind), "{kind}");
    }
}

/// Joined by path, each alone, with the rest new.
fn those_with_a_path_are_joined(test: &Test) {
    let first = test.sleeper("first");
    let pid = first.pid();
    for (word, kind) in [
        ("network", "net"),
        ("ipc", "ipc"),
        ("uts", "uts"),
        ("cgroup", "cgroup"),
    ] {
        let path = format!("/proc/{pid}/ns/{kind}");
        let link = fs::read_link(&path)
            .expect("a namespace")
            .display()
            .to_string();
        let report = test.probe_with(|config| {
            config.drop_namespace(word);
            config.add_namespace(word, Some(&path));
        });
        assert_eq!(report["namespaces"][kind], link, "{kind}");
        assert_ne!(report["namespaces"]["mnt"], own("mnt"));
    }
}

fn a_pid_namespace_is_joined(test: &Test) {
    let first = test.sleeper("first");
    let path = format!("/proc/{}/ns/pid", first.pid());
    let report = test.probe_with(|config| {
        config.drop_namespace("pid");
        config.add_namespace("pid", Some(&path));
    });
    let link = fs::read_link(&path)
        .expect("a namespace")
        .display()
        .to_string();
    assert_eq!(report["namespaces"]["pid"], link);
    assert_ne!(report["pid"], 1);
}

fn a_joined_uts_namespace_takes_the_hostname(test: &Test) {
    let first = test.sleeper("first");
    let path = format!("/proc/{}/ns/uts", first.pid());
    let output = test.run_with(|config| {
        config.drop_namespace("uts");
        config.add_namespace("uts", Some(&path));
        config["hostname"] = json!("renamed");
    });
    output.ok();
    assert_eq!(first.exec(&["hostname"]).ok().stdout(), "renamed\n");
}

fn a_path_that_is_no_namespace_is_refused(test: &Test) {
    for path in ["/proc/self/ns/nothing", "/etc/passwd", "/proc/self/ns/uts"] {
        let output = test.run_with(|config| {
            config.drop_namespace("network");
            config.add_namespace("network", Some(path));
        });
        output.refuses([path, "", ""]);
    }
}

fn the_same_twice_is_refused(test: &Test) {
    let output = test.run_with(|config| config.add_namespace("uts", None));
    output.refuses(["linux.namespaces[6]", "duplicated", ""]);
}

fn a_time_namespace_has_its_offsets(test: &Test) {
    needs!(test, time_namespace);
    let report = test.probe_with(|config| {
        config.add_namespace("time", None);
        config["linux"]["timeOffsets"] =
            json!({"monotonic": {"secs": 1000, "nanosecs": 5}, "boottime": {"secs": 2000}});
    });
    assert_ne!(report["namespaces"]["time"], own("time"));
    let offsets: Vec<_> = report["timeOffsets"]
        .as_str()
        .expect("text")
        .split_whitespace()
        .collect();
    assert_eq!(offsets, ["monotonic", "1000", "5", "boottime", "2000", "0"]);
}

fn time_offsets_without_the_namespace_are_refused(test: &Test) {
    let output = test.run_with(|config| {
        config["linux"]["timeOffsets"] = json!({"monotonic": {"secs": 1}});
    });
    output.fails("linux.timeOffsets");
}

fn exec_joins_a_time_namespace(test: &Test) {
    needs!(test, time_namespace);
    let bundle = test.bundle_with(|config| {
        config.add_namespace("time", None);
        config["linux"]["timeOffsets"] = json!({"monotonic": {"secs": 1000}});
        config.args(&["sleep", "1000"]);
    });
    let container = test.create(&bundle, "a");
    container.start();
    let report = container.exec(&["probe"]).ok().json();
    let link = fs::read_link(format!("/proc/{}/ns/time", container.pid())).expect("a namespace");
    assert_eq!(report["namespaces"]["time"], link.display().to_string());
}

for_each_runtime!(
    those_named_are_new,
    those_absent_are_the_callers,
    those_with_a_path_are_joined,
    a_pid_namespace_is_joined,
    a_joined_uts_namespace_takes_the_hostname,
);

// crun takes the second for the first, and leaves a cgroup when a path is wrong.
for_runtimes!([Dhow, Runc]; the_same_twice_is_refused, a_path_that_is_no_namespace_is_refused);

// runc 1.1 and crun 1.8 know no time namespaces.
for_runtimes!([Dhow];
    a_time_namespace_has_its_offsets,
    time_offsets_without_the_namespace_are_refused,
    exec_joins_a_time_namespace,
);

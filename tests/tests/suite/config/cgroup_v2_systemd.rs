//! Cgroups that systemd makes: properties, paths, and rules that outlive its reloading. Runs in the test VM.

use super::cgroups::{directory, read};
use dhow_tests::{Config, Container, Output, Test, for_runtimes, needs};
use serde_json::json;

/// Creates and starts a container of systemd's; the id stands for it from then on.
fn scope<'a>(test: &'a Test, change: impl FnOnce(&mut Config)) -> (Container<'a>, String) {
    let bundle = test.bundle_with(|config| {
        let path = format!("system.slice:dhowtest:{}", test.mark());
        config["linux"]["cgroupsPath"] = json!(path);
        config.args(&["sleep", "1000"]);
        change(config);
    });
    let id = test.id("a");
    let systemd = || test.runtime().arg("--systemd-cgroup");
    let created = systemd().args(["create", "--bundle"]).arg(bundle.path());
    created.arg(&id).run().ok();
    systemd().args(["start", &id]).run().ok();
    (
        test.container("a"),
        format!("dhowtest-{}.scope", test.mark()),
    )
}

fn refused(test: &Test, change: impl FnOnce(&mut Config)) -> Output {
    let bundle = test.bundle_with(change);
    let command = test.runtime().args(["--systemd-cgroup", "run", "--bundle"]);
    command.arg(bundle.path()).arg(test.id("no")).run()
}

fn annotations_are_properties_of_the_unit(test: &Test) {
    needs!(test, root, cgroup2, systemd);
    let (_container, unit) = scope(test, |config| {
        config["annotations"] = json!({
            "org.systemd.property.TimeoutStopUSec": "uint64 123000000",
            "org.systemd.property.CollectMode": "'inactive-or-failed'",
        });
    });
    let words = [
        "systemctl",
        "show",
        "-p",
        "TimeoutStopUSec",
        "-p",
        "CollectMode",
        &unit,
    ];
    let text = test.command(&words).run().ok().stdout();
    assert!(text.contains("TimeoutStopUSec=2min 3s"), "{text}");
    assert!(text.contains("CollectMode=inactive-or-failed"), "{text}");
}

fn annotations_that_are_no_property_are_refused_by_name(test: &Test) {
    needs!(test, root, cgroup2, systemd);
    for (name, value) in [
        ("Moon", "uint64 1"),
        ("TimeoutStopUSec", "moon"),
        ("Delegate", "false"),
    ] {
        let key = format!("org.systemd.property.{name}");
        let output = refused(test, |config| {
            config["annotations"] = json!({key.clone(): value});
        });
        output.fails(name);
    }
}

fn paths_have_three_parts(test: &Test) {
    needs!(test, root, cgroup2, systemd);
    for path in ["/absolute", "a:b", "nope:dhow:x", "a.slice:dhow:../x"] {
        let output = refused(test, |config| config["linux"]["cgroupsPath"] = json!(path));
        output.fails("linux.cgroupsPath");
    }
}

/// systemd writes its own device rules anew when it reloads; ours must stay in force.
fn device_rules_outlive_a_reload(test: &Test) {
    needs!(test, root, cgroup2, systemd);
    let (container, _) = scope(test, |config| {
        let allowed = json!({"allow": true, "type": "c", "major": 1, "minor": 11, "access": "rw"});
        config["linux"]["resources"] =
            json!({"devices": [{"allow": false, "access": "rwm"}, allowed], "pids": {"limit": 60}});
        config["linux"]["devices"] = json!([
            {"type": "c", "path": "/dev/kmsg", "major": 1, "minor": 11},
            {"type": "c", "path": "/dev/port", "major": 1, "minor": 4},
        ]);
        config.capabilities(&["CAP_SYS_RAWIO", "CAP_SYSLOG"]);
    });
    let opens = |path: &str| {
        let report = container.exec(&["probe", "open", path, "r"]).ok().json();
        report["errno"].as_i64().unwrap_or(0)
    };
    assert_eq!((opens("/dev/kmsg"), opens("/dev/port")), (0, 1));
    test.command(&["systemctl", "daemon-reload"]).run().ok();
    assert_eq!(
        (opens("/dev/kmsg"), opens("/dev/port")),
        (0, 1),
        "after the reload"
    );
    assert_eq!(read(&container, "", "pids.max"), "60", "after the reload");
}

/// A scope is delegated: its user may make groups in it.
fn a_scope_is_given_too(test: &Test) {
    needs!(test, root, cgroup2, systemd);
    use std::os::unix::fs::MetadataExt as _;
    let (container, _) = scope(test, |config| {
        config["process"]["user"] = json!({"uid": 1234, "gid": 1234});
        config.add_mount("cgroup", "cgroup", "/sys/fs/cgroup", &["rw"]);
    });
    let directory = directory(&container, "");
    assert_eq!(std::fs::metadata(&directory).expect("stat").uid(), 1234);
    container.exec(&["mkdir", "/sys/fs/cgroup/sub"]).ok();
    assert!(directory.join("sub").exists());
}

for_runtimes!([Dhow];
    annotations_are_properties_of_the_unit,
    annotations_that_are_no_property_are_refused_by_name,
    paths_have_three_parts,
    device_rules_outlive_a_reload,
    a_scope_is_given_too,
);

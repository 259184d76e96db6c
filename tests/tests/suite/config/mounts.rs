//! `mounts`: every type, every kind of destination, in the order given.

use dhow_tests::{Test, for_each_runtime, for_runtimes, needs};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

/// The last mount at a point, in a report.
fn mount_at<'a>(report: &'a Value, point: &str) -> &'a Value {
    let mounts = report["mounts"].as_array().expect("a list");
    mounts
        .iter()
        .rfind(|mount| mount["point"] == point)
        .unwrap_or_else(|| panic!("nothing is mounted on {point}: {mounts:?}"))
}

/// A directory on the host with a file in it.
fn source(test: &Test, name: &str) -> PathBuf {
    let path = test.root().join(name);
    fs::create_dir(&path).expect("mkdir");
    fs::write(path.join("file"), format!("of {name}\n")).expect("write");
    path
}

fn text(path: &std::path::Path) -> &str {
    path.to_str().expect("a path")
}

fn the_usual_ones_are_of_their_types(test: &Test) {
    let report = test.probe_with(|config| {
        config.add_mount(
            "mqueue",
            "mqueue",
            "/dev/mqueue",
            &["nosuid", "noexec", "nodev"],
        );
    });
    for (point, kind) in [
        ("/proc", "proc"),
        ("/dev", "tmpfs"),
        ("/dev/pts", "devpts"),
        ("/dev/shm", "tmpfs"),
        ("/sys", "sysfs"),
        ("/dev/mqueue", "mqueue"),
    ] {
        assert_eq!(mount_at(&report, point)["type"], kind, "{point}");
    }
}

fn data_goes_to_the_file_system(test: &Test) {
    let report = test.probe_with(|config| {
        config.add_mount(
            "tmpfs",
            "moon",
            "/mnt",
            &["size=7m", "nr_inodes=70", "mode=0750", "uid=5"],
        );
    });
    let mount = mount_at(&report, "/mnt");
    let data = mount["superblock"].as_array().expect("a list");
    for option in ["size=7168k", "nr_inodes=70", "mode=750", "uid=5"] {
        assert!(data.contains(&json!(option)), "{option} is not in {data:?}");
    }
    assert_eq!(mount["source"], "moon");
}

fn a_directory_is_bound(test: &Test) {
    let source = source(test, "source");
    let output = test.run_with(|config| {
        config.add_mount("bind", text(&source), "/deep/mnt", &["bind"]);
        config.args(&["sh", "-c", "cat /deep/mnt/file; touch /deep/mnt/new"]);
    });
    assert_eq!(output.ok().stdout(), "of source\n");
    assert!(source.join("new").exists());
}

fn a_file_is_bound(test: &Test) {
    let source = source(test, "source");
    let output = test.run_with(|config| {
        config.add_mount(
            "bind",
            text(&source.join("file")),
            "/new/name",
            &["bind", "ro"],
        );
        config.args(&["sh", "-c", "cat /new/name; probe open /new/name w"]);
    });
    let text = output.ok().stdout();
    assert!(
        text.starts_with("of source\n") && text.contains("\"errno\":30"),
        "{text}"
    );
}

fn a_bind_needs_no_type(test: &Test) {
    let source = source(test, "source");
    let output = test.run_with(|config| {
        let mount = json!({"destination": "/mnt", "source": source, "options": ["rbind"]});
        config["mounts"].as_array_mut().expect("a list").push(mount);
        config.args(&["cat", "/mnt/file"]);
    });
    assert_eq!(output.ok().stdout(), "of source\n");
}

fn a_relative_source_is_below_the_bundle(test: &Test) {
    let bundle = test.bundle_with(|config| {
        config.add_mount("bind", "data", "/mnt", &["bind"]);
        config.args(&["cat", "/mnt/file"]);
    });
    fs::create_dir(bundle.path().join("data")).expect("mkdir");
    fs::write(bundle.path().join("data/file"), "below\n").expect("write");
    assert_eq!(test.run_bundle(&bundle).ok().stdout(), "below\n");
}

fn rbind_takes_what_is_mounted_below(test: &Test) {
    needs!(test, root);
    let source = source(test, "source");
    fs::create_dir(source.join("below")).expect("mkdir");
    test.command(&["mount", "-t", "tmpfs", "tmpfs"])
        .arg(source.join("below"))
        .run()
        .ok();
    fs::write(source.join("below/deep"), "deep\n").expect("write");
    let look = |option: &str| {
        let output = test.run_with(|config| {
            config.add_mount("bind", text(&source), "/mnt", &[option]);
            config.args(&["ls", "/mnt/below"]);
        });
        output.stdout()
    };
    let found = (look("rbind"), look("bind"));
    test.command(&["umount"])
        .arg(source.join("below"))
        .run()
        .ok();
    assert_eq!(found, ("deep\n".to_owned(), String::new()));
}

fn the_order_is_kept(test: &Test) {
    let (first, second) = (source(test, "first"), source(test, "second"));
    let output = test.run_with(|config| {
        config.add_mount("bind", text(&first), "/mnt", &["bind"]);
        config.add_mount("bind", text(&second), "/mnt", &["bind"]);
        config.args(&["cat", "/mnt/file"]);
    });
    assert_eq!(output.ok().stdout(), "of second\n");
}

fn a_link_in_the_image_leads_inside(test: &Test) {
    let source = source(test, "source");
    let bundle = test.bundle_with(|config| {
        config.add_mount("bind", text(&source), "/link/mnt", &["bind"]);
        config.args(&["cat", "/real/mnt/file"]);
    });
    fs::create_dir(bundle.rootfs().join("real")).expect("mkdir");
    symlink("/real", bundle.rootfs().join("link")).expect("symlink");
    assert_eq!(test.run_bundle(&bundle).ok().stdout(), "of source\n");
}

fn a_missing_source_is_named(test: &Test) {
    let output = test.run_with(|config| {
        config.add_mount("bind", "/nonexistent/source", "/mnt", &["bind"]);
    });
    output.fails("/nonexistent/source");
}

fn a_file_system_that_is_unknown_is_named(test: &Test) {
    let output = test.run_with(|config| config.add_mount("moonfs", "x", "/mnt", &[]));
    output.refuses(["moonfs", "/mnt", "mnt"]);
}

fn data_the_file_system_refuses_is_named(test: &Test) {
    let output = test.run_with(|config| config.add_mount("tmpfs", "x", "/mnt", &["moon=1"]));
    output.refuses(["moon", "moon", "mnt"]);
}

fn a_bind_without_source_is_refused(test: &Test) {
    let output = test.run_with(|config| {
        let mount = json!({"destination": "/mnt", "type": "bind", "options": ["bind"]});
        config["mounts"].as_array_mut().expect("a list").push(mount);
    });
    output.refuses(["mounts[5].source", "", ""]);
}

fn tmpcopyup_takes_what_was_there(test: &Test) {
    let bundle = test.bundle_with(|config| {
        config.add_mount("tmpfs", "tmpfs", "/data", &["tmpcopyup"]);
        config.args(&[
            "sh",
            "-c",
            "cat /data/file /data/dir/deep; touch /data/new; readlink /data/link",
        ]);
    });
    let data = bundle.rootfs().join("data");
    fs::create_dir_all(data.join("dir")).expect("mkdir");
    fs::write(data.join("file"), "one\n").expect("write");
    fs::write(data.join("dir/deep"), "two\n").expect("write");
    symlink("../etc", data.join("link")).expect("symlink");
    assert_eq!(test.run_bundle(&bundle).ok().stdout(), "one\ntwo\n../etc\n");
    assert!(!data.join("new").exists());
}

/// The container sees its own cgroup as the root, read-only when asked.
fn cgroup_shows_its_own(test: &Test) {
    let output = test.run_with(|config| {
        config.add_mount(
            "cgroup",
            "cgroup",
            "/sys/fs/cgroup",
            &["nosuid", "noexec", "nodev", "ro"],
        );
        config.args(&[
            "sh",
            "-c",
            "cat /proc/self/cgroup; find_it=/sys/fs/cgroup; \
            f=$(ls $find_it/cgroup.procs $find_it/pids/cgroup.procs 2>/dev/null | head -n 1); \
            echo \"file $f\"; cat $f; probe mkdir $find_it/x",
        ]);
    });
    let text = output.ok().stdout();
    for line in text
        .lines()
        .filter(|line| line.contains(':') && !line.starts_with('{'))
    {
        assert!(
            line.ends_with(":/"),
            "not the root of its namespace: {line}"
        );
    }
    assert!(text.contains("cgroup.procs\n1\n"), "{text}");
    // Read-only, or not ours to write.
    let is_refused = ["30", "13", "1"]
        .iter()
        .any(|n| text.contains(&format!("\"errno\":{n},")));
    assert!(is_refused, "{text}");
}

/// Files owned by one user on the host appear as another's inside.
fn an_id_mapped_bind_shows_other_owners(test: &Test) {
    needs!(test, root, userns);
    let source = source(test, "source");
    std::os::unix::fs::chown(source.join("file"), Some(4000), Some(4000)).expect("chown");
    let bundle = test.bundle();
    bundle.edit(|config| {
        let map = json!([{"containerID": 4000, "hostID": 7000, "size": 10}]);
        let mount = json!({
            "destination": "/mnt", "type": "bind", "source": source, "options": ["bind"],
            "uidMappings": map, "gidMappings": map
        });
        config["mounts"].as_array_mut().expect("a list").push(mount);
        config.args(&["probe", "stat", "/mnt/file"]);
    });
    let report = test.run_bundle(&bundle).ok().json();
    assert_eq!(report["/mnt/file"]["value"]["uid"], 7000);
}

for_each_runtime!(
    the_usual_ones_are_of_their_types,
    data_goes_to_the_file_system,
    a_directory_is_bound,
    a_file_is_bound,
    a_bind_needs_no_type,
    rbind_takes_what_is_mounted_below,
    the_order_is_kept,
    a_link_in_the_image_leads_inside,
    a_missing_source_is_named,
    a_file_system_that_is_unknown_is_named,
    data_the_file_system_refuses_is_named,
    tmpcopyup_takes_what_was_there,
    a_relative_source_is_below_the_bundle,
);

for_runtimes!([Dhow, Runc]; cgroup_shows_its_own);

// Newer than the rivals of Debian 12; runc binds whatever an empty name leads to.
for_runtimes!([Dhow]; an_id_mapped_bind_shows_other_owners, a_bind_without_source_is_refused);

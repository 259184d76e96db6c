//! Mounts: where from and where to, their id maps, and the words that only a filesystem's whole can have.

use dhow_tests::{Test, for_each_runtime, for_runtimes, needs};
use serde_json::{Value, json};
use std::fs;

const MAP: [(&str, u32); 3] = [("containerID", 0), ("hostID", 100_000), ("size", 65_536)];

fn map() -> Value {
    json!([MAP
        .into_iter()
        .collect::<std::collections::BTreeMap<_, _>>()])
}

/// Deprecated, but to be read as relative to the root (config.md, Mounts).
fn a_relative_destination_is_below_the_root(test: &Test) {
    let report = test.probe_with(|config| {
        config["process"]["cwd"] = json!("/tmp");
        config.add_mount("tmpfs", "tmpfs", "var/below", &[]);
    });
    let mounts = report["mounts"].as_array().expect("a list");
    assert!(
        mounts.iter().any(|mount| mount["point"] == "/var/below"),
        "{mounts:?}"
    );
}

fn an_empty_destination_is_refused(test: &Test) {
    let output = test.run_with(|config| config.add_mount("tmpfs", "tmpfs", "", &[]));
    output.fails("mounts[5].destination");
}

fn a_filesystem_needs_no_source(test: &Test) {
    let report = test.probe_with(|config| {
        let mounts = config["mounts"].as_array_mut().expect("a list");
        mounts.push(json!({"type": "tmpfs", "destination": "/m"}));
    });
    let mounts = report["mounts"].as_array().expect("a list");
    let made = mounts.iter().find(|mount| mount["point"] == "/m");
    assert_eq!(made.expect("it is mounted")["type"], "tmpfs");
}

/// The source of a bind is seen as the map says; this one lies in the bundle.
fn a_relative_source_takes_an_id_map(test: &Test) {
    needs!(test, root, userns);
    let bundle = test.bundle_with(|config| {
        config.add_mount("none", "given", "/mnt", &["rbind", "idmap"]);
        let mount = config["mounts"].as_array_mut().expect("a list").last_mut();
        let mount = mount.expect("one was added");
        mount["uidMappings"] = map();
        mount["gidMappings"] = map();
        config.args(&["probe", "stat", "/mnt/file"]);
    });
    let given = bundle.path().join("given");
    fs::create_dir(&given).expect("mkdir");
    fs::write(given.join("file"), "").expect("write");
    let stat = test.run_bundle(&bundle).ok().json();
    assert_eq!(stat["/mnt/file"]["value"]["uid"], 100_000, "{stat}");
}

/// `ridmap` reaches what is mounted below, `idmap` does not.
fn only_the_recursive_map_reaches_below(test: &Test) {
    needs!(test, root, userns);
    let source = test.root().join("source");
    let below = source.join("below");
    fs::create_dir_all(&below).expect("mkdir");
    test.command(&["mount", "-t", "tmpfs", "tmpfs"])
        .arg(&below)
        .run()
        .ok();
    let look = |word: &str| {
        let bundle = test.bundle_with(|config| {
            config.add_mount(
                "none",
                source.to_str().expect("a path"),
                "/mnt",
                &["rbind", word],
            );
            let mount = config["mounts"].as_array_mut().expect("a list").last_mut();
            let mount = mount.expect("one was added");
            mount["uidMappings"] = map();
            mount["gidMappings"] = map();
            config.args(&["probe", "stat", "/mnt", "/mnt/below"]);
        });
        test.run_command(&bundle, word).run()
    };
    let (once, all) = (look("idmap"), look("ridmap"));
    test.command(&["umount"]).arg(&below).run().ok();
    let uids = |stat: &Value| ["/mnt", "/mnt/below"].map(|path| stat[path]["value"]["uid"].clone());
    assert_eq!(uids(&once.ok().json()), [100_000, 0]);
    assert_eq!(uids(&all.ok().json()), [100_000, 100_000]);
}

/// Without maps of the mount's own those of the container count.
fn the_container_s_map_is_taken_where_none_is_given(test: &Test) {
    needs!(test, root, userns);
    let source = test.root().join("source");
    fs::create_dir(&source).expect("mkdir");
    let bundle = test.bundle_with(|config| {
        config.add_namespace("user", None);
        config["linux"]["uidMappings"] = map();
        config["linux"]["gidMappings"] = map();
        config.add_mount(
            "none",
            source.to_str().expect("a path"),
            "/mnt",
            &["bind", "idmap"],
        );
        config.args(&["probe", "stat", "/mnt"]);
    });
    bundle.give_to(100_000);
    let stat = test.run_bundle(&bundle).ok().json();
    assert_eq!(stat["/mnt"]["value"]["uid"], 0, "{stat}");
}

fn an_id_map_without_any_maps_is_refused(test: &Test) {
    for word in ["idmap", "ridmap"] {
        let output = test.run_with(|config| {
            config.add_mount("none", "/etc", "/mnt", &["rbind", word]);
        });
        output.fails("mounts[5].options").fails("needs uidMappings");
    }
}

fn maps_come_in_twos(test: &Test) {
    for (given, missing) in [
        ("uidMappings", "gidMappings"),
        ("gidMappings", "uidMappings"),
    ] {
        let output = test.run_with(|config| {
            config.add_mount("none", "/etc", "/mnt", &["bind", "idmap"]);
            config["mounts"][5][given] = map();
        });
        output.fails(&format!("mounts[5].{missing}"));
    }
}

/// The kernel lets only root do it: an ordinary user is told, instead of seeing other owners than asked for.
fn an_id_map_of_an_ordinary_user_is_refused(test: &Test) {
    needs!(test, userns);
    let _ = test.become_user();
    let output = test.run_with(|config| {
        config.add_mount("none", "/etc", "/mnt", &["bind", "idmap"]);
        config["mounts"][5]["uidMappings"] = map();
        config["mounts"][5]["gidMappings"] = map();
    });
    output.fails("mounts[5].uidMappings");
}

/// Options of the whole filesystem, as the kernel shows them.
fn words_of_the_filesystem_are_set(test: &Test) {
    let report = test.probe_with(|config| {
        for (number, words) in [
            &["sync"] as &[&str],
            &["sync", "async"],
            &["dirsync"],
            &["lazytime"],
            &["lazytime", "nolazytime"],
            &["sync", "lazytime", "nosuid", "noatime", "iversion"],
            &["iversion", "noiversion"],
        ]
        .iter()
        .enumerate()
        {
            config.add_mount("tmpfs", "tmpfs", &format!("/m{number}"), words);
        }
    });
    let words = |number: usize, which: &str| {
        let mounts = report["mounts"].as_array().expect("a list");
        let point = format!("/m{number}");
        let mount = mounts.iter().find(|mount| mount["point"] == point.as_str());
        let list = mount.expect("it is mounted")[which]
            .as_array()
            .expect("a list")
            .clone();
        move |word: &str| list.contains(&json!(word))
    };
    assert!(words(0, "superblock")("sync"));
    assert!(!words(1, "superblock")("sync"));
    assert!(words(2, "superblock")("dirsync"));
    assert!(words(3, "superblock")("lazytime"));
    assert!(!words(4, "superblock")("lazytime"));
    // The kernel shows no sign of iversion; setting it must take nothing from the others.
    assert!(words(5, "superblock")("sync") && words(5, "superblock")("lazytime"));
    assert!(words(5, "options")("nosuid") && words(5, "options")("noatime"));
    assert!(words(6, "superblock")("rw"));
}

/// What is mounted can be mounted again with other options.
fn remount_changes_what_is_there(test: &Test) {
    let report = test.probe_with(|config| {
        config.add_mount("tmpfs", "tmpfs", "/m", &["nosuid"]);
        config.add_mount("none", "none", "/m", &["remount", "ro", "nosuid"]);
    });
    let mounts = report["mounts"].as_array().expect("a list");
    let options = mounts
        .iter()
        .rfind(|mount| mount["point"] == "/m")
        .expect("it is mounted");
    let options = options["options"].as_array().expect("a list");
    assert!(
        options.contains(&json!("ro")) && options.contains(&json!("nosuid")),
        "{options:?}"
    );
}

for_each_runtime!(a_filesystem_needs_no_source, remount_changes_what_is_there);

// runc 1.1 and crun 1.8 take no relative source for an id map, and know nothing of the words.
for_runtimes!([Dhow];
    a_relative_source_takes_an_id_map,
    only_the_recursive_map_reaches_below,
    the_container_s_map_is_taken_where_none_is_given,
    an_id_map_without_any_maps_is_refused,
    maps_come_in_twos,
    an_id_map_of_an_ordinary_user_is_refused,
    words_of_the_filesystem_are_set,
);

// runc 1.1 follows an older specification; crun calls it invalid.
for_runtimes!([Dhow]; a_relative_destination_is_below_the_root, an_empty_destination_is_refused);

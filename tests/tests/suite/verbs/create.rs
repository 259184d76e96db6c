//! `create`: everything but the user's program.

use dhow_tests::{Test, for_each_runtime, for_runtimes, processes};
use serde_json::json;
use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

fn waits_for_start(test: &Test) {
    let bundle = test.bundle_running(&["touch", "/made"]);
    let container = test.create(&bundle, "a");
    assert_eq!(container.status(), "created");
    assert!(processes::describe(container.pid()).is_some());
    assert!(!bundle.rootfs().join("made").exists());
    container.start();
    container.wait_for("stopped");
    assert!(bundle.rootfs().join("made").exists());
}

fn writes_the_pid_file(test: &Test) {
    let bundle = test.bundle();
    let file = test.root().join("pid");
    let id = test.id("a");
    let command = test.runtime().args(["create", "--pid-file"]).arg(&file);
    command
        .arg("--bundle")
        .arg(bundle.path())
        .arg(&id)
        .run()
        .ok();
    let state = test.runtime().args(["state", &id]).run().ok().json();
    // Digits and nothing else: readers parse the whole file.
    assert_eq!(
        fs::read_to_string(&file).expect("a pid file"),
        state["pid"].to_string()
    );
}

fn uses_the_current_directory_as_bundle(test: &Test) {
    let bundle = test.bundle();
    let id = test.id("a");
    test.runtime()
        .args(["create", &id])
        .cwd(bundle.path())
        .run()
        .ok();
    let state = test.runtime().args(["state", &id]).run().ok().json();
    assert_eq!(state["bundle"], json!(bundle.path()));
}

fn refuses_a_taken_id(test: &Test) {
    let bundle = test.bundle();
    let first = test.create(&bundle, "a");
    let pid = first.pid();
    let text = ["exists", "exists", "exists"];
    first.create_command(&bundle).run().refuses(text);
    // The first one did not suffer.
    assert_eq!((first.status(), first.pid()), ("created".to_owned(), pid));
}

fn refuses_ids_that_are_paths(test: &Test) {
    let bundle = test.bundle();
    for id in ["../x", "a/b", "/tmp/x"] {
        let command = test
            .runtime()
            .args(["create", "--bundle"])
            .arg(bundle.path());
        command
            .arg(id)
            .run()
            .refuses(["id", "invalid container id", ""]);
    }
    assert!(!test.root().join("x").exists());
}

fn refuses_ids_out_of_the_alphabet(test: &Test) {
    let bundle = test.bundle();
    for id in ["", ".", "..", "a b", "a\nb", "é", "a:b", "a\\b", "*"] {
        let command = test
            .runtime()
            .args(["create", "--bundle"])
            .arg(bundle.path());
        command.arg(id).run().refuses(["id", "id", "id"]);
    }
}

fn takes_every_letter_of_the_alphabet(test: &Test) {
    let bundle = test.bundle();
    let container = test.create(&bundle, "Az09_+-.x");
    assert_eq!(container.status(), "created");
}

fn refuses_a_missing_bundle(test: &Test) {
    let command = test
        .runtime()
        .args(["create", "--bundle", "/nonexistent/bundle"]);
    let none = "no such file";
    command
        .arg(test.id("a"))
        .run()
        .refuses(["/nonexistent/bundle", none, none]);
}

fn refuses_a_bundle_without_config(test: &Test) {
    let bundle = test.bundle();
    fs::remove_file(bundle.path().join("config.json")).expect("remove");
    let command = test
        .runtime()
        .args(["create", "--bundle"])
        .arg(bundle.path());
    command.arg(test.id("a")).run().fails("config.json");
}

fn refuses_malformed_json(test: &Test) {
    let bundle = test.bundle();
    for text in [
        "",
        "{",
        "[]",
        "{\"ociVersion\": \"1.0.2\",",
        "null",
        "\u{0}",
    ] {
        bundle.write_text(text);
        let command = test
            .runtime()
            .args(["create", "--bundle"])
            .arg(bundle.path());
        command
            .arg(test.id("a"))
            .run()
            .refuses(["config.json", "", ""]);
    }
}

/// The message names the JSON path of the value, so that its author finds it.
fn names_the_path_of_a_wrong_type(test: &Test) {
    let cases = [
        ("/process/args", json!("true"), "process.args"),
        ("/process/env/1", json!(7), "process.env[1]"),
        ("/process/user/uid", json!(-1), "process.user.uid"),
        (
            "/process/rlimits/0/soft",
            json!("x"),
            "process.rlimits[0].soft",
        ),
        ("/root/readonly", json!("yes"), "root.readonly"),
        ("/mounts/2/options", json!({}), "mounts[2].options"),
        (
            "/linux/namespaces/3/type",
            json!("moon"),
            "linux.namespaces[3].type",
        ),
        ("/linux/maskedPaths", json!(1), "linux.maskedPaths"),
    ];
    for (pointer, value, path) in cases {
        let bundle = test.bundle_with(|config| {
            *config.pointer_mut(pointer).expect("the base has it") = value;
        });
        let command = test
            .runtime()
            .args(["create", "--bundle"])
            .arg(bundle.path());
        command.arg(test.id("a")).run().fails(path);
    }
}

/// Impossible values are refused by path before anything is created.
fn names_the_path_of_an_impossible_value(test: &Test) {
    let cases = [
        ("/process/args", json!([]), "process.args"),
        ("/process/cwd", json!("relative"), "process.cwd"),
        ("/process/cwd", json!(""), "process.cwd"),
        (
            "/process/rlimits/0/type",
            json!("RLIMIT_MOON"),
            "process.rlimits[0].type",
        ),
        ("/process/rlimits/0/soft", json!(2048), "process.rlimits[0]"),
        ("/root/path", json!(""), "root.path"),
        ("/mounts/0/destination", json!(""), "mounts[0].destination"),
        (
            "/linux/namespaces/1",
            json!({"type": "pid"}),
            "linux.namespaces[1]",
        ),
        (
            "/linux/namespaces/1",
            json!({"type": "network", "path": "relative"}),
            "linux.namespaces[1].path",
        ),
        ("/ociVersion", json!("2.0.0"), "ociVersion"),
        ("/ociVersion", json!("banana"), "ociVersion"),
    ];
    for (pointer, value, path) in cases {
        let bundle = test.bundle_with(|config| {
            *config.pointer_mut(pointer).expect("the base has it") = value;
        });
        let command = test
            .runtime()
            .args(["create", "--bundle"])
            .arg(bundle.path());
        command.arg(test.id("a")).run().fails(path);
    }
}

fn refuses_a_config_without_process(test: &Test) {
    let bundle = test.bundle_with(|config| {
        config.as_object_mut().expect("an object").remove("process");
    });
    let command = test
        .runtime()
        .args(["create", "--bundle"])
        .arg(bundle.path());
    let command = command.arg(test.id("a"));
    command
        .run()
        .refuses(["process", "process property must not be empty", ""]);
}

fn ignores_unknown_fields(test: &Test) {
    let bundle = test.bundle_with(|config| {
        config["moon"] = json!({"phase": 3});
        config["process"]["moon"] = json!(1);
        config["linux"]["moon"] = json!([]);
        config["annotations"] = json!({"org.example.moon": "full"});
    });
    let container = test.create(&bundle, "a");
    assert_eq!(container.state()["annotations"]["org.example.moon"], "full");
}

fn refuses_a_rootfs_that_is_missing_or_a_file(test: &Test) {
    let bundle = test.bundle();
    fs::write(bundle.path().join("file"), "").expect("write");
    for path in ["file", "nothing"] {
        bundle.edit(|config| config["root"]["path"] = json!(path));
        let command = test
            .runtime()
            .args(["create", "--bundle"])
            .arg(bundle.path());
        command.arg(test.id("a")).run().refuses([path, "", ""]);
    }
}

/// The specification asks for a directory; a link could be exchanged between check and use.
fn refuses_a_rootfs_that_is_a_link(test: &Test) {
    let bundle = test.bundle();
    symlink("rootfs", bundle.path().join("link")).expect("symlink");
    bundle.edit(|config| config["root"]["path"] = json!("link"));
    let command = test
        .runtime()
        .args(["create", "--bundle"])
        .arg(bundle.path());
    command
        .arg(test.id("a"))
        .run()
        .refuses(["link", "symlink", ""]);
}

fn a_failed_create_frees_the_id(test: &Test) {
    let bundle = test.bundle_with(|config| config.add_mount("nonsense", "x", "/mnt", &[]));
    let container = test.id("a");
    let create = || {
        let command = test
            .runtime()
            .args(["create", "--bundle"])
            .arg(bundle.path());
        command.arg(&container).run()
    };
    create().refuses(["/mnt", "/mnt", "mnt"]);
    test.runtime().args(["state", &container]).run().fails("");
    bundle.edit(|config| config.drop_mount("/mnt"));
    create().ok();
}

fn a_state_directory_that_cannot_be_is_refused(test: &Test) {
    let bundle = test.bundle();
    let command = test
        .bare_runtime()
        .args(["--root", "/proc/nowhere", "create", "--bundle"]);
    let command = command.arg(bundle.path()).arg(test.id("a"));
    command
        .run()
        .refuses(["/proc/nowhere", "/proc/nowhere", "/proc/nowhere"]);
}

/// A full disk: nothing is left and the message says what was full.
fn a_full_state_directory_is_refused(test: &Test) {
    let full = test.root().join("full");
    fs::create_dir(&full).expect("mkdir");
    let options = [
        "mount",
        "-t",
        "tmpfs",
        "-o",
        "size=4k,nr_inodes=40",
        "tmpfs",
    ];
    test.command(&options).arg(&full).run().ok();
    fs::write(full.join("filler"), [0; 4096]).expect("fill it");
    let bundle = test.bundle();
    let id = test.id("a");
    let command = test.bare_runtime().arg("--root").arg(&full);
    let output = command
        .args(["create", "--bundle"])
        .arg(bundle.path())
        .arg(&id)
        .run();
    let left = full.join(&id).exists();
    test.command(&["umount"]).arg(&full).run().ok();
    output.fails("no space left");
    assert!(!left, "the state directory of the container is left");
}

fn no_pivot_still_changes_the_root(test: &Test) {
    let bundle = test.bundle_running(&["ls", "/"]);
    let command = test
        .runtime()
        .args(["run", "--no-pivot", "--bundle"])
        .arg(bundle.path());
    let listing = command.arg(test.id("a")).run().ok().stdout();
    let mut names: Vec<_> = listing.lines().collect();
    names.sort_unstable();
    assert_eq!(
        names,
        ["bin", "dev", "etc", "proc", "root", "sys", "tmp", "var"]
    );
}

fn makes_a_session_keyring_unless_told_not_to(test: &Test) {
    let bundle = test.bundle_with(|config| {
        config["linux"]["maskedPaths"] = json!([]);
        config.args(&["cat", "/proc/keys"]);
    });
    let run = |options: &[&str], name: &str| {
        let command = test.runtime().arg("run").args(options).arg("--bundle");
        command
            .arg(bundle.path())
            .arg(test.id(name))
            .run()
            .ok()
            .stdout()
    };
    // Keyrings of other tests may be listed: only the ids of this one count.
    assert!(run(&[], "a").contains(&test.id("a")));
    assert!(!run(&["--no-new-keyring"], "b").contains(&test.id("b")));
}

fn the_waiting_process_holds_nothing_of_its_creator(test: &Test) {
    let container = test.create(&test.bundle(), "a");
    let pid = container.pid();
    let command = processes::describe(pid).expect("it waits").command;
    let is_shown = processes::eventually(Duration::from_secs(1), || {
        fs::read_to_string(format!("/proc/{pid}/cgroup"))
            .is_ok_and(|text| text.contains(container.id()))
    });
    assert!(is_shown, "{command} is in no cgroup of its own");
}

for_each_runtime!(
    waits_for_start,
    writes_the_pid_file,
    uses_the_current_directory_as_bundle,
    refuses_a_taken_id,
    refuses_ids_that_are_paths,
    takes_every_letter_of_the_alphabet,
    refuses_a_missing_bundle,
    refuses_a_bundle_without_config,
    refuses_malformed_json,
    refuses_a_config_without_process,
    ignores_unknown_fields,
    refuses_a_rootfs_that_is_missing_or_a_file,
    a_failed_create_frees_the_id,
    a_state_directory_that_cannot_be_is_refused,
    no_pivot_still_changes_the_root,
    makes_a_session_keyring_unless_told_not_to,
    the_waiting_process_holds_nothing_of_its_creator,
);

// crun takes almost any id and follows a link that is the rootfs.
for_runtimes!([Dhow, Runc]; refuses_ids_out_of_the_alphabet, refuses_a_rootfs_that_is_a_link);

// The rivals speak in the words of their parsers; runc leaves a state directory on a full disk.
for_runtimes!([Dhow];
    names_the_path_of_a_wrong_type,
    names_the_path_of_an_impossible_value,
    a_full_state_directory_is_refused,
);

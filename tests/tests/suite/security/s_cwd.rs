//! S-CWD (CVE-2024-21626): a working directory that leads through an open descriptor.
//!
//! The caller leaks the host's `/` on descriptors 3 to 64; the config, an image link or `exec`
//! asks to start in one of them. The answer is a refusal or a directory inside.

use dhow_tests::{Canary, Test, for_runtimes};
use serde_json::{Value, json};
use std::os::unix::fs::symlink;

const PLACES: [&str; 8] = [
    "/proc/self/fd/3",
    "/proc/self/fd/7",
    "/proc/self/fd/9",
    "/proc/self/fd/12",
    "/proc/self/fd/64",
    "/proc/thread-self/fd/8",
    "/proc/1/cwd",
    "/proc/self/task/1/root",
];

/// Whether the report, if there is one, is of a process inside the container.
fn assert_inside(output: &dhow_tests::Output, canary: &Canary) {
    assert!(
        !output.stdout().contains("ESCAPED"),
        "the host was seen\n{output}"
    );
    if output.code == Some(0) {
        let answer: Value = output.json();
        let cwd = answer["value"].as_str().unwrap_or("(unreachable)");
        assert!(
            cwd.starts_with('/') && !cwd.contains("unreachable"),
            "{output}"
        );
    } else {
        let text = output.stderr();
        assert!(
            text.contains("cwd") || text.contains("/proc") || text.contains("/link"),
            "{output}"
        );
    }
    canary.assert_untouched();
}

fn run_with_leaked_directories(test: &Test) {
    let canary = Canary::plant(&test.root().join("canary"));
    let bundle = test.bundle_running(&["/bin/probe", "getcwd"]);
    for (number, place) in PLACES.iter().enumerate() {
        bundle.edit(|config| config["process"]["cwd"] = json!(place));
        let command = test
            .runtime_with_descriptors(62, "/")
            .args(["run", "--bundle"]);
        let name = format!("r{number}");
        let output = command.arg(bundle.path()).arg(test.id(&name)).run();
        assert_inside(&output, &canary);
    }
}

fn run_through_an_image_link(test: &Test) {
    let canary = Canary::plant(&test.root().join("canary"));
    for (number, place) in PLACES.iter().enumerate() {
        let bundle = test.bundle_with(|config| {
            config["process"]["cwd"] = json!("/link");
            config.args(&["/bin/probe", "getcwd"]);
        });
        symlink(place, bundle.rootfs().join("link")).expect("symlink");
        let command = test
            .runtime_with_descriptors(62, "/")
            .args(["run", "--bundle"]);
        let name = format!("l{number}");
        let output = command.arg(bundle.path()).arg(test.id(&name)).run();
        assert_inside(&output, &canary);
    }
}

fn exec_with_leaked_directories(test: &Test) {
    let canary = Canary::plant(&test.root().join("canary"));
    let container = test.sleeper("a");
    for place in PLACES {
        let command = test.runtime_with_descriptors(62, "/");
        let command = command.args(["exec", "--cwd", place, container.id()]);
        let output = command.args(["/bin/probe", "getcwd"]).run();
        assert_inside(&output, &canary);
    }
}

/// The directory of the working directory of another process that is outside.
fn the_process_sees_no_host_through_its_directory(test: &Test) {
    let bundle = test.bundle_with(|config| {
        config["process"]["cwd"] = json!("/proc/self/fd/9");
        let script = "ls ../../../../../../../../.. ; cat ../../../../../../../etc/hostname";
        config.args(&["/bin/sh", "-c", script]);
    });
    let command = test
        .runtime_with_descriptors(62, "/")
        .args(["run", "--bundle"]);
    let output = command.arg(bundle.path()).arg(test.id("a")).run();
    assert!(
        !output.stdout().contains("home"),
        "the host's root was listed\n{output}"
    );
}

// The rivals of Debian 12 are from before the fix.
for_runtimes!([Dhow];
    run_with_leaked_directories,
    run_through_an_image_link,
    exec_with_leaked_directories,
    the_process_sees_no_host_through_its_directory,
);

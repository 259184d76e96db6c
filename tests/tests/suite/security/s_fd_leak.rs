//! S-FDLEAK: any descriptor that crosses into the container is a handle to the host.

use dhow_tests::{Test, for_each_runtime, for_runtimes};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::MetadataExt as _;

/// Number and target of each descriptor of a process on the host.
fn descriptors(pid: i32) -> Vec<(String, String)> {
    fs::read_dir(format!("/proc/{pid}/fd"))
        .expect("list descriptors")
        .flatten()
        .filter_map(|entry| {
            let target = fs::read_link(entry.path()).ok()?;
            Some((
                entry.file_name().to_string_lossy().into_owned(),
                target.display().to_string(),
            ))
        })
        .collect()
}

/// While it waits for `start`, init holds only its streams, the gate and the program.
fn the_waiting_process_holds_only_what_it_needs(test: &Test) {
    let bundle = test.bundle();
    let id = test.id("a");
    let command = test
        .runtime_with_descriptors(20, "/")
        .args(["create", "--bundle"]);
    command.arg(bundle.path()).arg(&id).run().ok();
    let pid = test.container("a").pid();
    let held = descriptors(pid);
    let mut strange = Vec::new();
    for (number, target) in &held {
        let is_stream = ["0", "1", "2"].contains(&number.as_str());
        let is_known = target.starts_with("socket:") || target.starts_with("anon_inode:");
        // The program to be executed, opened inside.
        let is_program = target.ends_with("/bin/busybox");
        if !is_stream && !is_known && !is_program {
            strange.push((number, target));
        }
        // No directory at all: each one is a way out for whoever takes over this process.
        let path = format!("/proc/{pid}/fd/{number}");
        if let Ok(meta) = fs::metadata(&path) {
            assert!(
                !meta.is_dir(),
                "{number} is the directory {target} (inode {})",
                meta.ino()
            );
        }
    }
    assert!(strange.is_empty(), "{strange:?} among {held:?}");
    assert!(held.len() <= 9, "{held:?}");
}

fn keys(report: &Value) -> Vec<String> {
    report["fds"]
        .as_object()
        .expect("an object")
        .keys()
        .cloned()
        .collect()
}

fn run_passes_three(test: &Test) {
    let bundle = test.bundle_running(&["/bin/probe"]);
    let command = test
        .runtime_with_descriptors(60, "/")
        .args(["run", "--bundle"]);
    let report = command
        .arg(bundle.path())
        .arg(test.id("a"))
        .run()
        .ok()
        .json();
    assert_eq!(keys(&report), ["0", "1", "2"], "{}", report["fds"]);
}

fn exec_passes_three(test: &Test) {
    let container = test.sleeper("a");
    let command = test.runtime_with_descriptors(60, "/");
    let report = command
        .args(["exec", container.id(), "/bin/probe"])
        .run()
        .ok()
        .json();
    assert_eq!(keys(&report), ["0", "1", "2"], "{}", report["fds"]);
}

/// A hook is a program of the host, but what the caller leaked is not meant for it either.
fn hooks_get_three(test: &Test) {
    let bundle = test.bundle();
    let list = bundle.path().join("list");
    bundle.edit(|config| {
        let command = format!("/bin/ls /proc/self/fd >{}", list.display());
        let hook = serde_json::json!({"path": "/bin/sh", "args": ["sh", "-c", command]});
        config.add_hook("createRuntime", hook);
    });
    let command = test
        .runtime_with_descriptors(60, "/")
        .args(["run", "--bundle"]);
    command.arg(bundle.path()).arg(test.id("a")).run().ok();
    let text = fs::read_to_string(&list).expect("written");
    // ls itself holds the directory it lists.
    assert_eq!(
        text.split_whitespace().collect::<Vec<_>>(),
        ["0", "1", "2", "3"],
        "{text}"
    );
}

for_each_runtime!(run_passes_three);

// crun 1.8 lets descriptors through to exec, and both rivals to hooks.
for_runtimes!([Dhow, Runc]; exec_passes_three);
for_runtimes!([Dhow]; the_waiting_process_holds_only_what_it_needs, hooks_get_three);

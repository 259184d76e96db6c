//! S-RONLY (CVE-2019-18837 and crun's later notes): a masked or read-only path that is a link in
//! the image, and mount flags lost by a fallback.

use dhow_tests::{Config, Test, for_each_runtime, for_runtimes};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::symlink;

/// What the path names is protected, whichever way it is reached.
fn links_in_the_image_do_not_lead_past(test: &Test) {
    let bundle = test.bundle();
    let root = bundle.rootfs();
    fs::create_dir_all(root.join("real/dir")).expect("mkdir");
    fs::write(root.join("real/file"), "secret").expect("write");
    fs::write(root.join("real/dir/file"), "secret").expect("write");
    symlink("real", root.join("link")).expect("symlink");
    symlink("/real/file", root.join("file-link")).expect("symlink");
    bundle.edit(|config| {
        config["linux"]["maskedPaths"] = json!(["/link/dir"]);
        config["linux"]["readonlyPaths"] = json!(["/link/file"]);
        let script = "ls /real/dir; probe open /real/file w; probe open /link/file w; \
                      probe open /file-link w";
        config.args(&["sh", "-c", script]);
    });
    let output = test.run_bundle(&bundle);
    if output.code != Some(0) {
        assert!(output.stderr().contains("/link"), "{output}");
        return;
    }
    let text = output.stdout();
    assert_eq!(text.matches("\"errno\":30").count(), 3, "{text}");
    assert!(
        !text.lines().any(|line| line == "file"),
        "the masked directory shows: {text}"
    );
}

fn options_of(report: &Value, point: &str) -> Vec<String> {
    let mounts = report["mounts"].as_array().expect("a list");
    let mount = mounts
        .iter()
        .rfind(|mount| mount["point"] == point)
        .expect("it is mounted");
    let list = mount["options"].as_array().expect("a list");
    list.iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

/// Thirty combinations of flags on file systems and binds: none is weaker than asked for.
fn no_flag_is_lost(test: &Test) {
    let words = ["ro", "nosuid", "nodev", "noexec"];
    let mut asked: Vec<Vec<&str>> = Vec::new();
    for mask in 1_u32..16 {
        asked.push(
            (0..4)
                .filter(|bit| mask >> bit & 1 == 1)
                .map(|bit| words[bit])
                .collect(),
        );
    }
    let source = test.root().join("source");
    fs::create_dir(&source).expect("mkdir");
    let source = source.to_str().expect("a path");
    let report = test.probe_with(|config: &mut Config| {
        for (number, options) in asked.iter().enumerate() {
            config.add_mount("tmpfs", "tmpfs", &format!("/t{number}"), options);
            let bind = [&["rbind"], options.as_slice()].concat();
            config.add_mount("bind", source, &format!("/b{number}"), &bind);
        }
    });
    for (number, options) in asked.iter().enumerate() {
        for point in [format!("/t{number}"), format!("/b{number}")] {
            let shown = options_of(&report, &point);
            for option in options {
                assert!(
                    shown.iter().any(|o| o == option),
                    "{point} {options:?}: {shown:?}"
                );
            }
        }
    }
}

/// The container cannot lift what was set: not with the capability it does not have, and in a
/// user namespace not even with it.
fn what_is_read_only_stays_so(test: &Test) {
    let output = test.run_with(|config| {
        config["root"]["readonly"] = json!(true);
        let script = "mount -o remount,rw / ; mount -o remount,rw /proc/sys; umount /proc/keys; \
                      probe open /proc/sys/kernel/domainname w; probe mkdir /x";
        config.args(&["sh", "-c", script]);
    });
    let text = output.stdout();
    assert_eq!(text.matches("\"errno\":30").count(), 2, "{output}");
}

for_each_runtime!(no_flag_is_lost, what_is_read_only_stays_so);

// crun 1.8 fails on the link without naming it.
for_runtimes!([Dhow, Runc]; links_in_the_image_do_not_lead_past);

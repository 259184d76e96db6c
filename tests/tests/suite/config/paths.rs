//! `linux.maskedPaths` and `linux.readonlyPaths`.

use dhow_tests::{Test, for_each_runtime, for_runtimes};
use serde_json::{Value, json};
use std::fs;

fn answers(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
        .collect()
}

fn masked_files_are_empty_and_masked_directories_too(test: &Test) {
    let bundle = test.bundle();
    fs::create_dir_all(bundle.rootfs().join("hide/dir")).expect("mkdir");
    fs::write(bundle.rootfs().join("hide/dir/inside"), "secret").expect("write");
    fs::write(bundle.rootfs().join("hide/file"), "secret").expect("write");
    bundle.edit(|config| {
        config["linux"]["maskedPaths"] = json!(["/hide/dir", "/hide/file", "/nothing/here"]);
        let script = "cat /hide/file; ls /hide/dir; probe stat /hide/file; touch /hide/dir/x";
        config.args(&["sh", "-c", script]);
    });
    let output = test.run_bundle(&bundle);
    let report = answers(&output.stdout()).remove(0);
    let file = &report["/hide/file"]["value"];
    assert_eq!(
        (&file["kind"], &file["major"], &file["minor"]),
        (&json!("char"), &json!(1), &json!(3))
    );
    assert!(
        output.stderr().contains("Read-only file system"),
        "{output}"
    );
}

fn readonly_paths_refuse_writes(test: &Test) {
    let bundle = test.bundle();
    fs::create_dir_all(bundle.rootfs().join("keep/below")).expect("mkdir");
    fs::write(bundle.rootfs().join("keep/file"), "x").expect("write");
    fs::write(bundle.rootfs().join("single"), "x").expect("write");
    bundle.edit(|config| {
        config["linux"]["readonlyPaths"] = json!(["/keep", "/single", "/nothing"]);
        let script = "for f in /keep/file /single; do probe open $f w; done; probe mkdir /keep/x; \
                      probe mkdir /keep/below/x; probe read /keep/file; probe mkdir /free";
        config.args(&["sh", "-c", script]);
    });
    let answers = answers(&test.run_bundle(&bundle).ok().stdout());
    let errno: Vec<_> = answers
        .iter()
        .map(|a| a["errno"].as_i64().unwrap_or(0))
        .collect();
    assert_eq!(errno, [30, 30, 30, 30, 0, 0]);
}

/// A path below a mount of its own keeps the flags that mount has.
fn readonly_paths_keep_other_flags(test: &Test) {
    let report = test.probe_with(|config| {
        config.add_mount("tmpfs", "tmpfs", "/mnt", &["nosuid", "nodev", "noexec"]);
        config["linux"]["readonlyPaths"] = json!(["/mnt"]);
    });
    let mounts = report["mounts"].as_array().expect("a list");
    let last = mounts
        .iter()
        .rfind(|mount| mount["point"] == "/mnt")
        .expect("it is mounted");
    let options = last["options"].as_array().expect("a list");
    for option in ["ro", "nosuid", "nodev", "noexec"] {
        assert!(
            options.contains(&json!(option)),
            "{option} is not in {options:?}"
        );
    }
}

fn the_defaults_hold(test: &Test) {
    let output = test.run_with(|config| {
        let script = "probe open /proc/sys/kernel/hostname w; probe open /proc/sys/vm/drop_caches w; \
                      probe read /proc/keys; probe open /proc/kcore w; ls /sys/firmware";
        config.args(&["sh", "-c", script]);
    });
    let answers = answers(&output.ok().stdout());
    assert_eq!(answers[0]["errno"], 30);
    assert_eq!(answers[1]["errno"], 30);
    assert_eq!(answers[2]["value"], "");
}

fn relative_paths_are_refused(test: &Test) {
    for list in ["maskedPaths", "readonlyPaths"] {
        let output =
            test.run_with(|config| config["linux"][list] = json!(["/proc/kcore", "proc/x"]));
        output.fails(&format!("linux.{list}[1]"));
    }
}

for_each_runtime!(
    masked_files_are_empty_and_masked_directories_too,
    readonly_paths_refuse_writes,
    the_defaults_hold,
);

// crun 1.8 loses them: the weakness that its own release notes name.
for_runtimes!([Dhow, Runc]; readonly_paths_keep_other_flags);

// The rivals take them as relative to something.
for_runtimes!([Dhow]; relative_paths_are_refused);

//! S-MASK (CVE-2025-31133, CVE-2025-62161): masking binds a null device that the image or a neighbour
//! chose.

use dhow_tests::racer::race;
use dhow_tests::{Bundle, Canary, Output, Racer, Test, for_runtimes};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

const MASKED: [&str; 3] = ["/proc/kcore", "/proc/timer_list", "/proc/keys"];

/// Every masked file reads empty and is 1:3, or the whole is refused. Never: skipped.
fn check(test: &Test, bundle: &Bundle) {
    bundle.edit(|config| {
        config["linux"]["maskedPaths"] = json!(MASKED);
        let mut words = vec!["/bin/probe", "stat"];
        words.extend(MASKED);
        config.args(&words);
    });
    let output = test.run_bundle(bundle);
    if output.code != Some(0) {
        let text = output.stderr();
        assert!(text.contains("/dev") || text.contains("mask"), "{output}");
        return;
    }
    let report: Value = output.json();
    for path in MASKED {
        if !std::path::Path::new(path).exists() {
            continue;
        }
        let value = &report[path]["value"];
        let found = (&value["kind"], &value["major"], &value["minor"]);
        assert_eq!(
            found,
            (&json!("char"), &json!(1), &json!(3)),
            "{path}\n{output}"
        );
    }
}

/// Without a mount on `/dev` the image's own files are there.
fn image_with_dev(test: &Test, prepare: impl FnOnce(&Bundle)) -> Bundle {
    let bundle = test.bundle_with(|config| {
        for point in ["/dev", "/dev/pts", "/dev/shm"] {
            config.drop_mount(point);
        }
    });
    prepare(&bundle);
    bundle
}

fn null_is_a_link_to_a_setting_of_the_host(test: &Test) {
    let canary = Canary::plant(&test.root().join("canary"));
    let before = fs::read_to_string("/proc/sys/kernel/core_pattern").expect("read");
    for target in [
        "/proc/sys/kernel/core_pattern",
        "/etc/passwd",
        "../../../canary/null",
    ] {
        let bundle = image_with_dev(test, |bundle| {
            symlink(target, bundle.rootfs().join("dev/null")).expect("symlink");
        });
        check(test, &bundle);
    }
    canary.assert_untouched();
    assert_eq!(
        fs::read_to_string("/proc/sys/kernel/core_pattern").expect("read"),
        before
    );
}

fn null_is_missing_a_file_or_a_directory(test: &Test) {
    check(test, &image_with_dev(test, |_| {}));
    check(
        test,
        &image_with_dev(test, |bundle| {
            fs::write(bundle.rootfs().join("dev/null"), "not empty").expect("write");
        }),
    );
    check(
        test,
        &image_with_dev(test, |bundle| {
            fs::create_dir(bundle.rootfs().join("dev/null")).expect("mkdir");
        }),
    );
}

/// The device at the name is another one: masking with it would show its content.
fn null_is_another_device(test: &Test) {
    let bundle = image_with_dev(test, |bundle| {
        let path = bundle.rootfs().join("dev/null");
        test.command(&["mknod"])
            .arg(path)
            .args(["c", "1", "5"])
            .run()
            .ok();
    });
    check(test, &bundle);
}

const SETTING: &str = "/proc/sys/kernel/core_pattern";

/// Says how each masked path looks from inside: device numbers and content of the files, entries
/// of the directory and whether one can be made.
fn script() -> String {
    let files = MASKED.join(" ");
    format!(
        "probe stat {files}; for f in {files}; do head -c 1 $f; done | wc -c; \
         ls -A /sys/firmware | wc -l; probe mkdir /sys/firmware/x"
    )
}

/// The `/dev` is a volume in which a neighbour exchanges the null device for a link to a setting
/// of the host.
fn racing_for_the_null_device(test: &Test) {
    let before = fs::read_to_string(SETTING).expect("read");
    let racer = Racer::start_for(test, "null", Path::new(SETTING), |place| {
        let command = test.command(&["mknod", "-m", "666"]).arg(place);
        command.args(["c", "1", "3"]).run().ok();
    });
    let bundle = image_with_dev(test, |bundle| {
        bundle.edit(|config| {
            let volume = racer.volume().to_str().expect("a path");
            config.add_mount("bind", volume, "/dev", &["rbind"]);
            let paths = [&MASKED[..], &["/sys/firmware"]].concat();
            config["linux"]["maskedPaths"] = json!(paths);
            config["linux"]["readonlyPaths"] = json!([]);
            config.args(&["sh", "-c", &script()]);
        });
    });
    let mut masked = 0;
    race(|_| {
        let output = test.run_bundle(&bundle);
        if output.code.is_none_or(|code| code == 255) || output.stdout().is_empty() {
            let text = output.stderr();
            assert!(text.contains("/dev") || text.contains("mask"), "{output}");
            return;
        }
        assert_masked(&output);
        masked += 1;
    });
    assert!(masked > 0, "nothing was ever masked: a blind test");
    racer.stop();
    assert_eq!(fs::read_to_string(SETTING).expect("read"), before);
}

fn assert_masked(output: &Output) {
    let text = output.stdout();
    let mut lines = text.lines();
    let mut line = || lines.next().unwrap_or_default().trim().to_owned();
    let report: Value = serde_json::from_str(&line()).expect("JSON");
    for path in MASKED.iter().filter(|path| Path::new(path).exists()) {
        let value = &report[path]["value"];
        let found = (&value["kind"], &value["major"], &value["minor"]);
        let null = (&json!("char"), &json!(1), &json!(3));
        assert_eq!(found, null, "{path}\n{output}");
    }
    assert_eq!(line(), "0", "a masked file has content\n{output}");
    assert_eq!(line(), "0", "a masked directory has entries\n{output}");
    let made: Value = serde_json::from_str(&line()).expect("JSON");
    assert_eq!(made["errno"], 30, "{output}");
}

// The rivals of Debian 12 are from before the fix.
for_runtimes!([Dhow];
    null_is_a_link_to_a_setting_of_the_host,
    null_is_missing_a_file_or_a_directory,
    null_is_another_device,
    racing_for_the_null_device,
);

//! S-MASK (CVE-2025-31133, CVE-2025-62161): masking binds a null device that the image chose.

use dhow_tests::{Bundle, Canary, Test, for_runtimes};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::symlink;

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

// The rivals of Debian 12 are from before the fix.
for_runtimes!([Dhow];
    null_is_a_link_to_a_setting_of_the_host,
    null_is_missing_a_file_or_a_directory,
    null_is_another_device,
);

//! S-PROCLINK (CVE-2019-16884, 2019-19921, 2023-27561, 2023-28642, 2025-54867): an image whose
//! `/proc` or `/sys` is a link, or is covered by another mount, so that masks go elsewhere.

use dhow_tests::{Bundle, Canary, Test, for_each_runtime, for_runtimes};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::symlink;

fn replace_by_link(bundle: &Bundle, name: &str, target: &str) {
    let path = bundle.rootfs().join(name);
    fs::remove_dir(&path).expect("rmdir");
    symlink(target, path).expect("symlink");
}

/// Procfs at `/proc`, sysfs at `/sys`, and the masks on them; or a refusal that names the path.
fn check(test: &Test, bundle: &Bundle, name: &str) {
    bundle.edit(|config| config.args(&["/bin/probe"]));
    let output = test.run_command(bundle, name).run();
    if output.code != Some(0) {
        let text = output.stderr();
        assert!(
            text.contains("/proc") || text.contains("/sys") || text.contains("proc"),
            "{output}"
        );
        return;
    }
    let report: Value = output.json();
    let mounts = report["mounts"].as_array().expect("a list");
    let last = |point: &str| mounts.iter().rfind(|mount| mount["point"] == point);
    assert_eq!(last("/proc").expect("a mount")["type"], "proc", "{output}");
    assert_eq!(last("/sys").expect("a mount")["type"], "sysfs", "{output}");
    for masked in [
        "/proc/keys",
        "/proc/timer_list",
        "/proc/sys",
        "/sys/firmware",
    ] {
        assert!(last(masked).is_some(), "{masked} is not masked\n{output}");
    }
}

fn links_in_place_of_proc_and_sys(test: &Test) {
    let canary = Canary::plant(&test.root().join("canary"));
    let outside = "../../canary/empty";
    let absolute = canary.path().join("empty").display().to_string();
    let targets = ["/tmp/evil", "tmp/evil", outside, &absolute, "/", "/nowhere"];
    for (number, target) in targets.iter().enumerate() {
        for name in ["proc", "sys"] {
            let bundle = test.bundle();
            fs::create_dir(bundle.rootfs().join("tmp/evil")).expect("mkdir");
            replace_by_link(&bundle, name, target);
            check(test, &bundle, &format!("{name}{number}"));
        }
    }
    canary.assert_untouched();
}

/// A volume over `/proc`, before and after the real one.
fn covers_before_and_after(test: &Test) {
    let evil = test.root().join("evil");
    for file in ["self/attr", "sys/kernel"] {
        fs::create_dir_all(evil.join(file)).expect("mkdir");
    }
    for (number, kind) in [("tmpfs", "tmpfs"), ("bind", evil.to_str().expect("a path"))]
        .iter()
        .enumerate()
    {
        let options: &[&str] = if kind.0 == "bind" { &["rbind"] } else { &[] };
        let before = test.bundle_with(|config| {
            let mount = json!({"destination": "/proc", "type": kind.0, "source": kind.1, "options": options});
            config["mounts"].as_array_mut().expect("a list").insert(0, mount);
        });
        check(test, &before, &format!("before{number}"));
        let after = test.bundle_with(|config| config.add_mount(kind.0, kind.1, "/proc", options));
        check_covered(test, &after, &format!("after{number}"));
    }
}

/// Covered after the fact by the caller's own config: refused, or what was asked for, with the
/// id of the process still set in the kernel and not in a file that pretends.
fn check_covered(test: &Test, bundle: &Bundle, name: &str) {
    bundle.edit(|config| config.args(&["/bin/true"]));
    let output = test.run_command(bundle, name).run();
    if output.code != Some(0) {
        assert!(output.stderr().contains("proc"), "{output}");
    }
}

for_each_runtime!(links_in_place_of_proc_and_sys);
for_runtimes!([Dhow, Runc]; covers_before_and_after);

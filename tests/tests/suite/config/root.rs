//! `root` and `linux.rootfsPropagation`.

use dhow_tests::{Test, for_each_runtime, for_runtimes};
use serde_json::{Value, json};
use std::path::Path;

/// The mount of `/` in a report: the last one, which covers the others.
fn root_mount(report: &Value) -> &Value {
    let mounts = report["mounts"].as_array().expect("a list");
    mounts
        .iter()
        .rfind(|mount| mount["point"] == "/")
        .expect("a root")
}

fn readonly_means_readonly(test: &Test) {
    let report = test.probe_with(|config| config["root"]["readonly"] = json!(true));
    let options = root_mount(&report)["options"].as_array().expect("a list");
    assert!(options.contains(&json!("ro")), "{options:?}");
    let output = test.run_with(|config| {
        config["root"]["readonly"] = json!(true);
        config.args(&[
            "sh",
            "-c",
            "touch /x; touch /etc/x; touch /dev/shm/x && echo shm",
        ]);
    });
    assert_eq!(output.stdout(), "shm\n");
    assert_eq!(
        output.stderr().matches("Read-only file system").count(),
        2,
        "{output}"
    );
}

fn writable_means_writable(test: &Test) {
    let bundle = test.bundle_running(&["touch", "/x"]);
    test.run_bundle(&bundle).ok();
    assert!(bundle.rootfs().join("x").exists());
}

fn nothing_of_the_host_is_visible(test: &Test) {
    let report = test.probe_with(|_| {});
    let mounts = report["mounts"].as_array().expect("a list");
    for mount in mounts {
        let point = mount["point"].as_str().expect("text");
        let known = ["/", "/proc", "/dev", "/sys"];
        assert!(
            known.contains(&point) || known[1..].iter().any(|k| point.starts_with(k)),
            "{mount}"
        );
    }
    assert_eq!(
        mounts.iter().filter(|mount| mount["point"] == "/").count(),
        1,
        "{mounts:?}"
    );
}

/// What is mounted or unmounted on the host must not show inside, nor the other way round: that
/// includes the small mounts that hide paths and stand for devices.
fn no_mount_is_tied_to_the_host(test: &Test) {
    let report = test.probe_with(|config| {
        config.add_mount("bind", "/etc", "/mnt", &["rbind", "ro"]);
    });
    for mount in report["mounts"].as_array().expect("a list") {
        assert_eq!(mount["propagation"], json!([]), "{mount}");
    }
}

/// The words of the specification, as the kernel shows them on the root mount.
fn propagation_is_what_it_says(test: &Test) {
    let cases = [
        ("shared", "shared:"),
        ("slave", "master:"),
        ("private", ""),
        ("unbindable", "unbindable"),
    ];
    for (word, sign) in cases {
        let report = test.probe_with(|c| c["linux"]["rootfsPropagation"] = json!(word));
        let fields = root_mount(&report)["propagation"]
            .as_array()
            .expect("a list")
            .clone();
        let fields: Vec<_> = fields.iter().filter_map(Value::as_str).collect();
        // The host's mounts may be private: a slave of nothing shows nothing.
        let is_right = match word {
            "private" => fields.is_empty(),
            "slave" => !fields.iter().any(|field| field.starts_with("shared:")),
            _ => fields.iter().any(|field| field.starts_with(sign)),
        };
        assert!(is_right, "{word}: {fields:?}");
    }
}

fn an_unknown_propagation_is_refused(test: &Test) {
    let output = test.run_with(|c| c["linux"]["rootfsPropagation"] = json!("moon"));
    output.refuses(["linux.rootfsPropagation", "moon", ""]);
}

fn a_relative_path_is_below_the_bundle(test: &Test) {
    let bundle = test.bundle();
    std::fs::create_dir(bundle.path().join("a")).expect("mkdir");
    std::fs::rename(bundle.rootfs(), bundle.path().join("a/b")).expect("rename");
    bundle.edit(|config| config["root"]["path"] = json!("a/b"));
    test.run_bundle(&bundle).ok();
}

fn an_absolute_path_is_taken_as_it_is(test: &Test) {
    let bundle = test.bundle();
    let path = test.root().join("elsewhere");
    std::fs::rename(bundle.rootfs(), &path).expect("rename");
    bundle.edit(|config| config["root"]["path"] = json!(path));
    test.run_bundle(&bundle).ok();
}

/// The engine's way: an overlay as the first mount, at `/`, over the bundle's directory. The pivot
/// must let go of everything below it, or who joins the namespace later is back on the host.
fn a_mount_over_the_root_leaves_nothing_of_the_host(test: &Test) {
    let bundle = test.bundle_with(|config| config.args(&["sleep", "1000"]));
    let layer = |name: &str| {
        let path = test.root().join(name);
        std::fs::create_dir(&path).expect("mkdir");
        path.display().to_string()
    };
    let (upper, work) = (layer("upper"), layer("work"));
    let options = json!([
        format!("lowerdir={}", bundle.rootfs().display()),
        format!("upperdir={upper}"),
        format!("workdir={work}"),
    ]);
    bundle.edit(|config| {
        let first =
            json!({"destination": "/", "type": "overlay", "source": "overlay", "options": options});
        config["mounts"]
            .as_array_mut()
            .expect("a list")
            .insert(0, first);
    });
    let container = test.create(&bundle, "a");
    container.start();
    let report = container.exec(&["probe"]).ok().json();
    let mounts = report["mounts"].as_array().expect("a list");
    let roots: Vec<_> = mounts.iter().filter(|m| m["point"] == "/").collect();
    assert_eq!(roots.len(), 1, "{mounts:?}");
    container.exec(&["touch", "/made-by-exec"]).ok();
    assert!(Path::new(&upper).join("made-by-exec").exists());
    assert!(!Path::new("/made-by-exec").exists());
}

for_each_runtime!(
    readonly_means_readonly,
    writable_means_writable,
    nothing_of_the_host_is_visible,
    no_mount_is_tied_to_the_host,
    a_relative_path_is_below_the_bundle,
    an_absolute_path_is_taken_as_it_is,
);

// Nobody else takes a mount at `/` itself.
for_runtimes!([Dhow]; a_mount_over_the_root_leaves_nothing_of_the_host);

// crun takes any word.
for_runtimes!([Dhow, Runc]; an_unknown_propagation_is_refused);

// runc 1.1 leaves the root private whatever is asked for.
for_runtimes!([Dhow, Crun]; propagation_is_what_it_says);

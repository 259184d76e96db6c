//! S-ROOTWRITE (CVE-2025-24965 and others): a file that the runtime or the engine puts into the root
//! file system is there already, as a link to the host, a FIFO, a device or a directory.

use dhow_tests::{Canary, Dhow, Image, Layer, Output, Test, for_runtimes, needs};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What engines put into a root, and what runtimes look into or make there.
const NAMES: [&str; 7] = [
    "etc/resolv.conf",
    "etc/hosts",
    "etc/hostname",
    "etc/passwd",
    "etc/group",
    "run/.containerenv",
    "dev/console",
];

/// How a name may be taken.
const FORMS: [&str; 8] = [
    "absolute link",
    "relative link",
    "link to a directory",
    "dangling link",
    "fifo",
    "device",
    "directory",
    "file nobody may read",
];

/// A hang would be a wait for the other end of a FIFO.
const LIMIT: Duration = Duration::from_secs(10);

fn take(test: &Test, canary: &Path, place: &Path, form: &str) {
    fs::create_dir_all(place.parent().expect("a parent")).expect("mkdir");
    remove(place);
    let up = PathBuf::from("../../../../../../../../../..");
    let link = |target: PathBuf| symlink(target, place).expect("symlink");
    let mknod = |words: &[&str]| {
        test.command(&["mknod"]).arg(place).args(words).run().ok();
    };
    match form {
        "absolute link" => link(canary.join("secret")),
        "relative link" => link(
            up.join(canary.strip_prefix("/").expect("absolute"))
                .join("secret"),
        ),
        "link to a directory" => link(canary.to_owned()),
        "dangling link" => link(canary.join("new")),
        "fifo" => mknod(&["p"]),
        // /dev/zero: whoever reads it to its end never ends.
        "device" => mknod(&["c", "1", "5"]),
        "directory" => fs::create_dir(place).expect("mkdir"),
        _ => {
            fs::write(place, "").expect("write");
            fs::set_permissions(place, Permissions::from_mode(0o000)).expect("chmod");
        }
    }
}

fn remove(place: &Path) {
    if place.is_dir() && !place.is_symlink() {
        fs::remove_dir(place).expect("rmdir");
    } else if place.symlink_metadata().is_ok() {
        fs::remove_file(place).expect("remove");
    }
}

/// Either it ran, or the message says which file was in the way.
fn ran_or_named(output: &Output, name: &str) {
    let file = name.rsplit('/').next().unwrap_or_default();
    let is_named = output.stderr().contains(file) || output.stderr().contains("/dev");
    assert!(output.code == Some(0) || is_named, "{name}: {output}");
}

fn the_runtime_writes_none_of_them(test: &Test) {
    needs!(test, root);
    let canary = Canary::plant(&test.root().join("canary"));
    let prepared = test.root().join("prepared");
    fs::write(&prepared, "prepared").expect("write");
    let bundle = test.bundle_with(|config| {
        // The image's own /dev, so that the console is made in it.
        for point in ["/dev", "/dev/pts", "/dev/shm"] {
            config.drop_mount(point);
        }
        config.add_mount(
            "devpts",
            "devpts",
            "/dev/pts",
            &["newinstance", "ptmxmode=0666"],
        );
        config.args(&["cat", "/etc/hosts"]);
    });
    let mut run = 0;
    for name in NAMES {
        let place = bundle.rootfs().join(name);
        for form in FORMS {
            take(test, canary.path(), &place, form);
            bundle.edit(|config| {
                config["mounts"].as_array_mut().expect("a list").truncate(3);
                let source = prepared.to_str().expect("a path");
                let options = ["bind", "ro"];
                config.add_mount("bind", source, "/etc/hosts", &options);
                if name != "etc/hosts" && name != "etc/passwd" {
                    config.add_mount("bind", source, &format!("/{name}"), &options);
                }
            });
            let output = test.run_command(&bundle, "run").limit(LIMIT).run();
            canary.assert_untouched();
            ran_or_named(&output, name);
            if output.code == Some(0) {
                assert_eq!(output.stdout(), "prepared", "{name}, {form}");
                run += 1;
            }
        }
        remove(&place);
    }
    assert_eq!(fs::read_to_string(&prepared).expect("read"), "prepared");
    assert!(run > NAMES.len(), "only {run} ran: a blind test");
}

/// A layer with the engine's own files in this form.
fn layer(canary: &Path, form: &str) -> Layer {
    let secret = canary.join("secret").display().to_string();
    let relative = format!("../../../../../../../../..{secret}");
    let new = canary.join("new").display().to_string();
    let directory = canary.display().to_string();
    let base = Layer::default().directory("etc/");
    ["etc/resolv.conf", "etc/hosts", "etc/hostname"]
        .iter()
        .fold(base, |layer, name| match form {
            "absolute link" => layer.symlink(name, &secret),
            "relative link" => layer.symlink(name, &relative),
            "link to a directory" => layer.symlink(name, &directory),
            "dangling link" => layer.symlink(name, &new),
            "fifo" => layer.entry(name, b'6', 0o644, "", b""),
            "device" => layer.entry(name, b'3', 0o666, "", b""),
            "directory" => layer.directory(&format!("{name}/")),
            _ => layer.file(name, 0, b""),
        })
}

/// The engine's own files are mounts of what was prepared outside the root.
fn the_engine_writes_none_of_them(test: &Test) {
    needs!(test, root, busybox, overlay);
    let canary = Canary::plant(&test.root().join("canary"));
    let dhow = Dhow::new(test);
    let mut run = 0;
    for (number, form) in FORMS.iter().enumerate() {
        let layout = test.root().join(format!("layout{number}"));
        let name = format!("box:{number}");
        Image::with_layer(layer(canary.path(), form)).write_layout(&layout, &name);
        dhow.command()
            .args(["load", "--input"])
            .arg(&layout)
            .run()
            .ok();
        let words = ["cat", "/etc/hostname"];
        let output = dhow.run_image(&["--rm", "--hostname", "mine"], &name, &words);
        let output = output.limit(LIMIT).run();
        canary.assert_untouched();
        if output.code == Some(0) {
            assert_eq!(output.stdout(), "mine\n", "{form}");
            run += 1;
        } else {
            output.fails("/etc/");
        }
    }
    assert!(run > 1, "only {run} ran: a blind test");
}

for_runtimes!([Dhow]; the_runtime_writes_none_of_them, the_engine_writes_none_of_them);

//! S-MKDIR (CVE-2024-45310, CVE-2026-55686): mount points and working directories made through
//! links of the image, or of a volume that a neighbour changes at the same moment.

use dhow_tests::racer::{PLACE, race};
use dhow_tests::{Bundle, Canary, Racer, Test, for_each_runtime, for_runtimes};
use serde_json::json;
use std::fs;
use std::os::unix::fs::symlink;

/// The canary, and an image with links that try to reach it.
fn image(test: &Test) -> (Canary, Bundle) {
    let canary = Canary::plant(&test.root().join("canary"));
    let bundle = test.bundle();
    let root = bundle.rootfs();
    symlink(
        "../../../../../../../../..".to_owned() + canary.path().to_str().expect("a path"),
        root.join("up"),
    )
    .expect("symlink");
    symlink(canary.path(), root.join("absolute")).expect("symlink");
    symlink("../../canary", root.join("near")).expect("symlink");
    // Two innocent links that combine: what the words say and what the kernel does differ.
    fs::create_dir_all(root.join("a/b/c")).expect("mkdir");
    symlink("a/b/c", root.join("deep")).expect("symlink");
    symlink("deep/../../../../../canary", root.join("chain")).expect("symlink");
    (canary, bundle)
}

const LINKS: [&str; 4] = ["up", "absolute", "near", "chain"];

fn working_directories_stay_inside(test: &Test) {
    let (canary, bundle) = image(test);
    for (number, link) in LINKS.iter().enumerate() {
        for (which, tail) in ["BREAKOUT", "BREAKOUT-parent/BREAKOUT", "empty/x/y"]
            .iter()
            .enumerate()
        {
            bundle.edit(|config| config["process"]["cwd"] = json!(format!("/{link}/{tail}")));
            let output = test
                .run_command(&bundle, &format!("c{number}-{which}"))
                .run();
            canary.assert_untouched();
            let is_named = output.stderr().contains(link) || output.stderr().contains("cwd");
            assert!(output.code == Some(0) || is_named, "{output}");
        }
    }
}

fn mount_points_stay_inside(test: &Test) {
    let (canary, bundle) = image(test);
    for (number, link) in LINKS.iter().enumerate() {
        for (which, tail) in ["BREAKOUT", "BREAKOUT-parent/BREAKOUT/x", "../../../x"]
            .iter()
            .enumerate()
        {
            bundle.edit(|config| {
                config.drop_mount("/probe-mount");
                let point = format!("/{link}/{tail}");
                config["mounts"].as_array_mut().expect("a list").truncate(5);
                config.add_mount("tmpfs", "tmpfs", &point, &[]);
            });
            let output = test
                .run_command(&bundle, &format!("c{number}-{which}"))
                .run();
            canary.assert_untouched();
            let is_named = output.stderr().contains(link);
            assert!(output.code == Some(0) || is_named, "{output}");
        }
    }
}

/// S-CREATEFILE: a file mount whose target is a link to a file of the host, or a hard link.
fn mount_targets_are_not_truncated(test: &Test) {
    let (canary, bundle) = image(test);
    let source = test.root().join("source");
    fs::write(&source, "new").expect("write");
    let kept = bundle.rootfs().join("kept");
    fs::write(&kept, "content").expect("write");
    fs::hard_link(&kept, bundle.rootfs().join("target")).expect("link");
    symlink(
        canary.path().join("secret"),
        bundle.rootfs().join("leading"),
    )
    .expect("symlink");
    for (number, point) in ["/target", "/leading"].iter().enumerate() {
        bundle.edit(|config| {
            config["mounts"].as_array_mut().expect("a list").truncate(5);
            config.add_mount("bind", source.to_str().expect("a path"), point, &["bind"]);
        });
        let output = test.run_command(&bundle, &format!("c{number}")).run();
        canary.assert_untouched();
        assert_eq!(fs::read_to_string(&kept).expect("read"), "content");
        assert!(
            output.code == Some(0) || output.stderr().contains(&point[1..]),
            "{output}"
        );
    }
}

/// Both at once, while the directory that they are made in is exchanged for a link to the canary.
fn racing_for_what_is_made(test: &Test) {
    let canary = Canary::plant(&test.root().join("canary"));
    let racer = Racer::start(test, canary.path(), |_| {});
    let source = racer.volume().to_str().expect("a path").to_owned();
    let bundle = test.bundle_with(|config| {
        config.add_mount("bind", &source, "/volume", &["rbind"]);
    });
    let (mut made, mut refused) = (0, 0);
    race(|number| {
        bundle.edit(|config| {
            config["mounts"].as_array_mut().expect("a list").truncate(6);
            let point = format!("/volume/{PLACE}/BREAKOUT-parent/{number}/x");
            config.add_mount("tmpfs", "tmpfs", &point, &["size=64k"]);
            let cwd = format!("/volume/{PLACE}/BREAKOUT-{number}/y");
            config["process"]["cwd"] = json!(cwd);
        });
        let output = test.run_bundle(&bundle);
        canary.assert_untouched();
        if output.code == Some(0) {
            made += 1;
        } else {
            let text = output.stderr();
            let is_named = text.contains("/volume") || text.contains("working directory");
            assert!(is_named, "{output}");
            refused += 1;
        }
    });
    eprintln!("{made} made inside, {refused} refused");
    assert!(made > 0, "none was made: a blind test");
    racer.stop();
}

for_each_runtime!(mount_points_stay_inside, mount_targets_are_not_truncated);
for_runtimes!([Dhow, Runc]; working_directories_stay_inside);

// What the rivals of Debian 12 do when disturbed is not said in one word.
for_runtimes!([Dhow]; racing_for_what_is_made);

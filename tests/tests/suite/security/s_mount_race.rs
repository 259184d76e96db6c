//! S-MNTRACE (CVE-2021-30465): the target of a mount is checked, then mounted on by name, while a
//! container that shares the volume exchanges its parent for a link to `/`.

use dhow_tests::racer::{PLACE, race};
use dhow_tests::{Canary, Racer, Test, for_runtimes, host};
use serde_json::Value;
use std::path::Path;

/// Mounts below the raced name; each must be found again inside.
const MOUNTS: usize = 4;

/// Every mount of ours in the container that the racer was after.
fn raced(report: &Value, mark: &str) -> Vec<String> {
    let mounts = report["mounts"].as_array().expect("a list");
    let is_raced = |mount: &&Value| {
        mount["source"]
            .as_str()
            .is_some_and(|source| source.starts_with(mark))
    };
    let point = |mount: &Value| mount["point"].as_str().unwrap_or_default().to_owned();
    mounts.iter().filter(is_raced).map(point).collect()
}

/// Where a mount may be: below the name, below the name that the directory was moved to, or where
/// the link leads when it is followed inside the root.
fn is_inside(point: &str) -> bool {
    let name = point.rsplit('/').next().unwrap_or_default();
    let places = ["/volume/place/", "/volume/other/", "/"];
    places.iter().any(|place| point == format!("{place}{name}")) && name.starts_with("inner")
}

fn racing_for_the_parent_of_a_target(test: &Test) {
    let canary = Canary::plant(&test.root().join("canary"));
    let racer = Racer::start(test, Path::new("/"), |place| {
        for number in 0..MOUNTS {
            std::fs::create_dir(place.join(format!("inner{number}"))).expect("mkdir");
        }
    });
    let source = racer.volume().to_str().expect("a path").to_owned();
    let bundle = test.bundle_with(|config| {
        config.add_mount("bind", &source, "/volume", &["rbind"]);
        for number in 0..MOUNTS {
            let target = format!("/volume/{PLACE}/inner{number}");
            let name = format!("{}-{number}", test.mark());
            config.add_mount("tmpfs", &name, &target, &["size=64k"]);
        }
        config.args(&["/bin/probe"]);
    });
    let before: Vec<_> = host::mounts().into_iter().map(|mount| mount.line).collect();
    let mut followed = 0;
    race(|_| {
        let output = test.run_bundle(&bundle);
        if output.code == Some(0) {
            let points = raced(&output.json(), test.mark());
            assert_eq!(points.len(), MOUNTS, "a mount is outside: {points:?}");
            assert!(points.iter().all(|point| is_inside(point)), "{points:?}");
            followed += points
                .iter()
                .filter(|point| !point.starts_with("/volume"))
                .count();
        } else {
            let text = output.stderr();
            assert!(text.contains("/volume"), "{output}");
        }
    });
    eprintln!("{followed} mounts went where the link leads inside");
    let is_new = |line: &String| !before.contains(line) && line.contains(test.mark());
    let mut new = host::mounts()
        .into_iter()
        .map(|mount| mount.line)
        .filter(is_new);
    assert_eq!(new.next(), None, "the host has a mount of the container");
    racer.stop();
    canary.assert_untouched();
}

// The rivals of Debian 12 refuse where the link is followed.
for_runtimes!([Dhow, Runc]; racing_for_the_parent_of_a_target);

//! A real distribution: Debian's smallest root by mmdebstrap, made an image by umoci.

use dhow_tests::{Dhow, Test, for_runtimes, needs, program};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The root filesystem as tar, made once and kept beside the test programs.
fn root(test: &Test) -> Result<PathBuf, String> {
    let probe = program::binary("probe")?;
    let cache = probe.parent().expect("a directory").join("debian-root.tar");
    if cache.exists() {
        return Ok(cache);
    }
    let scratch = test.root().join("debian-root.tar");
    let command = test.command(&[
        "mmdebstrap",
        "--quiet",
        "--variant=apt",
        "--mode=root",
        "bookworm",
    ]);
    let output = command.arg(&scratch).limit(Duration::from_secs(50)).run();
    if output.code != Some(0) {
        let text = output.stderr();
        let line = text.lines().find(|line| line.starts_with("E:"));
        let reason = line.unwrap_or("no word of why");
        return Err(format!("mmdebstrap makes no Debian root here: {reason}"));
    }
    fs::copy(&scratch, cache.with_extension("new")).expect("copy");
    fs::rename(cache.with_extension("new"), &cache).expect("name it");
    Ok(cache)
}

fn check(dhow: &Dhow<'_>, image: &str) {
    let line = "cat /etc/os-release; apt --version; dpkg -s base-files; id";
    let words = ["sh", "-c", line];
    let output = dhow.run_image(&["--rm"], image, &words).run().ok();
    for word in [
        "ID=debian",
        "apt ",
        "Status: install ok installed",
        "uid=0(root)",
    ] {
        assert!(output.stdout().contains(word), "{word}: {output}");
    }
}

fn by_umoci(test: &Test, layout: &Path, tar: &Path) {
    let image = format!("{}:debian", layout.display());
    let umoci = || test.command(&["umoci"]).limit(Duration::from_secs(40));
    umoci().args(["init", "--layout"]).arg(layout).run().ok();
    umoci().args(["new", "--image", &image]).run().ok();
    umoci()
        .args(["raw", "add-layer", "--image", &image])
        .arg(tar)
        .run()
        .ok();
    let words = ["config", "--image", &image, "--config.cmd", "/bin/bash"];
    umoci().args(words).run().ok();
}

fn an_image_by_umoci_runs(test: &Test) {
    needs!(test, root, mmdebstrap, umoci);
    let tar = match root(test) {
        Ok(tar) => tar,
        Err(reason) => return test.skip(&reason),
    };
    let dhow = Dhow::new(test);
    let layout = test.root().join("layout");
    by_umoci(test, &layout, &tar);
    let load = dhow.command().args(["load", "-q", "-i"]).arg(&layout);
    let load = load.limit(Duration::from_secs(40)).run().ok();
    // A layout of umoci's names a tag and no repository.
    let id = load.stdout().trim().to_owned();
    check(&dhow, &id);
    let words = ["sh", "-c", "su -s /bin/sh nobody -c 'id -un'"];
    let output = dhow.run_image(&["--rm"], &id, &words).run().ok();
    assert_eq!(output.stdout(), "nobody\n");
    dhow.assert_nothing_left();
}

for_runtimes!([Dhow]; an_image_by_umoci_runs);

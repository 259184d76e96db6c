//! S-DEVLINK (CVE-2026-41579, CVE-2026-47766 and others): an image whose `/dev` is a link, so
//! that device nodes, the removal of `ptmx` and the `fd` links happen on the host.

use dhow_tests::{Canary, Test, for_runtimes};
use std::fs;
use std::os::unix::fs::symlink;

fn dev_leads_out(test: &Test) {
    let canary = Canary::plant(&test.root().join("canary"));
    let absolute = canary.path().display().to_string();
    let mut number = 0;
    for target in [
        "../../canary",
        "../../../../../../../../canary",
        &absolute,
        "/",
        "/tmp",
    ] {
        for with_mount in [true, false] {
            let bundle = test.bundle_with(|config| {
                if !with_mount {
                    for point in ["/dev", "/dev/pts", "/dev/shm"] {
                        config.drop_mount(point);
                    }
                }
            });
            fs::remove_dir(bundle.rootfs().join("dev")).expect("rmdir");
            symlink(target, bundle.rootfs().join("dev")).expect("symlink");
            number += 1;
            let output = test.run_command(&bundle, &format!("c{number}")).run();
            canary.assert_untouched();
            assert!(
                output.code == Some(0) || output.stderr().contains("/dev"),
                "{output}"
            );
        }
    }
}

/// Single names below `/dev` are links out.
fn names_in_dev_lead_out(test: &Test) {
    let canary = Canary::plant(&test.root().join("canary"));
    for (number, name) in ["ptmx", "null", "fd", "console", "pts", "shm"]
        .iter()
        .enumerate()
    {
        let bundle = test.bundle_with(|config| config.drop_mount("/dev"));
        let target = canary.path().join(name);
        symlink(&target, bundle.rootfs().join("dev").join(name)).expect("symlink");
        let output = test.run_command(&bundle, &format!("c{number}")).run();
        canary.assert_untouched();
        assert!(
            output.code == Some(0) || output.stderr().contains("/dev"),
            "{output}"
        );
    }
}

// The rivals of Debian 12 are from before the fix.
for_runtimes!([Dhow]; dev_leads_out, names_in_dev_lead_out);

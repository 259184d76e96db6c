//! Disks that cannot be written.

use dhow_tests::{Dhow, Image, Test, for_runtimes, needs};
use std::fs;

const READ_ONLY: &str = "mount --bind $1 $1 && mount -o remount,bind,ro $1 && shift && exec \"$@\"";
const SMALL: &str = "mount -t tmpfs -o size=1m none $1 && shift && \"$@\"; code=$?; \
                     find $DHOW_STORE/ingest $DHOW_STORE/blobs $DHOW_STORE/snapshots \
                     -type f 2>/dev/null; exit $code";

fn a_read_only_store(test: &Test) {
    needs!(test, root, busybox);
    let dhow = Dhow::new(test);
    let archive = test.root().join("docker.tar");
    Image::busybox().write_docker_archive(&archive, "box");
    fs::create_dir(dhow.store()).expect("make");
    let store = dhow.store().display().to_string();
    let prefix = ["unshare", "--mount", "sh", "-c", READ_ONLY, "sh", &store];
    let root = format!("{}:O", dhow.rootfs().display());
    let check = || {
        let before = dhow.contents();
        let command = || dhow.command_after(&prefix);
        let load = command().args(["load", "-i"]).arg(&archive).run();
        let run = ["run", "--rm", "--rootfs", &root, "/bin/true"];
        for output in [load, command().args(run).run()] {
            output.code_is(125).fails("read-only").fails(&store);
        }
        assert_eq!(dhow.contents(), before);
    };
    // An empty directory, and then a store that was used before.
    check();
    dhow.shell(&[], "true").run().ok();
    dhow.words(&["images"]).run().ok();
    check();
}

fn a_full_disk(test: &Test) {
    needs!(test, root, busybox);
    let dhow = Dhow::new(test);
    let archive = test.root().join("docker.tar");
    Image::busybox().write_docker_archive(&archive, "box");
    fs::create_dir(dhow.store()).expect("make");
    let store = dhow.store().display().to_string();
    let prefix = ["unshare", "--mount", "sh", "-c", SMALL, "sh", &store];
    let command = || dhow.command_after(&prefix).env("DHOW_STORE", &store);
    let output = command().args(["load", "-i"]).arg(&archive).run();
    let output = output.code_is(125).fails("no space");
    assert_eq!(output.stdout(), "", "no half blob stays");
}

for_runtimes!([Dhow]; a_read_only_store, a_full_disk);

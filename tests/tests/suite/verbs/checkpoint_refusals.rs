//! What `checkpoint` and `restore` refuse, and what is left then: what there was.

use super::checkpoint::{checkpoint, count, counter, counts_beyond, images, restore, with_criu};
use dhow_tests::{Bundle, Container, Test, for_runtimes, needs};
use serde_json::json;
use std::fs;
use std::path::PathBuf;

/// A container that counts.
fn running(test: &Test) -> (Container<'_>, Bundle, PathBuf) {
    let (bundle, file) = counter(test);
    let container = test.create(&bundle, "first");
    container.start();
    assert!(counts_beyond(&file, 3), "it does not count");
    (container, bundle, file)
}

fn states_that_do_not_allow_it(test: &Test) {
    needs!(test, root, criu, busybox);
    let (bundle, _) = counter(test);
    let container = test.create(&bundle, "first");
    let output = checkpoint(&container, &images(test), &[]).run();
    output
        .fails("cannot checkpoint container")
        .fails("it is created; start it first");
    container.verb(&["delete", "--force"]).run().ok();
    checkpoint(&container, &images(test), &[])
        .run()
        .fails("does not exist");
    assert!(!images(test).exists(), "nothing was written");
}

fn options_that_are_not_known(test: &Test) {
    needs!(test, root, criu, busybox);
    let (container, _, file) = running(test);
    let refusals: [(&[&str], &str); 6] = [
        (
            &["--manage-cgroups-mode", "full"],
            "--manage-cgroups-mode: \"full\" is not supported",
        ),
        (&["--empty-ns", "uts"], "--empty-ns: \"uts\" is not known"),
        (
            &["--page-server", "nowhere"],
            "--page-server: \"nowhere\" is not ADDRESS:PORT",
        ),
        (
            &["--parent-path", "/tmp"],
            "--parent-path: \"/tmp\" must be relative",
        ),
        (
            &["--parent-path", "../none"],
            "--parent-path: \"../none\" is no directory",
        ),
        (
            &["--network-lock", "magic"],
            "--network-lock: \"magic\" is none of",
        ),
    ];
    for (options, text) in refusals {
        checkpoint(&container, &images(test), options)
            .run()
            .fails(text);
        assert!(!images(test).exists(), "{options:?}: a directory was made");
    }
    let output = checkpoint(&container, &images(test), &["--criu", "/nowhere/criu"]).run();
    output.fails("/nowhere/criu: no such program; checkpoint and restore need CRIU");
    assert!(!images(test).exists(), "a directory was made");
    assert!(counts_beyond(&file, count(&file)), "it runs on");
}

/// CRIU refuses what is connected with the outside; the container runs on, and the log is named.
fn what_criu_refuses(test: &Test) {
    needs!(test, root, criu, busybox);
    let (bundle, file) = counter(test);
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().expect("a pair of sockets");
    let container = test.container("first");
    let theirs = std::os::fd::OwnedFd::from(theirs);
    container
        .create_command(&bundle)
        .stdin_from(theirs)
        .run()
        .ok();
    container.start();
    assert!(counts_beyond(&file, 3), "it does not count");
    let output = checkpoint(&container, &images(test), &[]).run();
    let log = images(test).join("dump.log").display().to_string();
    output
        .fails("checkpoint the container: criu: ")
        .fails("unix socket")
        .fails(&log);
    assert_eq!(container.status(), "running");
    assert!(counts_beyond(&file, count(&file)), "it stands still");
    drop(ours);
}

fn an_id_mapped_mount_is_not_lost(test: &Test) {
    needs!(test, root, criu, busybox);
    let (bundle, file) = counter(test);
    let volume = test.root().join("volume");
    fs::create_dir(&volume).expect("make the directory");
    let map = json!([{"containerID": 0, "hostID": 1000, "size": 10}]);
    bundle.edit(|config| {
        let mounts = config["mounts"].as_array_mut().expect("a list");
        mounts.push(
            json!({"destination": "/data", "source": volume, "options": ["bind"],
            "uidMappings": map, "gidMappings": map}),
        );
    });
    let container = test.create(&bundle, "first");
    container.start();
    assert!(counts_beyond(&file, 3), "it does not count");
    checkpoint(&container, &images(test), &[])
        .run()
        .fails("an id-mapped mount (mounts[");
    assert!(counts_beyond(&file, count(&file)), "it runs on");
}

fn restore_without_images(test: &Test) {
    needs!(test, root, criu, busybox);
    let (bundle, _) = counter(test);
    let container = test.container("second");
    let none = test.root().join("none");
    restore(&container, &none, &bundle, &["--detach"])
        .run()
        .fails("--image-path");
    fs::create_dir(&none).expect("make the directory");
    let output = restore(&container, &none, &bundle, &["--detach"]).run();
    output.fails("dhow.json: is missing: no checkpoint of dhow-runtime is here");
    fs::write(none.join("dhow.json"), "{").expect("write");
    restore(&container, &none, &bundle, &["--detach"])
        .run()
        .fails("dhow.json: is damaged");
    container.verb(&["state"]).run().code_is(1);
}

/// Whatever CRIU finds wrong with its images, no cgroup, process or id stays.
fn restore_of_damaged_images(test: &Test) {
    needs!(test, root, criu, busybox);
    let (container, bundle, _) = running(test);
    checkpoint(&container, &images(test), &[]).run().ok();
    fs::write(images(test).join("pstree.img"), "nothing").expect("damage an image");
    let second = test.container("second");
    let output = restore(&second, &images(test), &bundle, &["--detach"]).run();
    output
        .fails("restore the container: criu: ")
        .fails("restore.log");
    second.verb(&["state"]).run().fails("does not exist");
}

/// The images name the host's trees that were mounted; only the bundle says which are.
fn images_choose_no_tree_of_the_host(test: &Test) {
    needs!(test, root, criu, busybox);
    let (bundle, file) = counter(test);
    let volume = test.root().join("volume");
    fs::create_dir(&volume).expect("make the directory");
    let mut without = json!(null);
    bundle.edit(|config| {
        without = config["mounts"].clone();
        let mounts = config["mounts"].as_array_mut().expect("a list");
        mounts.push(json!({"destination": "/data", "source": volume, "options": ["bind"]}));
    });
    let container = test.create(&bundle, "first");
    container.start();
    assert!(counts_beyond(&file, 3), "it does not count");
    checkpoint(&container, &images(test), &[]).run().ok();
    bundle.edit(|config| config["mounts"] = without.clone());
    let second = test.container("second");
    let output = restore(&second, &images(test), &bundle, &["--detach"]).run();
    output.fails("was mounted at /data; the bundle has no such mount");
    second.verb(&["state"]).run().code_is(1);
}

fn restore_to_a_taken_id(test: &Test) {
    needs!(test, root, criu, busybox);
    let (container, bundle, file) = running(test);
    checkpoint(&container, &images(test), &["--leave-running"])
        .run()
        .ok();
    restore(&container, &images(test), &bundle, &["--detach"])
        .run()
        .fails("exists already");
    assert!(counts_beyond(&file, count(&file)), "it runs on");
}

/// Other runtimes let an annotation name a file of options: an image could end containers, or write
/// where it likes.
fn annotations_set_no_option(test: &Test) {
    needs!(test, root, criu, busybox);
    let (bundle, file) = counter(test);
    let options = test.root().join("options.conf");
    fs::write(&options, "leave-running\nlog-file other.log\n").expect("write");
    bundle.edit(|config| config["annotations"] = json!({"org.criu.config": options}));
    let container = test.create(&bundle, "first");
    container.start();
    assert!(counts_beyond(&file, 3), "it does not count");
    checkpoint(&container, &images(test), &[]).run().ok();
    container.verb(&["state"]).run().code_is(1);
    assert!(images(test).join("dump.log").exists());
    assert!(!images(test).join("other.log").exists());
}

fn an_ordinary_user_is_told(test: &Test) {
    needs!(test, root, criu, busybox);
    test.become_user();
    let output = with_criu(test.runtime().args(["checkpoint", "none"])).run();
    output.fails("needs root");
}

for_runtimes!([Dhow];
    states_that_do_not_allow_it,
    options_that_are_not_known,
    what_criu_refuses,
    an_id_mapped_mount_is_not_lost,
    restore_without_images,
    restore_of_damaged_images,
    images_choose_no_tree_of_the_host,
    restore_to_a_taken_id,
    annotations_set_no_option,
    an_ordinary_user_is_told,
);

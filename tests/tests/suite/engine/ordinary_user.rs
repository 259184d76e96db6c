//! The same without root: a user namespace, one view, and what such a user cannot have.

use dhow_tests::{Dhow, Image, Layer, Test, for_runtimes, needs, program};
use std::fs;
use std::os::unix::fs::MetadataExt as _;

fn is_root_inside_and_himself_outside(test: &Test) {
    needs!(test, root, busybox, userns, subid_tools);
    let user = test.become_user();
    let dhow = Dhow::new(test);
    let map = format!("{:>10} {:>10} {:>10}\n", 0, user.id, 1);
    let report = dhow.probe(&[]);
    let uid_map = report["uidMap"].as_str().expect("a map");
    assert!(format!("{uid_map}\n").starts_with(&map), "{uid_map:?}");
    assert_eq!(report["uid"][1], 0);
    assert_eq!(report["seccomp"]["mode"], "2");
    // Subordinate ids, too.
    let output = dhow.shell(&["-u", "33:34"], "id -u; id -g").run().ok();
    assert_eq!(output.stdout(), "33\n34\n");
    let own = user.id.to_string();
    let options = ["--userns", "keep-id", "-u", &own];
    assert_eq!(
        dhow.shell(&options, "id -u").run().ok().stdout().trim(),
        own
    );
    assert_eq!(dhow.store().metadata().expect("a store").uid(), user.id);
    dhow.assert_nothing_left();
}

fn runs_images_and_keeps_nothing(test: &Test) {
    needs!(test, root, busybox, userns, subid_tools);
    let _user = test.become_user();
    let dhow = Dhow::new(test);
    let output = dhow.words(&["run", "--rm", "hello"]).run().ok();
    assert!(output.stdout().contains("Hello"), "{output}");
    let archive = test.root().join("docker.tar");
    Image::busybox().write_docker_archive(&archive, "box");
    dhow.command().args(["load", "-i"]).arg(&archive).run().ok();
    let line = "mkdir /deep && touch /deep/file && id -u";
    let words = ["/bin/sh", "-c", line];
    let output = dhow.run_image(&["--rm"], "box", &words).run().ok();
    assert_eq!(output.stdout(), "0\n");
    dhow.assert_nothing_left();
}

fn a_detached_life(test: &Test) {
    needs!(test, root, busybox, userns, subid_tools);
    let _user = test.become_user();
    let dhow = Dhow::new(test);
    dhow.sleeper("one", &[]);
    let words = ["exec", "one", "/bin/sh", "-c", "id -u; exit 6"];
    assert_eq!(dhow.words(&words).run().code_is(6).stdout(), "0\n");
    dhow.words(&["stop", "-t", "0", "one"]).run().ok();
    dhow.words(&["rm", "one"]).run().ok();
    dhow.assert_nothing_left();
}

fn the_host_s_root_as_a_throw_away_view(test: &Test) {
    needs!(test, root, userns, subid_tools);
    let _user = test.become_user();
    let dhow = Dhow::new(test);
    let file = format!("/usr/{}", test.mark());
    let line = format!("touch {file} && ls {file} && id -u");
    let words = ["run", "--rm", "--rootfs", "/:O", "sh", "-c", &line];
    assert_eq!(
        dhow.words(&words).run().ok().stdout(),
        format!("{file}\n0\n")
    );
    assert!(!std::path::Path::new(&file).exists());
    dhow.assert_nothing_left();
}

/// Only root makes devices: they are left out, as others do. And a set-user-id file gives nothing.
fn devices_and_set_user_id_in_layers(test: &Test) {
    needs!(test, root, busybox, userns, subid_tools);
    let user = test.become_user();
    let dhow = Dhow::new(test);
    let busybox = program::on_path("busybox").expect("a need of this test");
    let busybox = fs::read(busybox).expect("read");
    let layer = Layer::default()
        .entry("disk", b'4', 0o666, "", b"")
        .file("bin/id", 0o4755, &busybox);
    let layout = test.root().join("layout");
    Image::with_layer(layer).write_layout(&layout, "special:1");
    dhow.command().args(["load", "-i"]).arg(&layout).run().ok();
    let words = [
        "/bin/sh",
        "-c",
        "test -e /disk; echo $?; /bin/id -u; ls -l /bin/id",
    ];
    let options = ["--rm", "-u", "33"];
    let output = dhow.run_image(&options, "special:1", &words).run().ok();
    assert!(output.stdout().starts_with("1\n33\n-rws"), "{output}");
    // Outside it is nobody's but the user's.
    let snapshots = dhow.store().join("snapshots");
    let mut found = 0;
    for layer in fs::read_dir(snapshots).expect("list") {
        let file = layer.expect("a layer").path().join("fs/bin/id");
        if let Ok(about) = file.symlink_metadata()
            && about.is_file()
        {
            assert_eq!(about.uid(), user.id);
            found += 1;
        }
    }
    assert_eq!(found, 1);
}

fn a_store_of_somebody_else(test: &Test) {
    needs!(test, root, busybox, userns, subid_tools);
    let _user = test.become_user();
    let dhow = Dhow::new(test);
    let store = dhow.store();
    fs::create_dir(&store).expect("make it as root");
    let output = dhow.shell(&[], "true").run().code_is(125);
    output
        .fails("another user")
        .fails(&store.display().to_string());
    assert_eq!(fs::read_dir(&store).expect("list").count(), 0);
}

/// What he may not read outside, he may not read inside.
fn a_volume_gives_no_more_than_he_has(test: &Test) {
    needs!(test, root, busybox, userns, subid_tools);
    let user = test.become_user();
    let dhow = Dhow::new(test);
    let shared = test.root().join("shared");
    fs::create_dir(&shared).expect("make");
    let uid = Some(user.id);
    std::os::unix::fs::chown(&shared, uid, uid).expect("chown");
    fs::write(shared.join("secret"), "x").expect("write");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs::set_permissions(shared.join("secret"), mode).expect("chmod");
    let volume = format!("{}:/data", shared.display());
    let output = dhow
        .shell(&["-v", &volume], "touch /data/own; cat /data/secret")
        .run();
    output.code_is(1).fails("denied");
    let own = shared.join("own").metadata().expect("it is made");
    assert_eq!(own.uid(), user.id);
}

fn limits_are_refused_where_nobody_delegated_them(test: &Test) {
    needs!(test, root, busybox, userns, subid_tools, cgroup1);
    let _user = test.become_user();
    let dhow = Dhow::new(test);
    let output = dhow.shell(&["--memory", "64m"], "true").run();
    output.code_is(125).fails("memory").fails("hint:");
    dhow.assert_nothing_left();
}

for_runtimes!([Dhow];
    is_root_inside_and_himself_outside,
    runs_images_and_keeps_nothing,
    a_detached_life,
    the_host_s_root_as_a_throw_away_view,
    devices_and_set_user_id_in_layers,
    a_store_of_somebody_else,
    a_volume_gives_no_more_than_he_has,
    limits_are_refused_where_nobody_delegated_them,
);

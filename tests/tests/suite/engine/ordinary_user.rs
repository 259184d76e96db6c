//! The same without root: a user namespace, one view, and what such a user cannot have.

use dhow_tests::{Dhow, Image, Layer, Test, for_runtimes, needs};
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

fn devices_and_set_user_id_in_layers(test: &Test) {
    needs!(test, root, busybox, userns, subid_tools);
    let _user = test.become_user();
    let dhow = Dhow::new(test);
    let device = Layer::default().entry("dev/disk", b'4', 0o666, "", b"");
    let layout = test.root().join("device");
    Image::with_layer(device).write_layout(&layout, "device");
    let output = dhow.command().args(["load", "-i"]).arg(&layout).run();
    output.code_is(1).fails("dev/disk");
    // The bit may stand on a file; under no_new_privs it gives nothing.
    let special = Layer::default().file("bin/special", 0o4755, b"#!/bin/sh\nid -u\n");
    let layout = test.root().join("special");
    Image::with_layer(special).write_layout(&layout, "special");
    dhow.command().args(["load", "-i"]).arg(&layout).run().ok();
    let words = [
        "/bin/sh",
        "-c",
        "grep NoNewPrivs /proc/self/status; /bin/busybox id -u",
    ];
    let options = ["--rm", "-u", "33"];
    let output = dhow.run_image(&options, "special", &words).run();
    let _ = output;
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
    limits_are_refused_where_nobody_delegated_them,
);

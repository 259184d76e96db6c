//! `dhow load`: every form in which images come, by our own hand and by the tools of others.

use dhow_tests::{Dhow, Image, Layer, Test, for_runtimes, needs, program};
use std::fs;
use std::path::{Path, PathBuf};

fn layout(test: &Test) -> PathBuf {
    let layout = test.root().join("layout");
    Image::busybox().write_layout(&layout, "box:1");
    layout
}

fn runs(dhow: &Dhow<'_>, image: &str) {
    let output = dhow.run_image(&["--rm"], image, &[]).run().ok();
    assert_eq!(output.stdout(), "default\n");
}

fn load(dhow: &Dhow<'_>, path: &Path) {
    dhow.command()
        .args(["load", "--input"])
        .arg(path)
        .run()
        .ok();
}

fn a_layout_as_directory_and_archive(test: &Test) {
    needs!(test, root, busybox);
    let dhow = Dhow::new(test);
    let layout = layout(test);
    load(&dhow, &layout);
    runs(&dhow, "box:1");
    let archive = test.root().join("layout.tar");
    let tar = test.command(&["tar", "-C"]).arg(&layout).arg("-cf");
    tar.arg(&archive).arg(".").run().ok();
    let before = dhow.contents();
    load(&dhow, &archive);
    assert_eq!(dhow.contents(), before, "the same image again adds nothing");
    runs(&dhow, "box:1");
}

fn a_docker_archive_from_standard_input(test: &Test) {
    needs!(test, root, busybox);
    let dhow = Dhow::new(test);
    let archive = test.root().join("docker.tar");
    Image::busybox().write_docker_archive(&archive, "saved:2");
    let bytes = fs::read(&archive).expect("read");
    let output = dhow.words(&["load"]).stdin(&bytes).run().ok();
    assert!(output.stdout().contains("saved:2"), "{output}");
    runs(&dhow, "saved:2");
}

fn compressed_archives(test: &Test) {
    needs!(test, root, busybox);
    let dhow = Dhow::new(test);
    let archive = test.root().join("docker.tar");
    Image::busybox().write_docker_archive(&archive, "packed");
    test.command(&["gzip", "-1"]).arg(&archive).run().ok();
    load(&dhow, &archive.with_extension("tar.gz"));
    runs(&dhow, "packed");
}

fn layers_are_stacked(test: &Test) {
    needs!(test, root, busybox);
    let dhow = Dhow::new(test);
    let upper = Layer::default()
        .file("srv/new", 0o600, b"upper")
        .file("etc/.wh.passwd", 0o644, b"")
        .file("root/.wh.nothing-there", 0o644, b"")
        .hard_link("srv/second", "srv/new");
    let path = test.root().join("layers");
    Image::with_layer(upper).write_layout(&path, "stack:1");
    load(&dhow, &path);
    let line = "cat /srv/second; ls /etc; ls -a /root; cat /srv/new";
    let words = ["/bin/sh", "-c", line];
    let output = dhow.run_image(&["--rm"], "stack:1", &words).run().ok();
    let text = output.stdout();
    assert!(
        text.starts_with("upper") && text.ends_with("upper"),
        "{text}"
    );
    assert!(text.contains("group") && !text.contains("passwd"), "{text}");
    assert!(!text.contains(".wh."), "{text}");
}

fn images_by_skopeo(test: &Test) {
    needs!(test, root, busybox, skopeo);
    let dhow = Dhow::new(test);
    let source = format!("oci:{}:box:1", layout(test).display());
    for kind in ["docker-archive", "oci-archive"] {
        let file = test.root().join(kind);
        let target = format!("{kind}:{}:by-{kind}:3", file.display());
        let words = ["skopeo", "--insecure-policy", "copy", &source, &target];
        test.command(&words).run().ok();
        load(&dhow, &file);
        runs(&dhow, &format!("by-{kind}:3"));
    }
}

fn images_by_podman(test: &Test) {
    needs!(test, root, busybox, podman);
    let dhow = Dhow::new(test);
    let at = |name: &str| test.root().join("podman").join(name);
    let podman = || {
        let command = test.command(&["podman", "--storage-driver", "vfs"]);
        let command = command.arg("--root").arg(at("root"));
        command
            .arg("--runroot")
            .arg(at("run"))
            .arg("--tmpdir")
            .arg(at("tmp"))
    };
    let archive = test.root().join("root.tar");
    fs::write(&archive, Layer::busybox().finish()).expect("write");
    let change = r#"CMD ["/bin/echo", "default"]"#;
    podman()
        .args(["import", "--change", change])
        .arg(&archive)
        .arg("made")
        .run()
        .ok();
    let saved = test.root().join("saved.tar");
    podman()
        .args(["save", "-o"])
        .arg(&saved)
        .arg("made")
        .run()
        .ok();
    load(&dhow, &saved);
    runs(&dhow, "localhost/made");
    assert!(program::on_path("podman").is_some());
}

for_runtimes!([Dhow];
    a_layout_as_directory_and_archive,
    a_docker_archive_from_standard_input,
    compressed_archives,
    layers_are_stacked,
    images_by_skopeo,
    images_by_podman,
);

//! Images that lie or attack: each is refused by name, and the store stays as it was.

use dhow_tests::{Dhow, Image, Layer, Output, Test, for_runtimes, image, needs};
use std::fs;
use std::path::{Path, PathBuf};

/// Loads what must be refused; nothing may be listed or left afterwards.
#[track_caller]
fn refused(dhow: &Dhow<'_>, path: &Path, text: &str) -> Output {
    let before = dhow.contents();
    let output = dhow.command().args(["load", "-i"]).arg(path).run();
    let output = output.code_is(1).fails(text);
    assert_eq!(dhow.words(&["images", "-q"]).run().ok().stdout(), "");
    let new: Vec<_> = dhow.contents().difference(&before).cloned().collect();
    assert!(new.is_empty(), "left in the store: {new:#?}");
    output
}

/// An engine whose store exists already, so that an unchanged one can be told.
fn engine(test: &Test) -> Dhow<'_> {
    let dhow = Dhow::new(test);
    dhow.words(&["images"]).run().ok();
    let archive = test.root().join("none");
    fs::create_dir(&archive).expect("make");
    dhow.command()
        .args(["load", "-i"])
        .arg(&archive)
        .run()
        .fails("none");
    dhow
}

fn layout(test: &Test, image: &Image, name: &str) -> PathBuf {
    let path = test.root().join(name);
    image.write_layout(&path, "bad:1");
    path
}

fn a_wrong_digest(test: &Test) {
    needs!(test, root, busybox);
    let dhow = engine(test);
    let path = layout(test, &Image::busybox(), "digest");
    let blob = image::largest_blob(&path);
    let mut bytes = fs::read(&blob).expect("read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&blob, bytes).expect("write");
    let digest = blob
        .file_name()
        .expect("a name")
        .to_string_lossy()
        .into_owned();
    refused(&dhow, &path, &digest);
}

fn a_missing_blob(test: &Test) {
    needs!(test, root, busybox);
    let dhow = engine(test);
    let path = layout(test, &Image::busybox(), "missing");
    let blob = image::largest_blob(&path);
    fs::remove_file(&blob).expect("remove");
    let digest = blob
        .file_name()
        .expect("a name")
        .to_string_lossy()
        .into_owned();
    refused(&dhow, &path, &digest);
}

fn truncated_archives(test: &Test) {
    needs!(test, root, busybox);
    let dhow = engine(test);
    let archive = test.root().join("docker.tar");
    Image::busybox().write_docker_archive(&archive, "bad:1");
    let bytes = fs::read(&archive).expect("read");
    for part in [100, bytes.len() / 2, bytes.len() - 3000] {
        fs::write(&archive, &bytes[..part]).expect("write");
        refused(&dhow, &archive, "docker.tar");
    }
    fs::write(&archive, b"").expect("write");
    refused(&dhow, &archive, "docker.tar");
    fs::write(&archive, vec![b'x'; 5000]).expect("write");
    refused(&dhow, &archive, "docker.tar");
}

fn layers_that_reach_out(test: &Test) {
    needs!(test, root, busybox);
    let dhow = engine(test);
    let out = test.root().join("victim");
    fs::create_dir(&out).expect("make");
    let target = out.display().to_string();
    let empty = Layer::default;
    let file = format!("{target}/file");
    let layers = [
        ("up", empty().file("../../../../victim/file", 0o644, b"x")),
        ("deep", empty().file("a/../../../victim/file", 0o644, b"x")),
        (
            "link",
            empty()
                .symlink("way", &target)
                .file("way/file", 0o644, b"x"),
        ),
        (
            "parent",
            empty()
                .symlink("way", "../../../..")
                .file("way/victim-file", 0o644, b"x"),
        ),
        (
            "hard",
            empty().hard_link("stolen", "../../../../../../etc/passwd"),
        ),
        (
            "linked",
            empty()
                .symlink("way", "/etc")
                .hard_link("stolen", "way/hostname"),
        ),
        ("absent", empty().hard_link("stolen", "nothing/there")),
        ("whiteout", empty().file("../.wh.victim", 0o644, b"")),
        ("absolute", empty().file(&file, 0o644, b"x")),
    ];
    for (name, layer) in layers {
        let path = layout(test, &Image::with_layer(layer), name);
        let output = dhow.command().args(["load", "-i"]).arg(&path).run();
        // Either refused with the entry's name, or what it names lies inside the container's root.
        if output.code != Some(0) {
            output.code_is(1).fails("entry");
        } else {
            let words = ["run", "--rm", "bad:1"];
            dhow.words(&words).run().ok();
        }
        let reached = fs::read_dir(&out).expect("list").count();
        assert_eq!(reached, 0, "{name} reached out");
        assert!(out.exists(), "{name} removed it");
    }
}

fn names_that_lead_up_are_refused(test: &Test) {
    needs!(test, root, busybox);
    let dhow = engine(test);
    let layer = Layer::default().file("a/../../evil", 0o644, b"x");
    refused(
        &dhow,
        &layout(test, &Image::with_layer(layer), "up"),
        "a/../../evil",
    );
    let layer = Layer::default().hard_link("stolen", "../../etc/passwd");
    refused(
        &dhow,
        &layout(test, &Image::with_layer(layer), "hard"),
        "stolen",
    );
}

fn documents_that_are_none(test: &Test) {
    needs!(test, root, busybox);
    let dhow = engine(test);
    let path = layout(test, &Image::busybox(), "documents");
    fs::write(path.join("index.json"), "{").expect("write");
    refused(&dhow, &path, "index.json");
    fs::write(
        path.join("index.json"),
        r#"{"schemaVersion": 2, "manifests": []}"#,
    )
    .expect("write");
    refused(&dhow, &path, "documents");
}

for_runtimes!([Dhow];
    a_wrong_digest,
    a_missing_blob,
    truncated_archives,
    layers_that_reach_out,
    names_that_lead_up_are_refused,
    documents_that_are_none,
);

//! Images that lie or attack: each is refused by name, and the store stays as it was.

use dhow_tests::{Dhow, Image, Layer, Output, Test, for_runtimes, image, needs};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Loads what must be refused; nothing may be listed or left afterwards.
#[track_caller]
fn refused(dhow: &Dhow<'_>, path: &Path, text: &str) -> Output {
    let before = dhow.contents();
    let output = dhow.command().args(["load", "-i"]).arg(path).run();
    let output = output.code_is(125).fails(text);
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
        refused(&dhow, &archive, "truncated");
    }
    fs::write(&archive, b"").expect("write");
    refused(&dhow, &archive, "docker.tar");
    fs::write(&archive, vec![b'x'; 5000]).expect("write");
    refused(&dhow, &archive, "docker.tar");
}

/// Layers are unpacked when a container first needs them: then they are refused, by entry.
fn layers_that_reach_out(test: &Test) {
    needs!(test, root, busybox);
    let dhow = engine(test);
    let out = test.root().join("victim");
    fs::create_dir(&out).expect("make");
    let target = out.display().to_string();
    let empty = Layer::default;
    let up = "../../../../victim/file";
    let deep = "a/../../../../victim/file";
    let stolen = "../../../../../../etc/passwd";
    let layers = [
        ("up", up, empty().file(up, 0o644, b"x")),
        ("deep", deep, empty().file(deep, 0o644, b"x")),
        ("hard", "stolen", empty().hard_link("stolen", stolen)),
        (
            "linked",
            "stolen",
            empty().symlink("way", &target).hard_link("stolen", "way/x"),
        ),
        ("absent", "stolen", empty().hard_link("stolen", "no/thing")),
        (
            "hidden",
            "../.wh.out",
            empty().file("../.wh.out", 0o644, b""),
        ),
    ];
    for (name, entry, layer) in layers {
        let id = loaded(&dhow, &layout(test, &Image::with_layer(layer), name));
        let before = dhow.contents();
        let output = dhow.run_image(&["--rm"], &id, &[]).run();
        output
            .code_is(125)
            .fails(&format!("{entry:?}"))
            .fails("layer entry");
        let new: Vec<_> = new_layers(&dhow, &before);
        assert!(new.len() <= 1, "only the good layer stays: {new:#?}");
    }
    assert_eq!(fs::read_dir(&out).expect("list").count(), 0);
    dhow.assert_nothing_left();
}

/// The snapshots that were not there before.
fn new_layers(dhow: &Dhow<'_>, before: &BTreeSet<(PathBuf, u64)>) -> Vec<PathBuf> {
    let place = dhow.store().join("snapshots");
    let now = dhow.contents();
    let new = now.difference(before).map(|(path, _)| path.clone());
    let (layers, others): (Vec<_>, Vec<_>) = new.partition(|path| path.starts_with(&place));
    assert!(others.is_empty(), "beside the layers: {others:#?}");
    let is_layer = |path: &PathBuf| path.parent() == Some(&place);
    layers.into_iter().filter(is_layer).collect()
}

/// A link, or a name from the root on, may lead anywhere: what is written lies inside all the same.
fn what_leads_out_stays_inside(test: &Test) {
    needs!(test, root, busybox);
    let dhow = engine(test);
    let out = test.root().join("victim");
    fs::create_dir(&out).expect("make");
    let target = out.display().to_string();
    let absolute = out.join("file").display().to_string();
    let empty = Layer::default;
    let layers = [
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
                .file("way/file", 0o644, b"x"),
        ),
        ("absolute", empty().file(&absolute, 0o644, b"x")),
    ];
    for (name, layer) in layers {
        let id = loaded(&dhow, &layout(test, &Image::with_layer(layer), name));
        let output = dhow.run_image(&["--rm"], &id, &[]).run();
        match output.code {
            Some(0) => assert_eq!(output.stdout(), "default\n"),
            _ => drop(output.code_is(125).fails("layer entry")),
        }
        assert_eq!(fs::read_dir(&out).expect("list").count(), 0, "{name}");
    }
    assert!(!test.root().join("home/file").exists() && !dhow.store().join("file").exists());
    dhow.assert_nothing_left();
}

/// Loads it, and returns its id.
fn loaded(dhow: &Dhow<'_>, layout: &Path) -> String {
    let output = dhow.command().args(["load", "-q", "-i"]).arg(layout).run();
    output.ok().stdout().trim().to_owned()
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
    what_leads_out_stays_inside,
    documents_that_are_none,
);

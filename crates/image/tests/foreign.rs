//! Archives and layouts made by other tools, and ours read by them.

use crate::scratch::{Scratch, is_root, load};
use crate::tarball::{Tar, gzip, oci_layout};
use dhow_image::{Digest, LoadOptions, Ownership, Store};
use std::path::Path;
use std::process::Command;

fn has(tool: &str) -> bool {
    let found = Command::new("sh")
        .args(["-c", &format!("command -v {tool}")])
        .output()
        .unwrap()
        .status
        .success();
    if !found || !is_root() {
        println!("skipped: needs {tool} and root");
    }
    found && is_root()
}

fn run(directory: &Path, program: &str, arguments: &[&str]) -> String {
    let output = Command::new("timeout")
        .arg("120")
        .arg(program)
        .args(arguments)
        .current_dir(directory)
        .env("TMPDIR", directory)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn layers() -> (Vec<Vec<u8>>, Vec<Digest>) {
    let base = Tar::new()
        .dir_mode("bin/", 0o755, 0, 0)
        .file("bin/sh", "sh")
        .file("old", "x")
        .finish();
    let change = Tar::new().file(".wh.old", "").file("new", "n").finish();
    let diff_ids = vec![Digest::of(&base), Digest::of(&change)];
    (vec![gzip(&base), gzip(&change)], diff_ids)
}

/// A store with one image, whose directory other tools read as an OCI layout.
fn source(scratch: &Scratch) -> Store {
    let (layers, diff_ids) = layers();
    let store = scratch.store();
    load(
        &store,
        &oci_layout("docker.io/library/thing:1", &layers, &diff_ids).pack(),
    )
    .unwrap();
    store
}

fn assert_same(scratch: &Scratch, archive: &Path, name: Option<&str>) {
    let other = Store::open(&scratch.path.join("loaded")).unwrap();
    let loaded = other.load(archive, &LoadOptions::default()).unwrap();
    assert_eq!(loaded.len(), 1);
    let image = match name {
        Some(name) => other.find(name).unwrap(),
        None => loaded[0].image.clone(),
    };
    let (_, diff_ids) = layers();
    let found: Vec<Digest> = image.layers.iter().map(|layer| layer.diff_id).collect();
    assert_eq!(found, diff_ids);
    let unpacked = other.unpack(&image, Ownership::Keep, &mut ()).unwrap();
    assert_eq!(
        crate::scratch::tree(&unpacked.layers[1], false),
        ["new=n", "old (gone)"]
    );
}

#[test]
fn skopeo_reads_our_store_and_writes_what_we_load() {
    if !has("skopeo") {
        return;
    }
    let ours = "oci:store:docker.io/library/thing:1";
    for (target, archive, name) in [
        ("docker-archive:out.tar:thing:1", "out.tar", Some("thing:1")),
        (
            "oci-archive:out.tar:docker.io/library/thing:1",
            "out.tar",
            Some("thing:1"),
        ),
        ("oci:out:thing:1", "out", Some("thing:1")),
    ] {
        let scratch = Scratch::new();
        source(&scratch);
        run(
            &scratch.path,
            "skopeo",
            &["--insecure-policy", "copy", ours, target],
        );
        assert_same(&scratch, &scratch.path.join(archive), name);
    }
}

#[test]
fn skopeo_reads_what_we_save() {
    if !has("skopeo") {
        return;
    }
    let scratch = Scratch::new();
    let store = source(&scratch);
    let image = store.find("thing:1").unwrap();
    let mut file = std::fs::File::create(scratch.path.join("saved.tar")).unwrap();
    store.save(&[&image], &mut file).unwrap();
    for from in [
        "docker-archive:saved.tar:thing:1",
        "oci-archive:saved.tar:docker.io/library/thing:1",
    ] {
        let inspected = run(
            &scratch.path,
            "skopeo",
            &["--insecure-policy", "inspect", "--config", from],
        );
        for layer in &image.layers {
            assert!(
                inspected.contains(&layer.diff_id.to_string()),
                "{from}: {inspected}"
            );
        }
    }
}

#[test]
fn umoci_layouts_are_loaded() {
    if !has("umoci") {
        return;
    }
    let scratch = Scratch::new();
    run(&scratch.path, "umoci", &["init", "--layout", "made"]);
    run(&scratch.path, "umoci", &["new", "--image", "made:latest"]);
    let (layers, _) = layers();
    for (number, layer) in layers.iter().enumerate() {
        let name = format!("layer{number}.tar");
        let mut plain = Vec::new();
        std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&layer[..]), &mut plain)
            .unwrap();
        std::fs::write(scratch.path.join(&name), plain).unwrap();
        run(
            &scratch.path,
            "umoci",
            &["raw", "add-layer", "--image", "made:latest", &name],
        );
    }
    assert_same(&scratch, &scratch.path.join("made"), None);
    run(
        &scratch.path,
        "tar",
        &["-C", "made", "-czf", "made.tgz", "."],
    );
    assert_same(&scratch, &scratch.path.join("made.tgz"), None);
}

#[test]
fn podman_archives_are_loaded() {
    if !has("podman") {
        return;
    }
    for format in ["docker-archive", "oci-archive"] {
        let scratch = Scratch::new();
        let store = source(&scratch);
        let podman = |arguments: &[&str]| {
            let mut all = vec![
                "--root",
                "p/root",
                "--runroot",
                "p/run",
                "--storage-driver",
                "vfs",
                "--cgroup-manager",
                "cgroupfs",
            ];
            all.extend_from_slice(arguments);
            run(&scratch.path, "podman", &all)
        };
        let from = format!("oci:{}:docker.io/library/thing:1", store.root().display());
        podman(&["pull", "-q", &from]);
        let id = podman(&["images", "-q", "--no-trunc"]);
        podman(&[
            "tag",
            id.trim().trim_start_matches("sha256:"),
            "docker.io/library/thing:1",
        ]);
        podman(&[
            "save",
            "-q",
            "--format",
            format,
            "-o",
            "saved.tar",
            "docker.io/library/thing:1",
        ]);
        assert_same(&scratch, &scratch.path.join("saved.tar"), Some("thing:1"));
    }
}

#[test]
fn gnu_tar_layers_with_links_and_holes_unpack_the_same() {
    if !has("tar") {
        return;
    }
    for format in ["gnu", "pax", "ustar", "posix"] {
        let scratch = Scratch::new();
        let source = scratch.path.join("source");
        std::fs::create_dir(&source).unwrap();
        let script = "mkdir -p a/b; echo one > a/one; ln a/one a/b/two; ln -s ../one a/b/three; mkfifo f; \
            truncate -s 1M hole; printf x | dd of=hole bs=1 seek=500000 conv=notrunc 2>/dev/null; \
            n=$(printf 'n%.0s' $(seq 90)); mkdir -p $n; echo long > $n/$n; chmod 4711 a/one; chmod 1777 a/b";
        run(&source, "sh", &["-c", script]);
        let sparse: &[&str] = if format == "ustar" { &[] } else { &["-S"] };
        let format_flag = format!("--format={format}");
        let mut arguments = vec!["-C", "source", "-cf", "layer.tar", &format_flag];
        arguments.extend_from_slice(sparse);
        arguments.push(".");
        run(&scratch.path, "tar", &arguments);
        let layer = std::fs::read(scratch.path.join("layer.tar")).unwrap();
        let (_, unpacked) = crate::scratch::unpack(&scratch.store(), &[layer]).unwrap();
        let seconds = |lines: Vec<String>| -> Vec<String> {
            lines
                .iter()
                .map(|line| line.rsplit_once('.').unwrap().0.to_owned())
                .collect()
        };
        assert_eq!(
            seconds(crate::scratch::tree(&unpacked.layers[0], true)),
            seconds(crate::scratch::tree(&source, true)),
            "{format}"
        );
        if !sparse.is_empty() {
            use std::os::unix::fs::MetadataExt;
            let hole = std::fs::metadata(unpacked.layers[0].join("hole")).unwrap();
            assert!(
                hole.blocks() * 512 < 500_000,
                "{format}: {} blocks",
                hole.blocks()
            );
        }
    }
}

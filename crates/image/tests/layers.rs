//! What good layers become: owners, modes, times, attributes, whiteouts, links.

use crate::scratch::{Scratch, is_root, tree, unpack};
use crate::tarball::{Tar, gzip, oci_layout};
use dhow_image::{Digest, Ownership};
use std::os::unix::fs::MetadataExt;
use std::process::Command;

macro_rules! needs_root {
    () => {
        if !is_root() {
            println!("skipped: needs root");
            return;
        }
    };
}

fn attribute(path: &std::path::Path, name: &str) -> Option<String> {
    let output = Command::new("python3")
        .args(["-c", "import os,sys; sys.stdout.write(os.getxattr(sys.argv[1], sys.argv[2], follow_symlinks=False).decode('latin1'))"])
        .arg(path)
        .arg(name)
        .output()
        .unwrap();
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn owners_modes_and_times_are_kept() {
    needs_root!();
    let scratch = Scratch::new();
    let layer = Tar::new()
        .dir_mode("./", 0o711, 5, 6)
        .dir_mode("d/", 0o2750, 1, 2)
        .file_mode("d/suid", "x", 0o4755, 3, 4)
        .pax(&[("mtime", b"12.000000345"), ("uid", b"100000")])
        .file("d/f", "y")
        .symlink("d/l", "/nowhere")
        .entry("p", b'6', b"", |_| {});
    let (_, unpacked) = unpack(&scratch.store(), &[layer.finish()]).unwrap();
    assert_eq!(
        tree(&unpacked.layers[0], true),
        [
            "d/ 2750 1:2 1000.0",
            "d/f=y 644 100000:0 12.345",
            "d/l -> /nowhere 777 0:0 1000.0",
            "d/suid=x 4755 3:4 1000.0",
            "p (fifo) 644 0:0 1000.0",
        ]
    );
    let root = std::fs::metadata(&unpacked.layers[0]).unwrap();
    assert_eq!(
        (root.mode() & 0o7777, root.uid(), root.gid(), root.mtime()),
        (0o711, 5, 6, 1000)
    );
}

#[test]
fn closed_directories_get_their_content_first() {
    needs_root!();
    let scratch = Scratch::new();
    let layer = Tar::new()
        .dir_mode("a/", 0, 1, 1)
        .dir_mode("a/b/", 0o500, 0, 0)
        .file("a/b/f", "x");
    let (_, unpacked) = unpack(&scratch.store(), &[layer.finish()]).unwrap();
    assert_eq!(
        tree(&unpacked.layers[0], true)[..2],
        ["a/ 0 1:1 1000.0", "a/b/ 500 0:0 1000.0"]
    );
}

#[test]
fn attributes_are_chosen_from_a_list() {
    needs_root!();
    let capability =
        b"\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00";
    let scratch = Scratch::new();
    let layer = Tar::new()
        .pax(&[
            ("SCHILY.xattr.user.mine", b"value"),
            ("SCHILY.xattr.security.capability", capability),
            ("SCHILY.xattr.trusted.overlay.opaque", b"y"),
            ("SCHILY.xattr.user.overlay.whiteout", b"y"),
            ("SCHILY.xattr.security.selinux", b"label"),
            ("SCHILY.xattr.system.posix_acl_access", b"\x02\0\0\0"),
        ])
        .file("f", "x");
    let (image, unpacked) = unpack(&scratch.store(), &[layer.finish()]).unwrap();
    let file = unpacked.layers[0].join("f");
    assert_eq!(attribute(&file, "user.mine").as_deref(), Some("value"));
    assert!(attribute(&file, "security.capability").is_some());
    for name in [
        "trusted.overlay.opaque",
        "user.overlay.whiteout",
        "security.selinux",
        "system.posix_acl_access",
    ] {
        assert_eq!(attribute(&file, name), None, "{name}");
    }
    assert_eq!(unpacked.reports[0].skipped.len(), 4);
    // With one single id a capability or a set-id bit could only serve outsiders.
    let squashed = scratch
        .store()
        .unpack(&image, Ownership::Squash, &mut ())
        .unwrap();
    assert_eq!(
        attribute(&squashed.layers[0].join("f"), "security.capability"),
        None
    );
}

#[test]
fn whiteouts_hide_what_is_below() {
    needs_root!();
    let scratch = Scratch::new();
    let base = Tar::new()
        .file("a/one", "1")
        .file("a/two", "2")
        .file("b/x", "x")
        .file("c/y", "y")
        .file("top", "t");
    let change = Tar::new()
        .file("a/.wh.one", "")
        .file("b/.wh..wh..opq", "")
        .file("b/new", "n")
        .file(".wh.c", "")
        .dir("c");
    let (_, unpacked) = unpack(&scratch.store(), &[base.finish(), change.finish()]).unwrap();
    let layer = &unpacked.layers[1];
    assert_eq!(
        tree(layer, false),
        ["a/", "a/one (gone)", "b/", "b/new=n", "c/"]
    );
    for (directory, opaque) in [("a", None), ("b", Some("y")), ("c", Some("y"))] {
        for name in ["trusted.overlay.opaque", "user.overlay.opaque"] {
            assert_eq!(
                attribute(&layer.join(directory), name).as_deref(),
                opaque,
                "{directory} {name}"
            );
        }
    }
}

/// Overlayfs shows a whiteout in an opaque directory, or in one that nothing below has, as a file.
#[test]
fn needless_whiteouts_are_left_out() {
    needs_root!();
    let scratch = Scratch::new();
    let base = Tar::new()
        .file("a/x", "1")
        .file("a/sub/y", "2")
        .file("b/x", "1");
    let change = Tar::new()
        .file("a/.wh.x", "")
        .file("a/sub/.wh.y", "")
        .file("a/sub/z", "")
        .file("a/.wh..wh..opq", "")
        .file("b/.wh.nothing", "")
        .file("new/.wh.nothing", "")
        .file("new/f", "");
    let (_, unpacked) = unpack(&scratch.store(), &[base.finish(), change.finish()]).unwrap();
    assert_eq!(
        tree(&unpacked.layers[1], false),
        ["a/", "a/sub/", "a/sub/z=", "new/", "new/f="]
    );
}

#[test]
fn an_opaque_root_hides_every_name_below() {
    needs_root!();
    let scratch = Scratch::new();
    let base = Tar::new().file("a/one", "1").file("top", "t").dir("kept");
    let change = Tar::new().file("kept/new", "n").file(".wh..wh..opq", "");
    let (_, unpacked) = unpack(&scratch.store(), &[base.finish(), change.finish()]).unwrap();
    let layer = &unpacked.layers[1];
    assert_eq!(
        tree(layer, false),
        ["a (gone)", "kept/", "kept/new=n", "top (gone)"]
    );
    assert_eq!(
        attribute(&layer.join("kept"), "trusted.overlay.opaque").as_deref(),
        Some("y")
    );
}

#[test]
fn unlisted_directories_are_as_below() {
    needs_root!();
    let scratch = Scratch::new();
    let base = Tar::new()
        .dir_mode("./", 0o700, 9, 9)
        .dir_mode("d/", 0o1770, 7, 8)
        .dir_mode("d/e/", 0o711, 5, 5);
    let change = Tar::new().file("d/e/f", "x").file("n/f", "y");
    let (_, unpacked) = unpack(&scratch.store(), &[base.finish(), change.finish()]).unwrap();
    let lines = tree(&unpacked.layers[1], true);
    assert_eq!(lines[0], "d/ 1770 7:8 1000.0");
    assert_eq!(lines[1], "d/e/ 711 5:5 1000.0");
    assert!(lines[3].starts_with("n/ 755 0:0"), "{lines:?}");
    let root = std::fs::metadata(&unpacked.layers[1]).unwrap();
    assert_eq!((root.mode() & 0o7777, root.uid()), (0o700, 9));
}

#[test]
fn hard_links_cross_directories_and_layers() {
    needs_root!();
    let scratch = Scratch::new();
    let base = Tar::new()
        .file_mode("a/f", "shared", 0o4711, 4, 4)
        .hard("b/g", "a/f")
        .file("gone", "x");
    let change = Tar::new().hard("c/h", "b/g").hard("i", "/c/h");
    let (_, unpacked) = unpack(&scratch.store(), &[base.finish(), change.finish()]).unwrap();
    let inode = |layer: usize, name: &str| {
        let metadata = std::fs::metadata(unpacked.layers[layer].join(name)).unwrap();
        (
            metadata.ino(),
            metadata.nlink(),
            metadata.mode() & 0o7777,
            metadata.uid(),
        )
    };
    assert_eq!(inode(0, "a/f"), inode(0, "b/g"));
    // The layer below is not changed: its file was copied up and linked here.
    assert_eq!(inode(0, "a/f").1, 2);
    assert_eq!(inode(1, "b/g"), inode(1, "c/h"));
    assert_eq!(inode(1, "i"), inode(1, "c/h"));
    assert_eq!(
        (inode(1, "i").1, inode(1, "i").2, inode(1, "i").3),
        (3, 0o4711, 4)
    );
    // A whiteout of this layer hides the target.
    let hidden = Tar::new().file(".wh.gone", "").hard("h", "gone").finish();
    let base = Tar::new().file("gone", "x").finish();
    let error = unpack(&Scratch::new().store(), &[base, hidden]).unwrap_err();
    assert!(error.to_string().contains("whiteout"), "{error}");
}

#[test]
fn later_entries_replace_earlier_ones() {
    needs_root!();
    let scratch = Scratch::new();
    let layer = Tar::new()
        .file("a", "1")
        .hard("b", "a")
        .file("a", "2")
        .dir("d")
        .file("d/f", "x")
        .file("d", "now a file")
        .dir_mode("e", 0o700, 1, 1)
        .file("e/kept", "k")
        .dir_mode("e", 0o711, 2, 2);
    let (_, unpacked) = unpack(&scratch.store(), &[layer.finish()]).unwrap();
    let lines = tree(&unpacked.layers[0], false);
    assert_eq!(lines, ["a=2", "b=1", "d=now a file", "e/", "e/kept=k"]);
    assert_eq!(
        std::fs::metadata(unpacked.layers[0].join("e"))
            .unwrap()
            .mode()
            & 0o777,
        0o711
    );
}

#[test]
fn gzip_of_several_members_unpacks() {
    needs_root!();
    let scratch = Scratch::new();
    let store = scratch.store();
    let plain = Tar::new().file("f", &"x".repeat(100_000)).finish();
    let blob = [gzip(&plain[..700]), gzip(&plain[700..])].concat();
    let archive = oci_layout("a.example/a:1", &[blob], &[Digest::of(&plain)]).pack();
    let image = crate::scratch::load(&store, &archive)
        .unwrap()
        .pop()
        .unwrap()
        .image;
    let unpacked = store.unpack(&image, Ownership::Keep, &mut ()).unwrap();
    assert_eq!(unpacked.reports[0].bytes, plain.len() as u64);
    assert_eq!(
        std::fs::metadata(unpacked.layers[0].join("f"))
            .unwrap()
            .len(),
        100_000
    );
}

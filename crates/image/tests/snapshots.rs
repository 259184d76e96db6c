//! One suite for every snapshotter: what a container would see is what the layers say.

use crate::scratch::{Scratch, is_root, load, tree};
use crate::tarball::{Tar, oci_archive};
use dhow_image::{Driver, Error, Image, Root, RootOptions, Store};
use std::path::Path;
use std::process::Command;

fn image(store: &Store) -> Image {
    let layers = [
        Tar::new()
            .dir_mode("./", 0o751, 1, 2)
            .dir_mode("etc/", 0o755, 0, 0)
            .file_mode("etc/conf", "1", 0o640, 3, 4)
            .file("etc/old", "old")
            .hard("etc/twin", "etc/conf")
            .file("gone/x", "x")
            .file("opaque/x", "x")
            .symlink("link", "etc")
            .finish(),
        Tar::new()
            .file(".wh.gone", "")
            .file("etc/.wh.old", "")
            .file("opaque/.wh..wh..opq", "")
            .file("opaque/y", "y")
            .finish(),
        Tar::new()
            .file("gone/new", "n")
            .dir("link")
            .file("link/z", "z")
            .finish(),
    ];
    load(store, &oci_archive("a.example/a:1", &layers))
        .unwrap()
        .pop()
        .unwrap()
        .image
}

const SEEN: [&str; 9] = [
    "etc/",
    "etc/conf=1",
    "etc/twin=1",
    "gone/",
    "gone/new=n",
    "link/",
    "link/z=z",
    "opaque/",
    "opaque/y=y",
];

/// The lines of the tree that the root shows, and the mode and owner of `/`; the overlay is mounted in
/// a namespace of its own, which ends with the command.
fn seen(scratch: &Scratch, root: &Root) -> (Vec<String>, String) {
    let directory = match root {
        Root::Directory(path) => path.clone(),
        Root::Overlay { .. } => scratch.path.join("mounted"),
    };
    let script = r#"cd "$1" && stat -c '%a %u:%g' . && find . -mindepth 1 | sort | while read -r f; do
        n="${f#./}"
        if [ -L "$f" ]; then echo "$n -> $(readlink "$f")"; elif [ -d "$f" ]; then echo "$n/"; else echo "$n=$(cat "$f")"; fi
        done"#;
    let mount = match root {
        Root::Directory(_) => String::new(),
        Root::Overlay { .. } => {
            std::fs::create_dir_all(&directory).unwrap();
            format!(
                "mount -i -t overlay overlay -o '{}' \"$1\" && ",
                root.mount_options().join(",")
            )
        }
    };
    let output = Command::new("unshare")
        .args(["-m", "sh", "-c", &(mount + script), "sh"])
        .arg(&directory)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let top = lines.remove(0);
    lines.sort();
    (lines, top)
}

fn suite(driver: Driver, options: &RootOptions) {
    if !is_root() {
        println!("skipped: needs root");
        return;
    }
    let scratch = Scratch::new();
    let store = scratch.store();
    let image = image(&store);
    let root = store
        .prepare("one", &image, driver, options, &mut ())
        .unwrap();
    let (lines, top) = seen(&scratch, &root);
    assert_eq!(lines, SEEN);
    assert_eq!(top, "751 1:2");
    // The same answer later, and by another handle.
    assert_eq!(scratch.store().root_of("one").unwrap(), root);
    let error = store
        .prepare("one", &image, driver, options, &mut ())
        .unwrap_err();
    assert!(matches!(error, Error::SnapshotExists { .. }), "{error}");
    // Roots are independent of each other.
    let other = store
        .prepare("two", &image, driver, options, &mut ())
        .unwrap();
    let write_to = |root: &Root| match root {
        Root::Directory(path) => path.join("written"),
        Root::Overlay { upper, .. } => upper.join("written"),
    };
    std::fs::write(write_to(&other), "w").unwrap();
    assert!(seen(&scratch, &other).0.contains(&"written=w".to_owned()));
    if !options.throwaway {
        // Overlayfs refuses to mount a volatile upper directory again.
        assert_eq!(seen(&scratch, &root).0, SEEN);
    }
    assert_eq!(store.roots().unwrap(), ["one", "two"]);
    assert!(store.discard("two").unwrap());
    assert_eq!(store.roots().unwrap(), ["one"]);
    assert!(matches!(
        store.root_of("two"),
        Err(Error::NoSuchSnapshot { .. })
    ));
    scratch.assert_canary("snapshots");
}

#[test]
fn overlay() {
    suite(Driver::Overlay, &RootOptions::default());
}

#[test]
fn overlay_that_is_thrown_away() {
    let options = RootOptions {
        throwaway: true,
        ..RootOptions::default()
    };
    suite(Driver::Overlay, &options);
}

#[test]
fn overlay_for_a_user_namespace() {
    let options = RootOptions {
        user_namespace: true,
        ..RootOptions::default()
    };
    suite(Driver::Overlay, &options);
}

#[test]
fn copy() {
    suite(Driver::Copy, &RootOptions::default());
}

#[test]
fn copies_keep_owners_links_and_times() {
    if !is_root() {
        println!("skipped: needs root");
        return;
    }
    let scratch = Scratch::new();
    let store = scratch.store();
    let image = image(&store);
    let Root::Directory(path) = store
        .prepare("c", &image, Driver::Copy, &RootOptions::default(), &mut ())
        .unwrap()
    else {
        panic!("a copy is a directory");
    };
    let lines = tree(&path, true);
    assert!(
        lines.contains(&"etc/conf=1 640 3:4 1000.0".to_owned()),
        "{lines:?}"
    );
    use std::os::unix::fs::MetadataExt;
    let inode = |name: &str| std::fs::metadata(path.join(name)).unwrap().ino();
    assert_eq!(inode("etc/conf"), inode("etc/twin"));
    // A write through one root changes no layer.
    std::fs::write(path.join("etc/conf"), "changed").unwrap();
    let layer = store
        .root()
        .join("snapshots")
        .join(image.layers[0].chain_id.hex())
        .join("fs/etc/conf");
    assert_eq!(std::fs::read_to_string(layer).unwrap(), "1");
}

#[test]
fn thirty_layers_mount_by_short_options() {
    if !is_root() {
        println!("skipped: needs root");
        return;
    }
    let scratch = Scratch::new();
    let store = scratch.store();
    let layers: Vec<Vec<u8>> = (0..30)
        .map(|n| Tar::new().file(&format!("f{n}"), "x").finish())
        .collect();
    let image = load(&store, &oci_archive("a.example/a:1", &layers))
        .unwrap()
        .pop()
        .unwrap()
        .image;
    let root = store
        .prepare(
            "many",
            &image,
            Driver::Overlay,
            &RootOptions::default(),
            &mut (),
        )
        .unwrap();
    assert!(root.mount_options().iter().all(|option| option.len() < 256));
    assert_eq!(seen(&scratch, &root).0.len(), 30);
}

#[test]
fn keys_are_plain_names() {
    let scratch = Scratch::new();
    let store = scratch.store();
    for key in ["", "..", ".x", "a/b", "a b", &"x".repeat(129)] {
        assert!(
            store.root_of(key).unwrap_err().to_string().contains("key"),
            "{key:?}"
        );
    }
}

#[test]
fn a_store_whose_path_overlay_cannot_express_is_refused_before_anything_is_made() {
    if !is_root() {
        println!("skipped: needs root");
        return;
    }
    let scratch = Scratch::new();
    let store = Store::open(&scratch.path.join("with:colon")).unwrap();
    let image = image(&store);
    let error = store
        .prepare(
            "x",
            &image,
            Driver::Overlay,
            &RootOptions::default(),
            &mut (),
        )
        .unwrap_err();
    assert!(error.to_string().contains("use the copy driver"), "{error}");
    assert_eq!(store.roots().unwrap(), Vec::<String>::new());
    assert!(
        store
            .prepare("x", &image, Driver::Copy, &RootOptions::default(), &mut ())
            .is_ok()
    );
    assert!(Path::new(&store.root().join("roots/x/rootfs/etc/conf")).exists());
}

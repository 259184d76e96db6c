//! The store: names, removal, garbage, images made here.

use crate::scratch::{Scratch, is_root, load, names, tree};
use crate::tarball::{Tar, oci_archive};
use dhow_image::{Driver, Error, ErrorKind, NameOutcome, Ownership, RootOptions};

fn layer(content: &str) -> Vec<u8> {
    Tar::new().file("f", content).finish()
}

#[test]
fn a_built_in_image_is_made_once() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let name = "localhost/hello".parse().unwrap();
    let add = || {
        store
            .add_image_from_file(&name, "/bin/hello", b"program".to_vec(), &["/bin/hello"])
            .unwrap()
    };
    let first = add();
    assert_eq!(first.names, [NameOutcome::Set(name.clone())]);
    let blobs = names(&store.root().join("blobs/sha256"));
    assert_eq!(add().image.digest, first.image.digest);
    assert_eq!(names(&store.root().join("blobs/sha256")), blobs);
    // A short name is first one of this machine.
    let image = store.find("hello").unwrap();
    assert_eq!(image.id, first.image.id);
    let config = image.config.config().clone().unwrap();
    assert_eq!(config.entrypoint().clone().unwrap(), ["/bin/hello"]);
    if is_root() {
        let unpacked = store.unpack(&image, Ownership::Keep, &mut ()).unwrap();
        assert_eq!(
            tree(&unpacked.layers[0], true),
            ["bin/ 755 0:0 0.0", "bin/hello=program 755 0:0 0.0"]
        );
    }
}

#[test]
fn tags_come_and_go() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let image = load(&store, &oci_archive("a.example/a:1", &[layer("x")]))
        .unwrap()
        .pop()
        .unwrap()
        .image;
    let name = "b:2".parse().unwrap();
    store.tag(&image, &name).unwrap();
    assert_eq!(store.find("b:2").unwrap().names.len(), 2);
    let index = std::fs::read_to_string(store.root().join("index.json")).unwrap();
    assert!(index.contains("docker.io/library/b:2"), "{index}");
    assert!(store.untag(&name).unwrap());
    assert!(!store.untag(&name).unwrap());
    assert_eq!(store.find("b:2").unwrap_err().kind(), ErrorKind::NotFound);
    assert!(store.find(&image.id.short()).is_ok());
}

#[test]
fn removal_takes_what_nobody_else_needs() {
    if !is_root() {
        println!("skipped: needs root");
        return;
    }
    let scratch = Scratch::new();
    let store = scratch.store();
    let shared = layer("shared");
    let one = load(
        &store,
        &oci_archive("a.example/one:1", &[shared.clone(), layer("1")]),
    )
    .unwrap()
    .pop()
    .unwrap()
    .image;
    let two = load(
        &store,
        &oci_archive("a.example/two:1", &[shared, layer("2")]),
    )
    .unwrap()
    .pop()
    .unwrap()
    .image;
    for image in [&one, &two] {
        store.unpack(image, Ownership::Keep, &mut ()).unwrap();
    }
    store
        .prepare(
            "web",
            &two,
            Driver::Overlay,
            &RootOptions::default(),
            &mut (),
        )
        .unwrap();
    assert_eq!(names(&store.root().join("snapshots")).len(), 3);
    store.remove(&one).unwrap();
    assert_eq!(names(&store.root().join("snapshots")).len(), 2);
    assert_eq!(names(&store.root().join("blobs/sha256")).len(), 4);
    // The container keeps the layers that it stands on.
    store.remove(&two).unwrap();
    assert_eq!(names(&store.root().join("blobs/sha256")).len(), 0);
    assert_eq!(names(&store.root().join("snapshots")).len(), 2);
    assert!(store.root_of("web").is_ok());
    assert!(store.discard("web").unwrap());
    assert!(!store.discard("web").unwrap());
    let collected = store.collect_garbage().unwrap().unwrap();
    assert_eq!(collected.layers, 2);
    assert!(matches!(store.remove(&two), Err(Error::NoSuchImage { .. })));
    assert_eq!(names(&store.root().join("names")), Vec::<String>::new());
}

#[test]
fn an_ambiguous_id_says_what_it_fits() {
    let scratch = Scratch::new();
    let store = scratch.store();
    for number in 0..40 {
        load(
            &store,
            &oci_archive("latest", &[layer(&number.to_string())]),
        )
        .unwrap();
    }
    let images = store.images().unwrap();
    assert_eq!(images.len(), 40);
    let mut starts: Vec<String> = images
        .iter()
        .map(|image| image.id.hex()[..2].to_owned())
        .collect();
    starts.sort();
    // Forty ids and 256 beginnings: the same contents always give the same ids, and some begin alike.
    let twice = starts.windows(2).find(|pair| pair[0] == pair[1]).unwrap()[0].clone();
    let error = store.find(&twice).unwrap_err();
    assert!(matches!(error, Error::AmbiguousId { .. }), "{error}");
}

#[test]
fn what_a_killed_load_left_is_removed_by_the_next() {
    let scratch = Scratch::new();
    let store = scratch.store();
    std::fs::write(store.root().join("ingest/1-1-1"), "left").unwrap();
    load(&store, &oci_archive("a.example/a:1", &[layer("x")])).unwrap();
    assert_eq!(names(&store.root().join("ingest")), Vec::<String>::new());
}

#[test]
fn a_damaged_record_is_said_and_removes_nothing() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let image = load(&store, &oci_archive("a.example/a:1", &[layer("x")]))
        .unwrap()
        .pop()
        .unwrap()
        .image;
    let path = store
        .root()
        .join("images")
        .join(format!("{}.json", image.digest.hex()));
    std::fs::write(&path, "{").unwrap();
    let error = store.collect_garbage().unwrap_err();
    assert!(matches!(error, Error::DamagedStore { .. }), "{error}");
    assert_eq!(names(&store.root().join("blobs/sha256")).len(), 3);
    std::fs::write(&path, r#"{"version":99}"#).unwrap();
    assert_eq!(store.images().unwrap_err().kind(), ErrorKind::Unsupported);
}

#[test]
fn the_store_is_private() {
    use std::os::unix::fs::MetadataExt;
    let scratch = Scratch::new();
    let store = scratch.store();
    assert_eq!(
        std::fs::metadata(store.root()).unwrap().mode() & 0o777,
        0o700
    );
}

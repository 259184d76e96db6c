//! Archives: both forms, names, damage.

use crate::scratch::{Scratch, load, names};
use crate::tarball::{Tar, blob_name, docker_archive, gzip, oci_archive, oci_layout};
use dhow_image::{Digest, Error, ErrorKind, LoadOptions, NameOutcome, Platform, Store};
use serde_json::json;

fn layer(content: &str) -> Vec<u8> {
    Tar::new().file("f", content).finish()
}

/// Nothing of a failed load stays: no blob, no image, no name, no temporary file.
fn assert_empty(store: &Store, case: &str) {
    for directory in ["blobs/sha256", "images", "names", "ingest", "snapshots"] {
        assert_eq!(
            names(&store.root().join(directory)),
            Vec::<String>::new(),
            "{case}: {directory}"
        );
    }
    assert!(store.images().unwrap().is_empty(), "{case}");
}

#[test]
fn an_oci_archive_is_loaded_and_found_by_all_its_names() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let loaded = load(
        &store,
        &oci_archive("docker.io/library/thing:1", &[layer("x")]),
    )
    .unwrap();
    assert_eq!(loaded.len(), 1);
    assert_eq!(
        loaded[0].names,
        [NameOutcome::Set("thing:1".parse().unwrap())]
    );
    let id = loaded[0].image.id.hex();
    for text in [
        "thing:1",
        "docker.io/library/thing:1",
        &id,
        &id[..12],
        &format!("sha256:{id}"),
    ] {
        assert_eq!(store.find(text).unwrap().id.hex(), id, "{text}");
    }
    let error = store.find("thing").unwrap_err();
    assert!(
        matches!(error, Error::NoSuchImage { .. }) && error.kind() == ErrorKind::NotFound,
        "{error}"
    );
    // Once more: nothing new.
    let before = names(&store.root().join("blobs/sha256"));
    load(
        &store,
        &oci_archive("docker.io/library/thing:1", &[layer("x")]),
    )
    .unwrap();
    assert_eq!(names(&store.root().join("blobs/sha256")), before);
    assert_eq!(names(&store.root().join("ingest")), Vec::<String>::new());
}

#[test]
fn the_store_is_an_oci_layout() {
    let scratch = Scratch::new();
    let store = scratch.store();
    load(&store, &oci_archive("a.example/a:1", &[layer("x")])).unwrap();
    let other = Store::open(&scratch.path.join("other")).unwrap();
    let loaded = other.load(store.root(), &LoadOptions::default()).unwrap();
    assert_eq!(loaded[0].image.names[0].to_string(), "a.example/a:1");
}

#[test]
fn docker_archives_hold_several_images() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let archive = docker_archive(&[
        (&["one:1", "one:2"], vec![layer("a"), layer("b")]),
        (&["two:1"], vec![layer("a"), layer("c")]),
    ]);
    let loaded = load(&store, &archive).unwrap();
    assert_eq!(loaded.len(), 2);
    assert_eq!(store.find("one:2").unwrap().layers.len(), 2);
    // Shared layers are stored once: three layers, two configurations, two manifests.
    assert_eq!(names(&store.root().join("blobs/sha256")).len(), 7);
    let again = load(
        &Store::open(&scratch.path.join("again")).unwrap(),
        &gzip(&archive),
    )
    .unwrap();
    assert_eq!(again[0].image.digest, loaded[0].image.digest);
}

#[test]
fn names_of_others_are_taken_only_when_asked() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let first = load(
        &store,
        &docker_archive(&[(&["popular:1"], vec![layer("a")])]),
    )
    .unwrap();
    let archive = docker_archive(&[(&["popular:1"], vec![layer("evil")])]);
    let second = load(&store, &archive).unwrap();
    let stays = first[0].image.digest;
    assert_eq!(
        second[0].names,
        [NameOutcome::Kept {
            name: "popular:1".parse().unwrap(),
            stays
        }]
    );
    assert_eq!(store.find("popular:1").unwrap().digest, stays);
    let options = LoadOptions {
        replace_names: true,
        ..LoadOptions::default()
    };
    let third = store.load_stream(&mut &*archive, &options).unwrap();
    assert_eq!(
        third[0].names,
        [NameOutcome::Moved {
            name: "popular:1".parse().unwrap(),
            from: stays
        }]
    );
    assert_eq!(
        store.find("popular:1").unwrap().digest,
        second[0].image.digest
    );
}

#[test]
fn a_given_name_replaces_those_of_the_archive() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let options = LoadOptions {
        name: Some("mine".parse().unwrap()),
        ..LoadOptions::default()
    };
    // A bare tag, as umoci writes it, is no name.
    let archive = oci_archive("latest", &[layer("x")]);
    assert!(load(&store, &archive).unwrap()[0].image.names.is_empty());
    store.load_stream(&mut &*archive, &options).unwrap();
    assert_eq!(
        store.find("mine").unwrap().names[0].familiar(),
        "mine:latest"
    );
    let two = docker_archive(&[(&["a"], vec![layer("a")]), (&["b"], vec![layer("b")])]);
    let error = store.load_stream(&mut &*two, &options).unwrap_err();
    assert!(error.to_string().contains("2 images"), "{error}");
}

#[test]
fn damage_names_the_entry_and_leaves_nothing() {
    let diff_id = Digest::of(&layer("x"));
    let whole = || oci_layout("a.example/a:1", &[layer("x")], &[diff_id]);
    let layer_name = blob_name(&diff_id);
    let manifest_name = blob_name(&whole().manifest);
    let config_name = blob_name(&whole().config);
    let mut cases: Vec<(&str, Vec<u8>, Vec<String>)> = Vec::new();
    let mut layout = whole();
    layout.file_mut(&layer_name)[600] ^= 1;
    cases.push((
        "flipped layer",
        layout.pack(),
        vec!["damaged".into(), layer_name.clone()],
    ));
    let mut layout = whole();
    layout.file_mut(&manifest_name).push(b' ');
    cases.push((
        "longer manifest",
        layout.pack(),
        vec!["damaged".into(), manifest_name.clone()],
    ));
    for (case, name) in [
        ("no layer", &layer_name),
        ("no manifest", &manifest_name),
        ("no configuration", &config_name),
    ] {
        let mut layout = whole();
        layout.remove(name);
        cases.push((case, layout.pack(), vec!["no entry".into(), name.clone()]));
    }
    let mut layout = whole();
    layout.remove("index.json");
    cases.push(("no index", layout.pack(), vec!["no image archive".into()]));
    let mut layout = whole();
    *layout.file_mut("oci-layout") = br#"{"imageLayoutVersion":"2.0.0"}"#.to_vec();
    cases.push(("version 2", layout.pack(), vec!["2.0.0".into()]));
    let packed = whole().pack();
    cases.push((
        "cut in a blob",
        packed[..1000].to_vec(),
        vec!["truncated".into(), layer_name.clone()],
    ));
    let zipped = gzip(&packed);
    cases.push((
        "cut gzip",
        zipped[..zipped.len() / 2].to_vec(),
        vec!["truncated".into()],
    ));
    cases.push((
        "not an archive",
        b"hello".to_vec(),
        vec!["truncated".into()],
    ));
    cases.push(("random", vec![b'x'; 4096], vec!["entry".into()]));
    cases.push(("empty", Vec::new(), vec!["no image archive".into()]));
    cases.push((
        "zstd",
        vec![0x28, 0xb5, 0x2f, 0xfd, 0, 0],
        vec!["zstd".into()],
    ));
    let lied = oci_layout("a.example/a:1", &[layer("x")], &[]).pack();
    cases.push((
        "too few diff ids",
        lied,
        vec!["0 diff ids for 1 layers".into()],
    ));
    let devices = Tar::new().device("x", b'3', 1, 3).finish();
    cases.push(("device in the archive", devices, vec!["\"x\"".into()]));
    let climbing = Tar::new().file("../../x", "").finish();
    cases.push(("climbing entry", climbing, vec!["\"../../x\"".into()]));
    let bad_name = Tar::new().file("blobs/sha256/xyz", "").finish();
    cases.push(("bad blob name", bad_name, vec!["not a digest".into()]));
    for (case, archive, texts) in cases {
        let scratch = Scratch::new();
        let store = scratch.store();
        let error = load(&store, &archive).unwrap_err();
        for text in texts {
            assert!(error.to_string().contains(&text), "{case}: {error}");
        }
        let expected = if matches!(case, "zstd" | "version 2") {
            ErrorKind::Unsupported
        } else {
            ErrorKind::InvalidInput
        };
        assert_eq!(error.kind(), expected, "{case}: {error}");
        assert_empty(&store, case);
        scratch.assert_canary(case);
    }
}

#[test]
fn damaged_docker_archives_name_the_entry() {
    let good = docker_archive(&[(&["a:1"], vec![layer("x")])]);
    let at = |text: &[u8]| {
        good.windows(text.len())
            .position(|window| window == text)
            .unwrap()
    };
    let mut flipped_layer = good.clone();
    flipped_layer[512 + 512] ^= 1;
    let mut flipped_config = good.clone();
    let position = at(b"\"A=b\"") + 1;
    flipped_config[position] = b'B';
    let cut = &good[..at(b"[{\"Config\"") + 5];
    for (case, archive, text) in [
        ("layer", flipped_layer.as_slice(), "damaged"),
        ("configuration", &flipped_config, ".json\" is damaged"),
        ("cut", cut, "truncated: it ends inside \"manifest.json\""),
    ] {
        let scratch = Scratch::new();
        let store = scratch.store();
        let error = load(&store, archive).unwrap_err();
        assert!(error.to_string().contains(text), "{case}: {error}");
        assert_empty(&store, case);
    }
}

#[test]
fn an_index_is_searched_by_platform() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let layout = oci_layout("x", &[layer("x")], &[Digest::of(&layer("x"))]);
    let manifest = layout
        .files
        .iter()
        .find(|(name, _)| *name == blob_name(&layout.manifest))
        .unwrap();
    let descriptor = |os: &str, architecture: &str, digest: &Digest| {
        json!({
            "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": manifest.1.len(),
            "platform": {"os": os, "architecture": architecture},
        })
    };
    let host = Platform::host();
    let missing = Digest::of(b"nothing");
    let build = |entries: Vec<serde_json::Value>| {
        let nested = serde_json::to_vec(&json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": entries,
        }))
        .unwrap();
        let digest = Digest::of(&nested);
        let mut layout = oci_layout("x", &[layer("x")], &[Digest::of(&layer("x"))]);
        *layout.file_mut("index.json") = serde_json::to_vec(&json!({
            "schemaVersion": 2,
            "manifests": [{
                "mediaType": "application/vnd.oci.image.index.v1+json", "digest": digest, "size": nested.len(),
                "annotations": {"io.containerd.image.name": "docker.io/library/multi:1"},
            }],
        }))
        .unwrap();
        layout.files.push((blob_name(&digest), nested));
        layout.pack()
    };
    // Other platforms need not be in the archive.
    let both = build(vec![
        descriptor("unknown", "unknown", &missing),
        descriptor("windows", "amd64", &missing),
        descriptor("linux", &host.architecture, &layout.manifest),
    ]);
    let loaded = load(&store, &both).unwrap();
    assert_eq!(loaded[0].image.names[0].familiar(), "multi:1");
    let none = build(vec![
        descriptor("windows", "amd64", &missing),
        descriptor("plan9", "386", &missing),
    ]);
    let error = load(&store, &none).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(
        error.to_string().contains("windows/amd64, plan9/386"),
        "{error}"
    );
}

#[test]
fn what_is_saved_loads_with_the_same_digests() {
    let scratch = Scratch::new();
    let store = scratch.store();
    load(
        &store,
        &docker_archive(&[(&["one:1", "one:2"], vec![layer("a")])]),
    )
    .unwrap();
    load(&store, &oci_archive("latest", &[layer("a"), layer("b")])).unwrap();
    let images: Vec<_> = store
        .images()
        .unwrap()
        .iter()
        .map(|image| store.image(&image.digest).unwrap())
        .collect();
    let mut saved = Vec::new();
    store
        .save(&images.iter().collect::<Vec<_>>(), &mut saved)
        .unwrap();
    let other = Store::open(&scratch.path.join("other")).unwrap();
    let loaded = load(&other, &saved).unwrap();
    assert_eq!(loaded.len(), 2);
    for image in &images {
        assert_eq!(other.image(&image.digest).unwrap().names, image.names);
    }
    // Damage in the store is not passed on.
    let blob = store
        .root()
        .join("blobs/sha256")
        .join(images[0].layers[0].digest.hex());
    let mut bytes = std::fs::read(&blob).unwrap();
    bytes[513] ^= 1;
    std::fs::write(&blob, bytes).unwrap();
    let error = store.save(&[&images[0]], &mut Vec::new()).unwrap_err();
    assert!(matches!(error, Error::WrongDigest { .. }), "{error}");
}

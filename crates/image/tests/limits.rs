//! Bombs stop at the limit, quickly and without leaving anything.

use crate::scratch::{Scratch, is_root, load, names};
use crate::tarball::{Tar, blob_name, gzip, oci_layout};
use dhow_image::{Digest, Error, Limits, Ownership, Store};
use serde_json::json;

#[test]
fn nested_and_wide_indexes_are_refused() {
    let index = |entries: serde_json::Value| {
        serde_json::to_vec(&json!({"schemaVersion": 2, "manifests": entries})).unwrap()
    };
    let media_type = "application/vnd.oci.image.index.v1+json";
    let mut tar = Tar::new().file("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#);
    let mut inner = index(json!([]));
    for _ in 0..64 {
        let digest = Digest::of(&inner);
        tar = tar.entry(blob_name(&digest), b'0', &inner, |_| {});
        inner = index(json!([{"mediaType": media_type, "digest": digest, "size": inner.len()}]));
    }
    let deep = tar.entry("index.json", b'0', &inner, |_| {}).finish();
    let digest = Digest::of(b"x");
    let many: Vec<_> = (0..5000)
        .map(|_| json!({"mediaType": media_type, "digest": digest, "size": 1}))
        .collect();
    let marker = || Tar::new().file("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#);
    let wide = marker()
        .entry("index.json", b'0', &index(json!(many)), |_| {})
        .finish();
    let brackets = [b"[".repeat(100_000), b"]".repeat(100_000)].concat();
    let arrays = marker()
        .entry("index.json", b'0', &brackets, |_| {})
        .finish();
    let giant = marker()
        .entry("index.json", b'0', &vec![b' '; 5 << 20], |_| {})
        .finish();
    for (case, archive, text) in [
        ("deep", deep, "nesting of indexes exceeds the limit of 4"),
        (
            "wide",
            wide,
            "number of descriptors exceeds the limit of 4096",
        ),
        ("arrays", arrays, "nesting of the document"),
        ("giant", giant, "exceeds the limit of 4194304 bytes"),
    ] {
        let scratch = Scratch::new();
        let started = std::time::Instant::now();
        let error = load(&scratch.store(), &archive).unwrap_err();
        assert!(error.to_string().contains(text), "{case}: {error}");
        assert!(
            started.elapsed().as_secs() < 2,
            "{case} took {:?}",
            started.elapsed()
        );
    }
}

#[test]
fn layer_bombs_stop_and_leave_nothing() {
    if !is_root() {
        println!("skipped: needs root");
        return;
    }
    let limits = Limits {
        layer_bytes: 8 << 20,
        layer_entries: 1000,
        ..Limits::default()
    };
    let zeros = Tar::new()
        .entry("zeros", b'0', &vec![0; 32 << 20], |_| {})
        .finish();
    let mut many = Tar::new();
    for number in 0..1001 {
        many = many.file(&number.to_string(), "");
    }
    let sparse = Tar::new()
        .pax(&[
            ("GNU.sparse.size", b"1099511627776"),
            ("GNU.sparse.map", b"0,1"),
        ])
        .file("hole", "x")
        .finish();
    for (case, layer, text) in [
        ("zeros", zeros, "exceeds the limit of 8388608 bytes"),
        (
            "entries",
            many.finish(),
            "exceeds the limit of 1000 entries",
        ),
        ("holes", sparse, "exceeds the limit of 8388608 bytes"),
    ] {
        let scratch = Scratch::new();
        let store = Store::with_limits(&scratch.path.join("store"), limits).unwrap();
        let archive = oci_layout("a.example/a:1", &[gzip(&layer)], &[Digest::of(&layer)]).pack();
        let image = load(&store, &archive).unwrap().pop().unwrap().image;
        let error = store.unpack(&image, Ownership::Keep, &mut ()).unwrap_err();
        assert!(matches!(error, Error::TooLarge { .. }), "{case}: {error}");
        assert!(error.to_string().contains(text), "{case}: {error}");
        assert_eq!(
            names(&store.root().join("snapshots")),
            Vec::<String>::new(),
            "{case}"
        );
    }
}

#[test]
fn a_truncated_layer_is_refused_wherever_it_ends() {
    if !is_root() {
        println!("skipped: needs root");
        return;
    }
    let plain = Tar::new()
        .dir("d")
        .file("d/f", &"x".repeat(2000))
        .symlink("l", "d")
        .finish();
    let blob = gzip(&plain);
    for length in (0..blob.len()).step_by(11) {
        let scratch = Scratch::new();
        let store = scratch.store();
        let archive = oci_layout(
            "a.example/a:1",
            &[blob[..length].to_vec()],
            &[Digest::of(&plain)],
        )
        .pack();
        let image = load(&store, &archive).unwrap().pop().unwrap().image;
        let error = store.unpack(&image, Ownership::Keep, &mut ()).unwrap_err();
        let shown = error.to_string();
        assert!(
            shown.contains("truncated") || shown.contains("promises") || shown.contains("entry"),
            "{length}: {shown}"
        );
        assert_eq!(
            names(&store.root().join("snapshots")),
            Vec::<String>::new(),
            "{length}"
        );
    }
}

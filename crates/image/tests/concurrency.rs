//! Many at once: each layer unpacked once, each key made once, nothing lost.

use crate::scratch::{Scratch, is_root, load, names, tree};
use crate::tarball::{Tar, oci_archive};
use dhow_image::Digest;
use dhow_image::{Driver, Error, ErrorKind, LoadOptions, Ownership, Progress, RootOptions};
use std::sync::atomic::{AtomicUsize, Ordering};

struct Count<'a>(&'a AtomicUsize);

impl Progress for Count<'_> {
    fn unpacking(&mut self, _position: usize, _count: usize, _layer: &Digest) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn layers() -> Vec<Vec<u8>> {
    (0..6)
        .map(|n| {
            let mut tar = Tar::new();
            for file in 0..40 {
                tar = tar.file(&format!("d{n}/f{file}"), &"x".repeat(3000));
            }
            tar.finish()
        })
        .collect()
}

/// Each thread opens the store anew: a lock belongs to an open file, so threads exclude each other as
/// processes do.
#[test]
fn layers_are_unpacked_once() {
    if !is_root() {
        println!("skipped: needs root");
        return;
    }
    let scratch = Scratch::new();
    let image = load(&scratch.store(), &oci_archive("a.example/a:1", &layers()))
        .unwrap()
        .pop()
        .unwrap()
        .image;
    let count = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let unpacked = scratch
                    .store()
                    .unpack(&image, Ownership::Keep, &mut Count(&count))
                    .unwrap();
                assert_eq!(tree(&unpacked.layers[5], false).len(), 41);
            });
        }
    });
    assert_eq!(count.load(Ordering::Relaxed), 6);
    assert_eq!(names(&scratch.store().root().join("snapshots")).len(), 6);
}

#[test]
fn of_two_makers_of_one_key_one_wins() {
    if !is_root() {
        println!("skipped: needs root");
        return;
    }
    let scratch = Scratch::new();
    let image = load(&scratch.store(), &oci_archive("a.example/a:1", &layers()))
        .unwrap()
        .pop()
        .unwrap()
        .image;
    let won = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                match scratch.store().prepare(
                    "web",
                    &image,
                    Driver::Overlay,
                    &RootOptions::default(),
                    &mut (),
                ) {
                    Ok(_) => {
                        won.fetch_add(1, Ordering::Relaxed);
                    }
                    Err(error) => assert!(matches!(error, Error::SnapshotExists { .. }), "{error}"),
                }
            });
        }
    });
    assert_eq!(won.load(Ordering::Relaxed), 1);
    assert_eq!(names(&scratch.store().root().join("roots")), ["web"]);
}

#[test]
fn loading_removing_and_unpacking_at_once_never_breaks_an_image() {
    if !is_root() {
        println!("skipped: needs root");
        return;
    }
    let scratch = Scratch::new();
    let archive = oci_archive("a.example/a:1", &layers());
    scratch.store();
    let until = std::time::Instant::now() + std::time::Duration::from_secs(3);
    std::thread::scope(|scope| {
        for worker in 0..6 {
            let (scratch, archive) = (&scratch, &archive);
            scope.spawn(move || {
                let store = scratch.store();
                while std::time::Instant::now() < until {
                    let result = match worker % 3 {
                        0 => store
                            .load_stream(&mut archive.as_slice(), &LoadOptions::default())
                            .map(drop),
                        1 => store
                            .find("a.example/a:1")
                            .and_then(|image| store.remove(&image)),
                        _ => store
                            .find("a.example/a:1")
                            .and_then(|image| store.unpack(&image, Ownership::Keep, &mut ()))
                            .map(drop),
                    };
                    if let Err(error) = result {
                        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
                    }
                }
            });
        }
    });
    let store = scratch.store();
    let loaded = load(&store, &archive).unwrap();
    store
        .unpack(&loaded[0].image, Ownership::Keep, &mut ())
        .unwrap();
    assert_eq!(names(&store.root().join("ingest")), Vec::<String>::new());
}

//! How fast a layer unpacks; run by hand, because a shared machine proves nothing:
//! `DHOW_BENCH_LAYER=rootfs.tar cargo test -p dhow-image --profile tested -- --ignored speed --nocapture`

use crate::scratch::Scratch;
use crate::tarball::{gzip, oci_layout};
use dhow_image::{Digest, LoadOptions, Ownership};
use std::time::Instant;

#[test]
#[ignore = "a measurement"]
fn speed() {
    let Some(path) = std::env::var_os("DHOW_BENCH_LAYER") else {
        println!("skipped: DHOW_BENCH_LAYER names no layer");
        return;
    };
    let plain = std::fs::read(path).unwrap();
    let diff_id = Digest::of(&plain);
    let megabytes = plain.len() as f64 / 1e6;
    for (kind, blob) in [("plain", plain.clone()), ("gzip", gzip(&plain))] {
        let archive = oci_layout("a.example/a:1", &[blob], &[diff_id]).pack();
        for round in 0..3 {
            let scratch = Scratch::new();
            let store = scratch.store();
            let started = Instant::now();
            let image = store
                .load_stream(&mut &*archive, &LoadOptions::default())
                .unwrap()
                .pop()
                .unwrap()
                .image;
            let loaded = started.elapsed();
            let started = Instant::now();
            let unpacked = store.unpack(&image, Ownership::Keep, &mut ()).unwrap();
            let took = started.elapsed();
            println!(
                "{kind} {round}: load {loaded:.0?}, unpack {took:.0?}, {:.0} MB/s, {} entries, {megabytes:.0} MB",
                megabytes / took.as_secs_f64(),
                unpacked.reports[0].entries,
            );
        }
    }
}

//! Every kept input of every target, once: what fuzzing has found stays mended without a fuzzer.
#![cfg(target_os = "linux")]
// The input is shown when its check panics.
#![allow(clippy::print_stdout)]

use std::path::Path;

fn replay(name: &str) {
    let (_, check) = dhow_fuzz::TARGETS
        .iter()
        .find(|(target, _)| *target == name)
        .expect("a target of that name");
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(name);
    let entries = std::fs::read_dir(&corpus).expect("the corpus");
    let mut count = 0;
    for entry in entries {
        let path = entry.expect("an entry").path();
        println!("{}", path.display());
        check(&std::fs::read(&path).expect("an input"));
        count += 1;
    }
    assert!(count > 4, "{} has {count} inputs", corpus.display());
}

#[test]
fn every_target_has_a_test_here() {
    assert_eq!(dhow_fuzz::TARGETS.len(), 8);
}

#[test]
fn spec() {
    replay("spec");
}

#[test]
fn mountopt() {
    replay("mountopt");
}

#[test]
fn seccomp() {
    replay("seccomp");
}

#[test]
fn state() {
    replay("state");
}

#[test]
fn signal() {
    replay("signal");
}

#[test]
fn size() {
    replay("size");
}

#[test]
fn cpuset() {
    replay("cpuset");
}

#[test]
fn user() {
    replay("user");
}

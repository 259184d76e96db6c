//! S-ID: container ids become paths, so an id that could leave the state directory is refused.

use dhow_tests::{Test, for_runtimes};
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt as _;

/// Small generator, so that a failure can be repeated.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).expect("a small number")
    }
}

const PIECES: [&[u8]; 16] = [
    b"..",
    b"/",
    b".",
    b"a",
    b"\n",
    b" ",
    b"\xff\xfe",
    "é".as_bytes(),
    b"*",
    b"$(id)",
    b"%s",
    b"\\",
    b"-",
    b"\t",
    b"~",
    b":",
];

/// Whether the id is in the alphabet: then it may be taken.
fn is_plain(id: &[u8]) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_+-.".contains(byte);
    !id.is_empty()
        && id.len() <= 255
        && id.iter().all(plain)
        && id != b"."
        && id != b".."
        && id[0] != b'.'
}

/// Asked of `state`, which creates nothing, so that a thousand fit into a test.
fn generated_ids_are_refused_or_unknown(test: &Test) {
    let mut numbers = Numbers(0x5eed);
    for _ in 0..600 {
        let mut id = Vec::new();
        for _ in 0..=numbers.below(6) {
            id.extend_from_slice(PIECES[numbers.below(PIECES.len())]);
        }
        // A leading dash would be an option.
        if is_plain(&id) || id.first() == Some(&b'-') {
            continue;
        }
        let output = test
            .runtime()
            .args(["state", "--"])
            .arg(OsString::from_vec(id.clone()))
            .run();
        let text = output.stderr();
        assert!(
            output.code == Some(1) && text.contains("id"),
            "{:?}: {output}",
            String::from_utf8_lossy(&id)
        );
    }
}

fn create_refuses_them_before_anything_is_made(test: &Test) {
    let bundle = test.bundle();
    let long = "x".repeat(256);
    let huge = "x".repeat(4096);
    for id in [
        "..",
        ".",
        ".hidden",
        "../../etc",
        "/etc/x",
        "a/../b",
        "a\nb",
        "a b",
        "é",
        &long,
        &huge,
        "",
    ] {
        let command = test
            .runtime()
            .args(["create", "--bundle"])
            .arg(bundle.path());
        command.arg(id).run().fails("id");
    }
    assert_eq!(fs::read_dir(test.state_root()).expect("list").count(), 0);
}

/// `delete --force` of a path must not remove it.
fn delete_removes_no_path(test: &Test) {
    let victim = test.root().join("victim");
    fs::create_dir(&victim).expect("mkdir");
    fs::write(victim.join("state.json"), "{}").expect("write");
    for id in ["../victim", "./../victim", victim.to_str().expect("a path")] {
        test.runtime()
            .args(["delete", "--force", id])
            .run()
            .fails("id");
        assert!(victim.join("state.json").exists(), "{id} was removed");
    }
}

// The rivals answer in other words; runc's alphabet is tested in verbs::create.
for_runtimes!([Dhow];
    generated_ids_are_refused_or_unknown,
    create_refuses_them_before_anything_is_made,
    delete_removes_no_path,
);

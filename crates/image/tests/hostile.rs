//! Hostile layers: every one is refused by name or becomes what the table says, and nothing outside of
//! the layer changes.

use crate::scratch::{Scratch, is_root, names, tree, unpack};
use crate::tarball::{Block, Tar, checksum, pax_records};
use dhow_image::{Error, ErrorKind};

enum Expect {
    /// The error's text contains this.
    Refused(&'static str),
    /// These are the lines of the layer's tree.
    Tree(&'static [&'static str]),
}
use Expect::{Refused, Tree};

/// Unpacks each case as the second layer on a plain first one, in a store of its own.
fn check(cases: Vec<(&str, Vec<u8>, Expect)>) {
    if !is_root() {
        println!("skipped: needs root");
        return;
    }
    for (case, layer, expect) in cases {
        let scratch = Scratch::new();
        let store = scratch.store();
        let base = Tar::new()
            .dir("base/")
            .file("base/low", "low")
            .dir("usr/")
            .file("usr/low", "low");
        let result = unpack(&store, &[base.finish(), layer]);
        match (expect, result) {
            (Refused(text), Err(error)) => {
                let shown = error.to_string();
                assert!(shown.contains(text), "{case}: {shown}");
                assert_eq!(error.kind(), ErrorKind::InvalidInput, "{case}: {shown}");
                assert_eq!(
                    names(&store.root().join("snapshots")),
                    Vec::<String>::new(),
                    "{case}"
                );
            }
            (Tree(lines), Ok((_, unpacked))) => {
                assert_eq!(tree(&unpacked.layers[1], false), lines, "{case}");
            }
            (Refused(text), Ok((_, unpacked))) => {
                panic!(
                    "{case}: not refused ({text}): {:?}",
                    tree(&unpacked.layers[1], false)
                )
            }
            (Tree(_), Err(error)) => panic!("{case}: {error}"),
        }
        scratch.assert_canary(case);
    }
}

/// A way from a layer's directory to the canary beside the store.
const UP: &str = "../../../../canary";

#[test]
fn names_stay_inside() {
    let long_path = "a/".repeat(2048) + "b";
    let long_component = "x".repeat(256);
    check(vec![
        (
            "parent",
            Tar::new().file(&format!("{UP}/x"), "").finish(),
            Refused("\"..\""),
        ),
        (
            "parent later",
            Tar::new().file("a/../../x", "").finish(),
            Refused("\"..\""),
        ),
        (
            "dot, parent",
            Tar::new().file("./../x", "").finish(),
            Refused("\"..\""),
        ),
        (
            "absolute",
            Tar::new().file("/x", "1").finish(),
            Tree(&["x=1"]),
        ),
        (
            "two slashes",
            Tar::new().file("//etc/x", "1").finish(),
            Tree(&["etc/", "etc/x=1"]),
        ),
        (
            "NUL",
            Tar::new().pax(&[("path", b"a\0b")]).file("x", "").finish(),
            Refused("NUL"),
        ),
        (
            "long path",
            Tar::new()
                .pax(&[("path", long_path.as_bytes())])
                .file("x", "")
                .finish(),
            Refused("4095"),
        ),
        (
            "long component",
            Tar::new()
                .pax(&[("path", long_component.as_bytes())])
                .file("x", "")
                .finish(),
            Refused("255"),
        ),
        (
            "not UTF-8",
            Tar::new().entry(b"\xff", b'0', b"1", |_| {}).finish(),
            Tree(&["\u{fffd}=1"]),
        ),
        (
            "empty",
            Tar::new().entry("", b'0', b"", |_| {}).finish(),
            Refused("empty"),
        ),
        (
            "slash on a file",
            Tar::new().file("x/", "1").finish(),
            Refused("slash"),
        ),
        (
            "slash on a link",
            Tar::new().symlink("x/", "y").finish(),
            Refused("slash"),
        ),
        (
            "backslash",
            Tar::new().file("a\\..\\b", "1").finish(),
            Tree(&["a\\..\\b=1"]),
        ),
        (
            "case twins",
            Tar::new().file("A", "1").file("a", "2").finish(),
            Tree(&["A=1", "a=2"]),
        ),
    ]);
}

#[test]
fn the_root_stays_a_directory() {
    check(vec![
        (
            "dot link",
            Tar::new().symlink(".", "/").finish(),
            Refused("root"),
        ),
        (
            "slash link",
            Tar::new().entry("/", b'2', b"", |b| b[157] = b'x').finish(),
            Refused("slash"),
        ),
        (
            "dot file",
            Tar::new().file(".", "").finish(),
            Refused("root"),
        ),
        (
            "dot hard link",
            Tar::new().file("a", "").hard(".", "a").finish(),
            Refused("root"),
        ),
        (
            "closed root",
            Tar::new().dir_mode("./", 0, 0, 0).file("a", "1").finish(),
            Tree(&["a=1"]),
        ),
    ]);
}

#[test]
fn links_on_the_way_stay_inside() {
    let scratch = Scratch::new();
    let out = scratch.canary().display().to_string();
    check(vec![
        (
            "absolute link, file",
            Tar::new().symlink("d", &out).file("d/f", "x").finish(),
            Refused("out of the layer"),
        ),
        (
            "climbing link, file",
            Tar::new().symlink("d", UP).file("d/f", "x").finish(),
            Refused("out of the layer"),
        ),
        (
            "link, directory",
            Tar::new()
                .symlink("d", &out)
                .dir_mode("d", 0o777, 1, 1)
                .finish(),
            Tree(&["d/"]),
        ),
        (
            "link, directory below",
            Tar::new()
                .symlink("d", UP)
                .dir("d/BREAKOUT-parent")
                .finish(),
            Refused("out of the layer"),
        ),
        (
            "link, file of its name",
            Tar::new()
                .symlink("f", &format!("{UP}/file"))
                .file("f", "x")
                .finish(),
            Tree(&["f=x"]),
        ),
        (
            "two innocent links",
            Tar::new()
                .dir("a")
                .symlink("a/b", "..")
                .symlink("c", "a/b/../..")
                .file("c/f", "x")
                .finish(),
            Refused("out of the layer"),
        ),
        (
            "dangling link, file",
            Tar::new().symlink("d", "nowhere").file("d/f", "x").finish(),
            Refused("no directory"),
        ),
        (
            "link to a file, file",
            Tar::new()
                .file("a", "")
                .symlink("d", "a")
                .file("d/f", "x")
                .finish(),
            Refused("no directory"),
        ),
        (
            "loop",
            Tar::new()
                .symlink("a", "b")
                .symlink("b", "a")
                .file("a/f", "x")
                .finish(),
            Refused("loop"),
        ),
        (
            "link, whiteout",
            Tar::new()
                .symlink("d", &out)
                .file("d/.wh.file", "")
                .finish(),
            Refused("out of the layer"),
        ),
        (
            "link, opaque",
            Tar::new()
                .symlink("d", &out)
                .file("d/.wh..wh..opq", "")
                .finish(),
            Refused("out of the layer"),
        ),
        (
            "link, hard link into it",
            Tar::new().symlink("d", &out).hard("h", "d/file").finish(),
            Refused("out of the layer"),
        ),
        (
            "a link that stays",
            Tar::new()
                .dir("usr")
                .dir("usr/lib")
                .symlink("lib", "usr/lib")
                .file("lib/f", "x")
                .finish(),
            Tree(&["lib -> usr/lib", "usr/", "usr/lib/", "usr/lib/f=x"]),
        ),
        (
            "file on the way",
            Tar::new().file("a", "").file("a/b", "").finish(),
            Refused("no directory"),
        ),
        (
            "directory becomes link after use",
            Tar::new()
                .file("d/a", "1")
                .symlink("d", UP)
                .file("d/b", "2")
                .finish(),
            Refused("out of the layer"),
        ),
    ]);
    scratch.assert_canary("links");
}

#[test]
fn hard_links_stay_inside() {
    let scratch = Scratch::new();
    let out = scratch.canary().join("file").display().to_string();
    check(vec![
        (
            "absolute",
            Tar::new().hard("h", &out).finish(),
            Refused("does not exist"),
        ),
        (
            "absolute host file",
            Tar::new().hard("h", "/etc/passwd").finish(),
            Refused("does not exist"),
        ),
        (
            "parent",
            Tar::new().hard("h", &format!("{UP}/file")).finish(),
            Refused("\"..\""),
        ),
        (
            "forward",
            Tar::new().hard("h", "f").file("f", "").finish(),
            Refused("does not exist"),
        ),
        (
            "itself",
            Tar::new().file("f", "1").hard("f", "./f").finish(),
            Refused("itself"),
        ),
        (
            "directory",
            Tar::new().dir("d").hard("h", "d").finish(),
            Refused("directory"),
        ),
        ("root", Tar::new().hard("h", "/").finish(), Refused("root")),
        (
            "whiteout name",
            Tar::new()
                .file(".wh.base", "")
                .hard("h", ".wh.base")
                .finish(),
            Refused("whiteout"),
        ),
        (
            "whiteout",
            Tar::new().file(".wh.base", "").hard("h", "base").finish(),
            Refused("whiteout"),
        ),
        (
            "of a layer below",
            Tar::new().hard("h", "base/low").finish(),
            Tree(&["base/", "base/low=low", "h=low"]),
        ),
        (
            "twice",
            Tar::new()
                .file("f", "1")
                .hard("h", "f")
                .hard("h", "f")
                .finish(),
            Tree(&["f=1", "h=1"]),
        ),
        (
            "of a layer below, then written",
            Tar::new().hard("h", "base/low").file("h", "new").finish(),
            Tree(&["base/", "base/low=low", "h=new"]),
        ),
    ]);
}

/// Two cases whose results are the kernel's and no matter of taste.
#[test]
fn hard_links_to_links_and_over_their_targets() {
    if !is_root() {
        println!("skipped: needs root");
        return;
    }
    let scratch = Scratch::new();
    let store = scratch.store();
    let out = scratch.canary().join("file").display().to_string();
    let (_, unpacked) = unpack(
        &store,
        &[Tar::new().symlink("l", &out).hard("h", "l").finish()],
    )
    .unwrap();
    let lines = tree(&unpacked.layers[0], false);
    assert_eq!(lines, [format!("h -> {out}"), format!("l -> {out}")]);
    let error = unpack(
        &store,
        &[Tar::new().file("a/f", "1").hard("a", "a/f").finish()],
    )
    .unwrap_err();
    assert!(
        error.to_string().contains("\"a\"") && error.to_string().contains("ENOENT"),
        "{error}"
    );
    scratch.assert_canary("hard links");
}

#[test]
fn layers_do_not_reach_through_each_others_links() {
    if !is_root() {
        println!("skipped: needs root");
        return;
    }
    let scratch = Scratch::new();
    let out = scratch.canary().display().to_string();
    let store = scratch.store();
    let layers = [
        Tar::new().symlink("d", &out).dir("e").finish(),
        Tar::new().file("d/f", "x").symlink("e", &out).finish(),
        Tar::new().file("e/f", "y").finish(),
    ];
    let (_, unpacked) = unpack(&store, &layers).unwrap();
    assert_eq!(
        tree(&unpacked.layers[1], false),
        ["d/", "d/f=x", &format!("e -> {out}")]
    );
    assert_eq!(tree(&unpacked.layers[2], false), ["e/", "e/f=y"]);
    scratch.assert_canary("layers");
}

#[test]
fn whiteouts_are_names_of_this_directory() {
    check(vec![
        (
            "of no name",
            Tar::new().file(".wh.", "").finish(),
            Refused("whiteout of no name"),
        ),
        (
            "of dot",
            Tar::new().file(".wh..", "").finish(),
            Refused("whiteout of no name"),
        ),
        (
            "of dot dot",
            Tar::new().file("a/.wh...", "").finish(),
            Refused("whiteout of no name"),
        ),
        (
            "plnk",
            Tar::new().file(".wh..wh.plnk", "").finish(),
            Tree(&[]),
        ),
        (
            "on the way",
            Tar::new().file(".wh./x", "").finish(),
            Refused("on the way"),
        ),
        (
            "on the way, named",
            Tar::new().file(".wh.base/x", "").finish(),
            Refused("on the way"),
        ),
        (
            "of nothing",
            Tar::new().file("a/.wh.nothing", "").finish(),
            Tree(&[]),
        ),
        (
            "overlay's own",
            Tar::new().device("base", b'3', 0, 0).finish(),
            Refused("whiteout"),
        ),
        (
            "of this layer's file",
            Tar::new().file("f", "1").file(".wh.f", "").finish(),
            Tree(&["f=1"]),
        ),
        (
            "then anew",
            Tar::new().file(".wh.base", "").file("base/f", "1").finish(),
            Tree(&["base/", "base/f=1"]),
        ),
    ]);
}

fn long(block: &mut Block, range: std::ops::Range<usize>, value: &[u8]) {
    block[range].copy_from_slice(value);
}

#[test]
fn headers_mean_one_thing_or_nothing() {
    let bad_sum = {
        let mut bytes = Tar::new().file("f", "1").finish();
        bytes[0] = b'g';
        bytes
    };
    let second = Tar::new().file("f", "1").finish();
    let second = [second, Tar::new().file("g", "2").finish()].concat();
    let gnu_long = |tar: Tar, kind: u8, text: &[u8]| tar.entry("././@LongLink", kind, text, |_| {});
    check(vec![
        (
            "PAX size wins",
            Tar::new()
                .pax(&[("size", b"3")])
                .entry("f", b'0', b"abc", |b| long(b, 124..135, b"00000000000"))
                .finish(),
            Tree(&["f=abc"]),
        ),
        (
            "PAX size before a GNU long name",
            gnu_long(Tar::new().pax(&[("size", b"3")]), b'L', b"long\0")
                .entry("f", b'0', b"abc", |_| {})
                .finish(),
            Tree(&["long=abc"]),
        ),
        (
            "PAX path and GNU long name",
            gnu_long(Tar::new().pax(&[("path", b"a")]), b'L', b"b\0")
                .file("f", "")
                .finish(),
            Refused("GNU long name and a PAX path"),
        ),
        (
            "two PAX headers",
            Tar::new()
                .pax(&[("path", b"a")])
                .pax(&[("path", b"b")])
                .file("f", "")
                .finish(),
            Refused("two PAX"),
        ),
        (
            "two long names",
            gnu_long(gnu_long(Tar::new(), b'L', b"a"), b'L', b"b")
                .file("f", "")
                .finish(),
            Refused("two GNU"),
        ),
        (
            "malformed PAX",
            Tar::new()
                .entry("p", b'x', b"99 path=a\n", |_| {})
                .file("f", "")
                .finish(),
            Refused("malformed PAX"),
        ),
        (
            "PAX of nothing",
            Tar::new().pax(&[("path", b"a")]).finish(),
            Refused("without the entry"),
        ),
        (
            "huge PAX",
            Tar::new()
                .entry("p", b'x', &vec![0; 2 << 20], |_| {})
                .file("f", "")
                .finish(),
            Refused("limit"),
        ),
        (
            "global path",
            Tar::new()
                .entry("g", b'g', &pax_records(&[("path", b"x")]), |_| {})
                .file("f", "")
                .finish(),
            Refused("global PAX"),
        ),
        (
            "global comment",
            Tar::new()
                .entry("g", b'g', &pax_records(&[("comment", b"x")]), |_| {})
                .file("f", "1")
                .finish(),
            Tree(&["f=1"]),
        ),
        (
            "negative size",
            Tar::new()
                .entry("f", b'0', b"", |b| b[124..136].fill(0xff))
                .finish(),
            Refused("negative"),
        ),
        (
            "size 2^63",
            Tar::new()
                .entry("f", b'0', b"", |b| {
                    long(b, 124..136, b"\x80\0\0\0\x80\0\0\0\0\0\0\0");
                })
                .finish(),
            Refused("63 bits"),
        ),
        (
            "size beyond the end",
            Tar::new()
                .entry("f", b'0', b"", |b| long(b, 124..135, b"00000777777"))
                .finish(),
            Refused("truncated"),
        ),
        (
            "size not a number",
            Tar::new()
                .entry("f", b'0', b"", |b| long(b, 124..135, b"0000000009x"))
                .finish(),
            Refused("not a number"),
        ),
        (
            "data after a link",
            Tar::new()
                .entry("l", b'2', b"data", |b| b[157] = b'x')
                .finish(),
            Refused("no regular file"),
        ),
        (
            "data after a directory",
            Tar::new().entry("d", b'5', b"data", |_| {}).finish(),
            Refused("no regular file"),
        ),
        ("wrong checksum", bad_sum, Refused("checksum")),
        (
            "trailing garbage",
            Tar::new()
                .file("f", "1")
                .raw(&[0; 1024])
                .raw(b"garbage")
                .unfinished(),
            Tree(&["f=1"]),
        ),
        ("second archive", second, Tree(&["f=1"])),
        (
            "one zero block",
            Tar::new()
                .file("f", "1")
                .raw(&[0; 512])
                .file("g", "2")
                .finish(),
            Refused("zero block"),
        ),
        (
            "no end marker",
            Tar::new().file("f", "1").unfinished(),
            Tree(&["f=1"]),
        ),
        (
            "half a header",
            Tar::new().file("f", "1").raw(&[b'x'; 100]).unfinished(),
            Refused("truncated"),
        ),
        (
            "unknown type",
            Tar::new().entry("v", b'V', b"", |_| {}).finish(),
            Refused("unknown entry type"),
        ),
        (
            "ancient directory",
            Tar::new()
                .entry("d/", 0, b"", |b| b[257..265].fill(0))
                .finish(),
            Tree(&["d/"]),
        ),
    ]);
}

#[test]
fn sparse_maps_are_checked() {
    let old = |regions: &[(u64, u64)], real: u64, more: bool| {
        let stored: u64 = regions.iter().map(|(_, length)| length).sum();
        Tar::new().entry(
            "s",
            b'S',
            &vec![b'x'; usize::try_from(stored).unwrap_or(0)],
            |block| {
                block[257..265].copy_from_slice(b"ustar  \0");
                for (at, (offset, length)) in regions.iter().enumerate() {
                    block[386 + at * 24..397 + at * 24]
                        .copy_from_slice(format!("{offset:011o}").as_bytes());
                    block[398 + at * 24..409 + at * 24]
                        .copy_from_slice(format!("{length:011o}").as_bytes());
                }
                block[482] = u8::from(more);
                block[483..494].copy_from_slice(format!("{real:011o}").as_bytes());
            },
        )
    };
    let many = {
        // A header that announces more blocks of regions, and then endless ones.
        let mut header = [0_u8; 512];
        header[..512].copy_from_slice(&old(&[], 1 << 30, true).unfinished()[..512]);
        checksum(&mut header);
        let mut block = [0; 512];
        for region in 0..21 {
            block[region * 24..region * 24 + 11].copy_from_slice(b"00000000001");
            block[region * 24 + 12..region * 24 + 23].copy_from_slice(b"00000000000");
        }
        block[504] = 1;
        Tar::new().raw(&header).raw(&block.repeat(50_000)).finish()
    };
    let pax = |map: &'static [u8]| {
        Tar::new()
            .pax(&[
                ("GNU.sparse.size", b"6"),
                ("GNU.sparse.numblocks", b"1"),
                ("GNU.sparse.map", map),
            ])
            .file("s", "xx")
            .finish()
    };
    let in_data = Tar::new()
        .pax(&[
            ("GNU.sparse.major", b"1"),
            ("GNU.sparse.minor", b"0"),
            ("GNU.sparse.name", b"real"),
            ("GNU.sparse.realsize", b"6"),
        ])
        .entry(
            "GNUSparseFile.0/real",
            b'0',
            &[&b"1\n2\n2\n"[..], &[0; 506], b"xx"].concat(),
            |_| {},
        )
        .finish();
    check(vec![
        (
            "old",
            old(&[(1, 2), (4, 1)], 6, false).finish(),
            Tree(&["s=\0xx\0x\0"]),
        ),
        ("0.1", pax(b"2,2"), Tree(&["s=\0\0xx\0\0"])),
        ("1.0", in_data, Tree(&["real=\0\0xx\0\0"])),
        (
            "overlapping",
            old(&[(2, 2), (1, 1)], 6, false).finish(),
            Refused("overlaps"),
        ),
        ("outside", pax(b"5,2"), Refused("leaves the file")),
        ("too short", pax(b"2,1"), Refused("covers 1 bytes")),
        ("odd", pax(b"2"), Refused("incomplete")),
        (
            "overflow",
            pax(b"9223372036854775807,9223372036854775807"),
            Refused("leaves the file"),
        ),
        ("a million regions", many, Refused("65536 regions")),
    ]);
}

#[test]
fn metadata_is_bounded() {
    let big = vec![b'x'; 65_537];
    let huge = vec![b'x'; 1 << 20];
    check(vec![
        (
            "uid -1",
            Tar::new()
                .pax(&[("uid", b"4294967295")])
                .file("f", "")
                .finish(),
            Refused("uid 4294967295 is too large"),
        ),
        (
            "uid 2^32",
            Tar::new()
                .pax(&[("uid", b"4294967296")])
                .file("f", "")
                .finish(),
            Refused("too large"),
        ),
        (
            "gid negative",
            Tar::new().pax(&[("gid", b"-1")]).file("f", "").finish(),
            Refused("\"gid\""),
        ),
        (
            "uid 2^32 - 2",
            Tar::new()
                .pax(&[("uid", b"4294967294")])
                .file("f", "1")
                .finish(),
            Tree(&["f=1"]),
        ),
        (
            "mtime negative",
            Tar::new()
                .pax(&[("mtime", b"-5.5")])
                .file("f", "1")
                .finish(),
            Tree(&["f=1"]),
        ),
        (
            "mtime 2^63",
            Tar::new()
                .pax(&[("mtime", b"9223372036854775808")])
                .file("f", "1")
                .finish(),
            Tree(&["f=1"]),
        ),
        (
            "mtime text",
            Tar::new().pax(&[("mtime", b"now")]).file("f", "1").finish(),
            Refused("not a time"),
        ),
        (
            "attribute of 64 KiB and one",
            Tar::new()
                .pax(&[("SCHILY.xattr.user.a", &big)])
                .file("f", "")
                .finish(),
            Refused("attribute"),
        ),
        (
            "attribute of 1 MiB",
            Tar::new()
                .pax(&[("SCHILY.xattr.user.a", &huge)])
                .file("f", "")
                .finish(),
            Refused("limit"),
        ),
        (
            "device number",
            Tar::new().device("d", b'3', 4096, 0).finish(),
            Refused("major device number"),
        ),
        (
            "fifo",
            Tar::new().entry("p", b'6', b"", |_| {}).finish(),
            Tree(&["p (fifo)"]),
        ),
        (
            "device",
            Tar::new().device("d", b'4', 7, 200).finish(),
            Tree(&["d (device)"]),
        ),
        (
            "link to nothing",
            Tar::new().symlink("l", "").finish(),
            Refused("to nothing"),
        ),
    ]);
}

#[test]
fn a_claimed_diff_id_is_never_believed() {
    if !is_root() {
        println!("skipped: needs root");
        return;
    }
    let scratch = Scratch::new();
    let store = scratch.store();
    let honest = Tar::new().file("f", "honest").finish();
    let evil = Tar::new().file("f", "evil").finish();
    let claimed = dhow_image::Digest::of(&honest);
    // Before the honest image and after it.
    for _ in 0..2 {
        let archive =
            crate::tarball::oci_layout("evil.example/a:1", std::slice::from_ref(&evil), &[claimed])
                .pack();
        let image = crate::scratch::load(&store, &archive)
            .unwrap()
            .pop()
            .unwrap()
            .image;
        let result = store.unpack(&image, dhow_image::Ownership::Keep, &mut ());
        if let Ok(unpacked) = &result {
            // The honest layer was there already: that is what the image gets.
            assert_eq!(tree(&unpacked.layers[0], false), ["f=honest"]);
        } else {
            assert!(
                matches!(result, Err(Error::WrongDiffId { index: 0, .. })),
                "{result:?}"
            );
            assert_eq!(names(&store.root().join("snapshots")), Vec::<String>::new());
        }
        let (_, unpacked) = unpack(&store, std::slice::from_ref(&honest)).unwrap();
        assert_eq!(tree(&unpacked.layers[0], false), ["f=honest"]);
    }
}

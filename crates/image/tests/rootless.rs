//! The same as an ordinary user, who owns one id and may make no device.

use crate::scratch::{Scratch, is_root, names, tree};
use crate::tarball::{Tar, oci_archive};
use dhow_image::{Driver, Ownership, Root, RootOptions, Store};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

const NOBODY: u32 = 65_534;

/// Runs the test `inside` of this program as nobody.
#[test]
fn as_nobody() {
    if !is_root() {
        println!("skipped: needs root to become nobody");
        return;
    }
    let scratch = Scratch::new();
    let program = scratch.path.join("program");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::set_permissions(&scratch.path, PermissionsExt::from_mode(0o777)).unwrap();
    let output = Command::new("timeout")
        .arg("60")
        .arg(&program)
        .args(["--exact", "rootless::inside", "--ignored", "--nocapture"])
        .env("DHOW_TEST_STORE", scratch.path.join("nobodys"))
        .current_dir("/")
        .uid(NOBODY)
        .gid(NOBODY)
        .output()
        .unwrap();
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}"
    );
    scratch.assert_canary("rootless");
}

#[test]
#[ignore = "run by as_nobody"]
fn inside() {
    let Some(path) = std::env::var_os("DHOW_TEST_STORE") else {
        println!("skipped: run by as_nobody");
        return;
    };
    let store = Store::open(path.as_ref()).unwrap();
    let layers = [
        Tar::new()
            .dir_mode("closed/", 0o500, 0, 0)
            .dir_mode("closed/shut/", 0, 0, 0)
            .file_mode("closed/f", "x", 0o400, 0, 0)
            .file_mode("suid", "s", 0o6755, 0, 0)
            .device("null", b'3', 1, 3)
            .pax(&[("SCHILY.xattr.user.mine", b"v")])
            .file_mode("ro", "r", 0o444, 33, 33)
            .file("gone", "g")
            .finish(),
        Tar::new()
            .file(".wh.gone", "")
            .file("closed/.wh.f", "")
            .file("closed/.wh..wh..opq", "")
            .finish(),
    ];
    let archive = oci_archive("a.example/a:1", &layers);
    let image = crate::scratch::load(&store, &archive)
        .unwrap()
        .pop()
        .unwrap()
        .image;
    let error = store.unpack(&image, Ownership::Keep, &mut ()).unwrap_err();
    assert!(error.to_string().contains("EPERM"), "{error}");
    assert_eq!(names(&store.root().join("snapshots")), Vec::<String>::new());
    let options = RootOptions {
        user_namespace: true,
        ownership: Ownership::Squash,
        ..RootOptions::default()
    };
    let unpacked = store.unpack(&image, Ownership::Squash, &mut ()).unwrap();
    assert_eq!(unpacked.reports[0].skipped[0].entry, "null");
    let metadata = |name: &str| std::fs::metadata(unpacked.layers[0].join(name)).unwrap();
    assert_eq!(metadata("suid").permissions().mode() & 0o7777, 0o755);
    assert_eq!(metadata("closed/shut").permissions().mode() & 0o7777, 0o700);
    assert_eq!(metadata("ro").permissions().mode() & 0o7777, 0o444);
    assert!(tree(&unpacked.layers[1], false).contains(&"gone (gone)".to_owned()));
    // What no device node could do, the overlay of a user namespace understands.
    let root = store
        .prepare("web", &image, Driver::Overlay, &options, &mut ())
        .unwrap();
    overlay_in_user_namespace(&store, &root);
    let copied = store
        .prepare("copy", &image, Driver::Copy, &options, &mut ())
        .unwrap();
    let Root::Directory(path) = copied else {
        panic!("a copy is a directory")
    };
    assert_eq!(names(&path), ["closed", "ro", "suid"]);
    assert_eq!(names(&path.join("closed")), Vec::<String>::new());
    assert!(store.discard("copy").unwrap() && store.discard("web").unwrap());
    store.remove(&image).unwrap();
    assert_eq!(names(&store.root().join("snapshots")), Vec::<String>::new());
}

fn overlay_in_user_namespace(store: &Store, root: &Root) {
    let mounted = store.root().join("mounted");
    std::fs::create_dir(&mounted).unwrap();
    let script = format!(
        "mount -i -t overlay overlay -o '{}' \"$1\" && cd \"$1\" && echo * && ls -A closed && echo w > new",
        root.mount_options().join(",")
    );
    let output = Command::new("unshare")
        .args(["-U", "-r", "-m", "sh", "-c", &script, "sh"])
        .arg(&mounted)
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "closed ro suid\n");
    let Root::Overlay { upper, .. } = root else {
        panic!("an overlay")
    };
    assert_eq!(std::fs::read_to_string(upper.join("new")).unwrap(), "w\n");
}

//! S-CONSOLE (CVE-2025-52565): `/dev/console` is bound from `/dev/pts/N` by name, while a neighbour
//! exchanges `/dev/pts` for a link, so that something else is bound where no mask is yet.

use dhow_tests::console::DescriptorSocket;
use dhow_tests::racer::race;
use dhow_tests::{Bundle, Racer, Test, for_runtimes};
use rustix::fs::{major, minor};
use serde_json::json;
use std::fs::{self, Metadata};
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::Path;

/// The major number of terminals (Unix98 PTY slaves).
const TERMINALS: u32 = 136;

/// An image with a directory of links that bear the names of terminals.
fn bundle(test: &Test, volume: &Path) -> Bundle {
    let bundle = test.bundle_with(|config| {
        config["process"]["terminal"] = json!(true);
        config.drop_mount("/dev/shm");
        let dev = &mut config["mounts"][1];
        assert_eq!(dev["destination"], "/dev");
        *dev = json!({"destination": "/dev", "type": "bind", "source": volume,
            "options": ["rbind"]});
        config.args(&["sleep", "1000"]);
    });
    let fake = bundle.rootfs().join("fake");
    fs::create_dir(&fake).expect("mkdir");
    for number in 0..10 {
        let setting = "/proc/sys/kernel/core_pattern";
        symlink(setting, fake.join(number.to_string())).expect("symlink");
    }
    // The true one, wherever the directory is at the moment.
    symlink("/dev/other/ptmx", fake.join("ptmx")).expect("symlink");
    bundle
}

/// What a process of the container has at a path, as the kernel says it on the host.
fn seen(pid: i32, path: &str) -> Metadata {
    let path = format!("/proc/{pid}/{path}");
    fs::metadata(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The console is a terminal of the container's own devpts, and the one that it talks to.
fn check(pid: i32) {
    let (console, input) = (seen(pid, "root/dev/console"), seen(pid, "fd/0"));
    assert_eq!(major(console.rdev()), TERMINALS, "{console:?}");
    let identity = |meta: &Metadata| (meta.dev(), meta.ino(), meta.rdev());
    assert_eq!(identity(&console), identity(&input));
    let host = fs::metadata("/dev/pts").expect("the host's devpts");
    assert_ne!(console.dev(), host.dev(), "a terminal of the host");
    assert!(minor(console.rdev()) < 10, "the first of a new devpts");
}

fn racing_for_the_directory_of_terminals(test: &Test) {
    let racer = Racer::start_for(test, "pts", Path::new("/fake"), |place| {
        fs::create_dir(place).expect("mkdir");
    });
    let bundle = bundle(test, racer.volume());
    let (mut good, mut refused) = (0, 0);
    race(|number| {
        let socket = DescriptorSocket::listen(test.root().join(format!("{number}.sock")));
        let container = test.container("c");
        let command = container.create_command(&bundle);
        let command = command.arg("--console-socket").arg(socket.path());
        let output = command.run();
        if output.code == Some(0) {
            let _terminal = socket.terminal();
            check(container.pid());
            container.verb(&["delete", "--force"]).run().ok();
            good += 1;
        } else {
            let text = output.stderr();
            let is_named = ["/dev", "terminal", "console"];
            assert!(is_named.iter().any(|word| text.contains(word)), "{output}");
            refused += 1;
        }
        fs::remove_file(socket.path()).expect("remove the socket");
    });
    eprintln!("{good} with a console of their own, {refused} refused");
    assert!(good > 0, "none was created: a blind test");
    racer.stop();
}

// The rivals of Debian 12 are from before the fix.
for_runtimes!([Dhow]; racing_for_the_directory_of_terminals);

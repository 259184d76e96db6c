//! Rootless podman: an ordinary user with a range of subordinate ids, whose engine calls the runtime as
//! root of a user namespace.

use super::podman::{SPEAKS, passes_streams_and_code};
use dhow_tests::{Bundle, Cmd, Test, for_runtimes, needs, processes};
use std::path::Path;

/// Podman with everything of its own below a directory of the user's.
fn podman(test: &Test) -> Cmd {
    let home = test.root().join("xdg");
    let at = |name: &str| home.join("podman").join(name);
    test.program_after(&[], Path::new("/usr/bin/podman"))
        .env("HOME", home.clone())
        .arg("--root")
        .arg(at("root"))
        .arg("--runroot")
        .arg(at("run"))
        .arg("--tmpdir")
        .arg(at("tmp"))
        .args(["--storage-driver", "vfs", "--cgroup-manager", "cgroupfs"])
        .args(["--events-backend", "file", "--runtime"])
        .arg(test.kind().program().expect("checked before the test"))
}

fn run(test: &Test, bundle: &Bundle, options: &[&str], words: &[&str]) -> Cmd {
    let command = podman(test).args(["run", "--network", "none"]);
    let command = command.args(options).arg("--rootfs").arg(bundle.rootfs());
    command.args(words)
}

fn forget_all(test: &Test) {
    let words = ["rm", "--all", "--force", "--time", "0"];
    podman(test).args(words).run().ok();
    // A process of podman's stays for ever, to keep the user namespace for its next command.
    processes::end_marked(test.mark());
}

fn run_returns_streams_and_code(test: &Test) {
    needs!(test, podman, subid_tools);
    test.become_user();
    let bundle = test.bundle();
    passes_streams_and_code(run(test, &bundle, &["--rm", "-i"], &SPEAKS));
    forget_all(test);
}

/// Root inside is the user outside; the other ids are the user's range.
fn ids_are_those_of_the_user(test: &Test) {
    needs!(test, podman, subid_tools);
    let user = test.become_user();
    let bundle = test.bundle();
    let output = run(
        test,
        &bundle,
        &["--rm"],
        &["/bin/cat", "/proc/self/uid_map"],
    )
    .run();
    let map: Vec<u32> = output
        .ok()
        .stdout()
        .split_whitespace()
        .map(|number| number.parse().expect("a number"))
        .collect();
    // Seen from inside podman's own namespace, or from the host: the same two ranges.
    assert_eq!(map.len(), 6, "{map:?}");
    assert_eq!((map[0], map[2], map[3]), (0, 1, 1), "{map:?}");
    assert_eq!((map[1], map[4]), (user.id, user.subordinate), "{map:?}");
    forget_all(test);
}

fn a_detached_life(test: &Test) {
    needs!(test, podman, subid_tools);
    test.become_user();
    let bundle = test.bundle();
    let name = test.mark();
    let script = "trap 'exit 5' TERM; echo ready; while :; do sleep 0.05; done";
    run(
        test,
        &bundle,
        &["-d", "--name", name],
        &["/bin/sh", "-c", script],
    )
    .run()
    .ok();
    let exec = |words: &[&str]| podman(test).args(["exec", name]).args(words).run();
    assert_eq!(exec(&["/bin/cat", "/proc/1/comm"]).ok().stdout(), "sh\n");
    exec(&["/bin/sh", "-c", "exit 9"]).code_is(9);
    podman(test).args(["stop", "--time", "5", name]).run().ok();
    let code = podman(test).args(["wait", name]).run().ok().stdout();
    assert_eq!(code.trim(), "5");
    forget_all(test);
}

for_runtimes!([Dhow, Runc];
    run_returns_streams_and_code,
    ids_are_those_of_the_user,
    a_detached_life,
);

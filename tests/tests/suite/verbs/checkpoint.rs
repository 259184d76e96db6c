//! `checkpoint` and `restore`: a container goes on where it was, with everything it had.

use dhow_tests::console::DescriptorSocket;
use dhow_tests::{Bundle, Cmd, Container, Test, for_runtimes, needs, processes, program};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Long enough for CRIU on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The runtime, with a CRIU that works in its path.
pub(super) fn with_criu(command: Cmd) -> Cmd {
    let criu = program::criu().expect("the need was asked for");
    let directory = criu.parent().expect("a directory").display().to_string();
    let path = std::env::var("PATH").unwrap_or_default();
    command
        .env("PATH", format!("{directory}:{path}"))
        .limit(PATIENCE)
}

pub(super) fn images(test: &Test) -> PathBuf {
    test.root().join("images")
}

pub(super) fn checkpoint(container: &Container<'_>, images: &Path, options: &[&str]) -> Cmd {
    let mut words = vec![
        "checkpoint",
        "--image-path",
        images.to_str().expect("UTF-8"),
    ];
    words.extend(options);
    with_criu(container.verb(&words))
}

/// `restore`; the streams are files as those of the checkpointed container are.
pub(super) fn restore(
    container: &Container<'_>,
    images: &Path,
    bundle: &Bundle,
    options: &[&str],
) -> Cmd {
    let mut words = vec!["restore", "--image-path", images.to_str().expect("UTF-8")];
    words.extend(["--bundle", bundle.path().to_str().expect("UTF-8")]);
    words.extend(options);
    with_criu(container.verb(&words))
}

/// A program whose memory is a number that it writes down every 20 ms, and where.
pub(super) fn counter(test: &Test) -> (Bundle, PathBuf) {
    let script = "i=0; while :; do i=$((i+1)); echo $i >/new; mv /new /count; sleep 0.02; done";
    let bundle = test.bundle_running(&["sh", "-c", script]);
    let file = bundle.rootfs().join("count");
    (bundle, file)
}

pub(super) fn count(file: &Path) -> u64 {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.trim().parse().unwrap_or_default()
}

pub(super) fn counts_beyond(file: &Path, limit: u64) -> bool {
    processes::eventually(Duration::from_secs(10), || count(file) > limit)
}

/// What the kernel says of a process's rights.
fn rights(pid: i32) -> Vec<String> {
    const KEYS: [&str; 12] = [
        "Uid",
        "Gid",
        "Groups",
        "CapInh",
        "CapPrm",
        "CapEff",
        "CapBnd",
        "CapAmb",
        "NoNewPrivs",
        "Seccomp",
        "Seccomp_filters",
        "Umask",
    ];
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("read the status");
    let known = |line: &&str| KEYS.iter().any(|key| line.split(':').next() == Some(key));
    status.lines().filter(known).map(str::to_owned).collect()
}

/// Each mount's point, options and type.
fn mounts(pid: i32) -> Vec<String> {
    let table = fs::read_to_string(format!("/proc/{pid}/mountinfo")).expect("read the mounts");
    let mut mounts: Vec<String> = table
        .lines()
        .map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            let kind = words
                .iter()
                .position(|word| *word == "-")
                .map_or("", |at| words[at + 1]);
            format!("{} {} {kind}", words[4], words[5])
        })
        .collect();
    mounts.sort();
    mounts
}

fn a_program_goes_on_where_it_was(test: &Test) {
    needs!(test, root, criu, busybox);
    let (bundle, file) = counter(test);
    let first = test.create(&bundle, "first");
    first.start();
    assert!(counts_beyond(&file, 3), "it does not count");
    let (mut had, looked) = (rights(first.pid()), mounts(first.pid()));
    checkpoint(&first, &images(test), &[]).run().ok();
    let stood = count(&file);
    // It is gone, and its id is free.
    first.verb(&["state"]).run().code_is(1);
    let second = test.container("second");
    restore(&second, &images(test), &bundle, &["--detach"])
        .run()
        .ok();
    assert_eq!(second.status(), "running");
    assert!(counts_beyond(&file, stood), "it does not go on");
    // From a new beginning it would not be as far as it was.
    assert!(count(&file) < stood + 1000);
    let mut has = rights(second.pid());
    had.sort();
    has.sort();
    assert_eq!(has, had);
    assert_eq!(mounts(second.pid()), looked);
    let inside = second
        .exec(&[
            "sh",
            "-c",
            "cat /proc/self/cgroup; hostname; ls -l /proc/1/exe",
        ])
        .ok();
    let inside = inside.stdout();
    assert!(inside.contains("dhow-test"), "{inside}");
    assert!(
        inside
            .lines()
            .filter(|line| line.contains(':'))
            .take(3)
            .all(|line| line.ends_with(":/")),
        "{inside}"
    );
}

fn the_container_may_run_on(test: &Test) {
    needs!(test, root, criu, busybox);
    let (bundle, file) = counter(test);
    let container = test.create(&bundle, "a");
    container.start();
    assert!(counts_beyond(&file, 3), "it does not count");
    let pid = container.pid();
    checkpoint(&container, &images(test), &["--leave-running"])
        .run()
        .ok();
    assert_eq!(
        (container.status().as_str(), container.pid()),
        ("running", pid)
    );
    assert!(counts_beyond(&file, count(&file)), "it stands still");
}

fn memory_is_written_before(test: &Test) {
    needs!(test, root, criu, memory_tracking, busybox);
    let (bundle, file) = counter(test);
    let first = test.create(&bundle, "first");
    first.start();
    assert!(counts_beyond(&file, 3), "it does not count");
    let parent = test.root().join("parent");
    checkpoint(&first, &parent, &["--pre-dump"]).run().ok();
    assert_eq!(first.status(), "running");
    assert!(fs::read_dir(&parent).expect("the images").count() > 2);
    checkpoint(&first, &images(test), &["--parent-path", "../parent"])
        .run()
        .ok();
    assert!(images(test).join("parent").is_symlink());
    let stood = count(&file);
    let second = test.container("second");
    restore(&second, &images(test), &bundle, &["--detach"])
        .run()
        .ok();
    assert!(counts_beyond(&file, stood), "it does not go on");
}

/// The limits are the bundle's, in a cgroup of the new container's own.
fn the_cgroup_is_made_anew(test: &Test) {
    needs!(test, root, criu, busybox);
    let (bundle, file) = counter(test);
    bundle.edit(|config| config["linux"]["resources"] = json!({"pids": {"limit": 33}}));
    let first = test.create(&bundle, "first");
    first.start();
    assert!(counts_beyond(&file, 3), "it does not count");
    checkpoint(&first, &images(test), &[]).run().ok();
    bundle.edit(|config| config["linux"]["resources"] = json!({"pids": {"limit": 44}}));
    let second = test.container("second");
    restore(&second, &images(test), &bundle, &["--detach"])
        .run()
        .ok();
    let directory = crate::config::cgroups::directory(&second, "pids");
    let limit = fs::read_to_string(directory.join("pids.max")).expect("read the limit");
    assert_eq!(limit.trim(), "44");
    let members = fs::read_to_string(directory.join("cgroup.procs")).expect("read the members");
    let pid = second.pid().to_string();
    assert!(members.lines().any(|line| line == pid), "{members}");
}

/// A directory of the host is where the bundle has it now.
fn a_volume_may_have_moved(test: &Test) {
    needs!(test, root, criu, busybox);
    let (old, new) = (test.root().join("old"), test.root().join("new"));
    for directory in [&old, &new] {
        fs::create_dir(directory).expect("make the directory");
    }
    let script = "i=0; while :; do i=$((i+1)); echo $i >/data/new; mv /data/new /data/count; sleep 0.02; done";
    let bundle = test.bundle_running(&["sh", "-c", script]);
    let volume =
        |source: &Path| json!({"destination": "/data", "source": source, "options": ["bind"]});
    let mut index = 0;
    bundle.edit(|config| {
        let mounts = config["mounts"].as_array_mut().expect("a list");
        index = mounts.len();
        mounts.push(volume(&old));
    });
    let first = test.create(&bundle, "first");
    first.start();
    assert!(counts_beyond(&old.join("count"), 3), "it does not count");
    checkpoint(&first, &images(test), &[]).run().ok();
    let stood = count(&old.join("count"));
    bundle.edit(|config| config["mounts"][index] = volume(&new));
    let second = test.container("second");
    restore(&second, &images(test), &bundle, &["--detach"])
        .run()
        .ok();
    assert!(
        counts_beyond(&new.join("count"), stood),
        "it does not go on in the new place"
    );
    assert_eq!(count(&old.join("count")), stood);
}

/// `restore` stays with it, tells its exit status, and deletes it.
fn restore_waits_for_the_end(test: &Test) {
    needs!(test, root, criu, busybox);
    let script = "trap 'exit 42' TERM; while :; do echo . >/here; sleep 0.02; done";
    let bundle = test.bundle_running(&["sh", "-c", script]);
    let first = test.create(&bundle, "first");
    first.start();
    let file = bundle.rootfs().join("here");
    assert!(
        processes::eventually(PATIENCE, || file.exists()),
        "it does not run"
    );
    checkpoint(&first, &images(test), &[]).run().ok();
    let second = test.container("second");
    let waiting = restore(&second, &images(test), &bundle, &[]).spawn();
    let is_there = || second.verb(&["state"]).run().code == Some(0) && second.status() == "running";
    assert!(
        processes::eventually(PATIENCE, is_there),
        "it is not restored"
    );
    second.kill("TERM").ok();
    waiting.wait().code_is(42);
    second.verb(&["state"]).run().code_is(1);
}

fn hooks_run_again(test: &Test) {
    needs!(test, root, criu, busybox);
    let (bundle, file) = counter(test);
    let log = test.root().join("hooks");
    let hook = |word: &str| {
        let script = format!("cat >/dev/null; echo {word} >>{}", log.display());
        json!([{"path": "/bin/sh", "args": ["sh", "-c", script]}])
    };
    bundle.edit(|config| {
        config["hooks"] = json!({"prestart": hook("prestart"), "createRuntime": hook("createRuntime"),
            "createContainer": hook("createContainer"), "poststop": hook("poststop")});
    });
    let first = test.create(&bundle, "first");
    first.start();
    assert!(counts_beyond(&file, 3), "it does not count");
    checkpoint(&first, &images(test), &[]).run().ok();
    fs::remove_file(&log).expect("the hooks ran");
    let second = test.container("second");
    restore(&second, &images(test), &bundle, &["--detach"])
        .run()
        .ok();
    second.verb(&["delete", "--force"]).run().ok();
    let ran = fs::read_to_string(&log).expect("the hooks ran");
    assert_eq!(ran, "prestart\ncreateRuntime\npoststop\n");
}

/// The terminal's controlling side goes to whoever asks for it this time.
fn a_terminal_comes_back(test: &Test) {
    needs!(test, root, criu, busybox);
    let bundle = test.bundle_with(|config| {
        config["process"]["terminal"] = json!(true);
        config.args(&[
            "sh",
            "-c",
            "read first; echo first $first; read second; echo second $second",
        ]);
    });
    let socket = DescriptorSocket::listen(test.root().join("console.sock"));
    let path = socket.path().to_str().expect("UTF-8").to_owned();
    let first = test.container("first");
    let creating = first
        .verb(&[
            "create",
            "--console-socket",
            &path,
            "--bundle",
            bundle.path().to_str().expect("UTF-8"),
        ])
        .spawn();
    let mut terminal = socket.terminal();
    creating.wait().ok();
    first.start();
    terminal.write("one\n");
    terminal.expect("first one");
    checkpoint(&first, &images(test), &[]).run().ok();
    let second = test.container("second");
    let restoring = restore(
        &second,
        &images(test),
        &bundle,
        &["--detach", "--console-socket", &path],
    )
    .spawn();
    let mut terminal = socket.terminal();
    restoring.wait().ok();
    terminal.write("two\n");
    terminal.expect("second two");
    second.wait_for("stopped");
}

// runc cannot let go of standard streams that are files of the host, as they are here.
for_runtimes!([Dhow];
    a_program_goes_on_where_it_was,
    the_container_may_run_on,
    memory_is_written_before,
    the_cgroup_is_made_anew,
    a_volume_may_have_moved,
    restore_waits_for_the_end,
    hooks_run_again,
);
for_runtimes!([Dhow, Runc]; a_terminal_comes_back);

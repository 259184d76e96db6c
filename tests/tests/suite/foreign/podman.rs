//! `podman --runtime PATH`: conmon, console sockets, JSON logs, exec by process documents.

use dhow_tests::{Bundle, Cmd, Test, for_runtimes, needs};
use serde_json::{Value, json};
use std::path::Path;

fn podman(test: &Test) -> Cmd {
    podman_with(
        test,
        &test.kind().program().expect("checked before the test"),
    )
}

/// Podman with everything of its own below the test's root.
fn podman_with(test: &Test, runtime: &Path) -> Cmd {
    let at = |name: &str| test.root().join("podman").join(name);
    test.command(&["podman"])
        .arg("--root")
        .arg(at("root"))
        .arg("--runroot")
        .arg(at("run"))
        .arg("--tmpdir")
        .arg(at("tmp"))
        .args(["--storage-driver", "vfs", "--cgroup-manager", "cgroupfs"])
        .args(["--events-backend", "file", "--runtime"])
        .arg(runtime)
}

fn run(test: &Test, bundle: &Bundle, options: &[&str], words: &[&str]) -> Cmd {
    run_by(podman(test), bundle, options, words)
}

/// `podman run` on the bundle's root, with limits that need no privilege to set.
fn run_by(podman: Cmd, bundle: &Bundle, options: &[&str], words: &[&str]) -> Cmd {
    let limits = [
        "--ulimit",
        "nofile=1000:1000",
        "--ulimit",
        "nproc=1000:1000",
    ];
    let command = podman.args(["run", "--network", "none"]).args(limits);
    let command = command.args(options).arg("--rootfs").arg(bundle.rootfs());
    command.args(words)
}

fn forget_all(test: &Test) {
    podman(test)
        .args(["rm", "--all", "--force", "--time", "0"])
        .run()
        .ok();
    let left = podman(test)
        .args(["ps", "--all", "--quiet"])
        .run()
        .ok()
        .stdout();
    assert_eq!(left, "");
}

/// What `podman run` with these words must pass through: standard input, both outputs, the exit code.
pub(super) const SPEAKS: [&str; 3] = ["/bin/sh", "-c", "read x; echo out $x; echo err >&2; exit 7"];

/// Runs [`SPEAKS`] to its end.
pub(super) fn passes_streams_and_code(speaks: Cmd) {
    let output = speaks.stdin(b"word\n").run().code_is(7);
    assert_eq!(output.stdout(), "out word\n");
    assert!(output.stderr().contains("err\n"), "{output}");
}

fn run_returns_streams_and_code(test: &Test) {
    needs!(test, root, podman);
    let bundle = test.bundle();
    passes_streams_and_code(run(test, &bundle, &["--rm", "-i"], &SPEAKS));
    forget_all(test);
}

fn a_detached_life(test: &Test) {
    needs!(test, root, podman);
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
    let logged = dhow_tests::processes::eventually(std::time::Duration::from_secs(5), || {
        podman(test).args(["logs", name]).run().stdout() == "ready\n"
    });
    assert!(logged, "the log lacks what the container said");
    let top = podman(test)
        .args(["top", name, "hpid", "comm"])
        .run()
        .ok()
        .stdout();
    assert!(top.contains("sh"), "{top}");
    podman(test).args(["stop", "--time", "5", name]).run().ok();
    let code = podman(test).args(["wait", name]).run().ok().stdout();
    assert_eq!(code.trim(), "5");
    // A second start of the same container.
    podman(test).args(["start", name]).run().ok();
    exec(&["/bin/true"]).ok();
    forget_all(test);
}

fn pauses_and_updates(test: &Test) {
    needs!(test, root, podman);
    let bundle = test.bundle();
    let name = test.mark();
    let options = ["-d", "--name", name];
    run(test, &bundle, &options, &["/bin/sleep", "1000"])
        .run()
        .ok();
    let status = || {
        let words = [
            "inspect",
            "--format",
            "{{.State.Status}} {{.State.Pid}}",
            name,
        ];
        podman(test).args(words).run().ok().stdout()
    };
    podman(test).args(["pause", name]).run().ok();
    assert!(status().starts_with("paused "), "{}", status());
    let refused = podman(test).args(["exec", name, "/bin/true"]).run();
    refused.fails("only create exec sessions on running containers");
    podman(test).args(["unpause", name]).run().ok();
    podman(test).args(["exec", name, "/bin/true"]).run().ok();
    podman(test)
        .args(["update", "--cpu-shares", "333", name])
        .run()
        .ok();
    if let Some(mount) = dhow_tests::host::v1_controller("cpu") {
        let pid = status().trim().rsplit(' ').next().map(str::to_owned);
        let own = format!("/proc/{}/cgroup", pid.expect("a pid"));
        let text = std::fs::read_to_string(own).expect("read");
        let place = text.lines().find_map(|line| line.split_once(":cpu:"));
        let (_, place) = place.expect("it is in the cpu hierarchy");
        let file = mount.join(place.trim_start_matches('/')).join("cpu.shares");
        let shares = std::fs::read_to_string(file).expect("read");
        assert_eq!(shares.trim(), "333");
    }
    podman(test).args(["pause", name]).run().ok();
    // Also of a paused container.
    forget_all(test);
}

fn a_terminal_through_conmon(test: &Test) {
    needs!(test, root, podman);
    let bundle = test.bundle();
    let options = ["--rm", "-t"];
    let output = run(
        test,
        &bundle,
        &options,
        &["/bin/sh", "-c", "tty; stty size"],
    )
    .run();
    assert!(output.ok().stdout().contains("/dev/pts/0"));
    forget_all(test);
}

/// What podman reports of a program that cannot be started is its 126 or 127.
fn a_missing_program_is_127(test: &Test) {
    needs!(test, root, podman);
    let bundle = test.bundle();
    run(test, &bundle, &["--rm"], &["/bin/nothing-here"])
        .run()
        .code_is(127)
        .fails("nothing-here");
    forget_all(test);
}

/// The parts of a report that do not differ from run to run.
fn posture(mut report: Value) -> Value {
    let mounts = report["mounts"].take();
    let mut lines: Vec<String> = mounts
        .as_array()
        .expect("a list")
        .iter()
        .map(|mount| {
            let has = |word: &str| {
                mount["options"]
                    .as_array()
                    .is_some_and(|o| o.contains(&json!(word)))
            };
            // runc loses the other flags of the root's file system when it makes it read-only.
            let flags: &[&str] = match mount["point"] == "/" {
                true => &["ro"],
                false => &["ro", "nosuid", "nodev", "noexec"],
            };
            let flags: Vec<_> = flags.iter().filter(|flag| has(flag)).collect();
            format!("{} {} {flags:?}", mount["point"], mount["type"])
        })
        // Each runtime hides paths in a way of its own.
        .filter(|line| !line.starts_with("\"/proc/") && !line.starts_with("\"/sys/"))
        .collect();
    lines.sort();
    lines.dedup();
    json!({
        "mounts": lines,
        "capabilities": report["capabilities"],
        "noNewPrivs": report["noNewPrivs"],
        "seccomp": report["seccomp"]["mode"],
        "uid": report["uid"], "gid": report["gid"], "umask": report["umask"],
        "cwd": report["cwd"], "rlimits": report["rlimits"], "hostname": report["hostname"],
        "oomScoreAdj": report["oomScoreAdj"], "links": report["links"],
    })
}

/// The same command under runc and under ours gives the same container.
fn the_posture_is_that_of_runc(test: &Test) {
    needs!(test, root, podman, runc);
    let bundle = test.bundle();
    for options in [
        &["--hostname", "h"][..],
        &["--hostname", "h", "--user", "1000:50", "--cap-drop", "all"],
        &[
            "--hostname",
            "h",
            "--read-only",
            "--tmpfs",
            "/data",
            "--pids-limit",
            "50",
        ],
        &["--hostname", "h", "--privileged"],
        &[
            "--hostname",
            "h",
            "--security-opt",
            "no-new-privileges",
            "--cap-add",
            "NET_RAW",
        ],
    ] {
        let ask = |runtime: &Path| {
            let options = [&["--rm"], options].concat();
            let command = run_by(
                podman_with(test, runtime),
                &bundle,
                &options,
                &["/bin/probe"],
            );
            posture(command.run().ok().json())
        };
        let runc = ask(&dhow_tests::Kind::Runc.program().expect("needed"));
        let ours = ask(&test.kind().program().expect("checked"));
        for (name, value) in runc.as_object().expect("an object") {
            assert_eq!(&ours[name], value, "{name} with {options:?}");
        }
    }
    forget_all(test);
}

for_runtimes!([Dhow, Runc];
    run_returns_streams_and_code,
    a_detached_life,
    pauses_and_updates,
    a_terminal_through_conmon,
    a_missing_program_is_127,
);
for_runtimes!([Dhow]; the_posture_is_that_of_runc);

//! `dockerd --add-runtime`: everyday commands of Docker's own client, by containerd's shim.

use dhow_tests::{Cmd, Image, Running, Test, for_runtimes, needs, processes};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

const NODE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/foreign/docker-node.sh");

/// A dockerd with everything of its own; it ends, and all that it started, with this.
struct Daemon<'a> {
    test: &'a Test,
    running: Option<Running>,
}

impl<'a> Daemon<'a> {
    fn start(test: &'a Test) -> Self {
        let home = test.root().join("docker");
        fs::create_dir(&home).expect("mkdir");
        let program = test.kind().program().expect("checked before the test");
        let command = test
            .command(&[
                "unshare",
                "--mount",
                "--pid",
                "--fork",
                "--kill-child",
                "sh",
                NODE,
            ])
            .arg(&home)
            .arg(format!("/{}", test.mark()))
            .arg(program);
        let daemon = Self {
            test,
            running: Some(command.limit(Duration::from_secs(240)).spawn()),
        };
        let is_up = processes::eventually(Duration::from_secs(60), || {
            daemon.docker(&["version"]).run().code == Some(0)
        });
        assert!(is_up, "dockerd did not start");
        let archive = home.join("image.tar");
        Image::busybox().write_docker_archive(&archive, "busy:latest");
        daemon.docker(&["load", "--input"]).arg(&archive).run().ok();
        daemon
    }

    fn docker(&self, words: &[&str]) -> Cmd {
        let socket = self.test.root().join("docker/sock");
        // Debian's, whatever else of that name is in the path.
        let client = if PathBuf::from("/usr/bin/docker").exists() {
            "/usr/bin/docker"
        } else {
            "docker"
        };
        let command = self.test.command(&[client, "--host"]);
        command
            .arg(format!("unix://{}", socket.display()))
            .args(words)
            .limit(Duration::from_secs(60))
    }

    fn out(&self, words: &[&str]) -> String {
        self.docker(words).run().ok().stdout()
    }
}

impl Drop for Daemon<'_> {
    fn drop(&mut self) {
        drop(self.running.take());
        processes::end_marked(self.test.mark());
        super::remove_groups(self.test.mark());
    }
}

fn run_returns_streams_and_code(test: &Test) {
    needs!(test, root, dockerd);
    let daemon = Daemon::start(test);
    let words = [
        "run",
        "--rm",
        "-i",
        "--network",
        "none",
        "busy",
        "/bin/sh",
        "-c",
        "read x; echo out $x; echo err >&2; exit 7",
    ];
    let output = daemon.docker(&words).stdin(b"word\n").run().code_is(7);
    assert_eq!(output.stdout(), "out word\n");
    assert!(output.stderr().contains("err"), "{output}");
    let words = [
        "run",
        "--rm",
        "--network",
        "none",
        "busy",
        "/bin/nothing-here",
    ];
    daemon
        .docker(&words)
        .run()
        .code_is(127)
        .fails("nothing-here");
    assert_eq!(daemon.out(&["ps", "--all", "--quiet"]), "");
}

/// Runs a container `web` that says `ready` and ends with 5 when it is told to.
fn start_web(daemon: &Daemon<'_>, options: &[&str]) {
    let script = "trap 'exit 5' TERM; echo ready; while :; do sleep 0.05; done";
    let command = daemon.docker(&["run", "--detach", "--name", "web", "--network", "none"]);
    let command = command
        .args(options)
        .args(["busy", "/bin/sh", "-c", script]);
    command.run().ok();
}

fn status(daemon: &Daemon<'_>) -> String {
    daemon.out(&[
        "inspect",
        "--format",
        "{{.State.Status}} {{.State.ExitCode}}",
        "web",
    ])
}

fn a_day_with_one_container(test: &Test) {
    needs!(test, root, dockerd);
    let daemon = Daemon::start(test);
    start_web(&daemon, &["--hostname", "moon"]);
    assert_eq!(status(&daemon), "running 0\n");
    assert_eq!(
        daemon.out(&["exec", "web", "/bin/cat", "/etc/hostname"]),
        "moon\n"
    );
    daemon
        .docker(&["exec", "web", "/bin/sh", "-c", "exit 9"])
        .run()
        .code_is(9);
    let terminal = [
        "exec",
        "--tty",
        "web",
        "/bin/sh",
        "-c",
        "test -t 1 && echo terminal",
    ];
    assert_eq!(daemon.out(&terminal).trim(), "terminal");
    let top = daemon.out(&["top", "web"]);
    assert!(top.contains("/bin/sh"), "{top}");
    assert_eq!(daemon.out(&["logs", "web"]), "ready\n");
    daemon.docker(&["stop", "web"]).run().ok();
    assert_eq!(status(&daemon), "exited 5\n");
    daemon.docker(&["restart", "--time", "0", "web"]).run().ok();
    assert_eq!(status(&daemon), "running 0\n");
    daemon.docker(&["kill", "web"]).run().ok();
    daemon.docker(&["rm", "web"]).run().ok();
    assert_eq!(daemon.out(&["ps", "--all", "--quiet"]), "");
}

fn limits_and_pauses(test: &Test) {
    needs!(test, root, dockerd);
    let daemon = Daemon::start(test);
    start_web(
        &daemon,
        &["--memory", "64m", "--cpus", "0.5", "--pids-limit", "50"],
    );
    daemon.docker(&["pause", "web"]).run().ok();
    assert_eq!(status(&daemon), "paused 0\n");
    daemon.docker(&["unpause", "web"]).run().ok();
    assert_eq!(status(&daemon), "running 0\n");
    let update = ["update", "--memory", "32m", "--memory-swap", "64m", "web"];
    daemon.docker(&update).run().ok();
    let stats = daemon.out(&["stats", "--no-stream", "--format", "{{.MemUsage}}", "web"]);
    assert!(stats.contains("/ 32MiB"), "{stats}");
    daemon.docker(&["rm", "--force", "web"]).run().ok();
}

fn an_image_is_built(test: &Test) {
    needs!(test, root, dockerd);
    let daemon = Daemon::start(test);
    let context = test.root().join("context");
    fs::create_dir(&context).expect("mkdir");
    let file = "FROM busy\nRUN echo built >/made\nCMD [\"/bin/cat\", \"/made\"]\n";
    fs::write(context.join("Dockerfile"), file).expect("write");
    let build = ["build", "--quiet", "--network", "none", "--tag", "made"];
    let build = daemon.docker(&build).env("DOCKER_BUILDKIT", "0");
    build.arg(&context).run().ok();
    assert_eq!(
        daemon.out(&["run", "--rm", "--network", "none", "made"]),
        "built\n"
    );
}

for_runtimes!([Dhow, Runc];
    run_returns_streams_and_code,
    a_day_with_one_container,
    limits_and_pauses,
    an_image_is_built,
);

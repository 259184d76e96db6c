//! `ctr run --runc-binary PATH`: containerd's shim drives the runtime, with a `--root` of its own.

use dhow_tests::{Cmd, Running, Test, for_runtimes, needs, processes};
use std::fs;
use std::time::Duration;

/// A containerd with everything of its own below the test's root.
struct Daemon<'a> {
    test: &'a Test,
    running: Option<Running>,
}

impl<'a> Daemon<'a> {
    fn start(test: &'a Test) -> Self {
        let home = test.root().join("containerd");
        fs::create_dir(&home).expect("mkdir");
        let at = |name: &str| home.join(name).display().to_string();
        let config = format!(
            "version = 2\nroot = {:?}\nstate = {:?}\n\
             disabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n\
             [grpc]\naddress = {:?}\n[ttrpc]\naddress = {:?}\n",
            at("root"),
            at("state"),
            at("sock"),
            at("sock.ttrpc")
        );
        let file = home.join("config.toml");
        fs::write(&file, config).expect("write");
        let command = test.command(&["containerd", "--config"]).arg(&file);
        let running = command.limit(Duration::from_secs(120)).spawn();
        let daemon = Self {
            test,
            running: Some(running),
        };
        let is_up = processes::eventually(Duration::from_secs(15), || {
            daemon.ctr().arg("version").run().code == Some(0)
        });
        assert!(is_up, "containerd did not start");
        daemon
    }

    fn ctr(&self) -> Cmd {
        let socket = self.test.root().join("containerd/sock");
        self.test.command(&["ctr", "--address"]).arg(socket)
    }

    /// `ctr run` on the bundle's root.
    fn run(&self, options: &[&str], name: &str, words: &[&str]) -> Cmd {
        let program = self.test.kind().program().expect("checked before the test");
        let bundle = self.test.root().join("bundle0/rootfs");
        let command = self
            .ctr()
            .arg("run")
            .args(options)
            .arg("--runc-binary")
            .arg(program);
        let id = format!("{}-{name}", self.test.mark());
        command.arg("--rootfs").arg(bundle).arg(id).args(words)
    }
}

impl Drop for Daemon<'_> {
    fn drop(&mut self) {
        drop(self.running.take());
        processes::end_marked(self.test.mark());
    }
}

fn run_returns_streams_and_code(test: &Test) {
    needs!(test, root, containerd);
    let _bundle = test.bundle();
    let daemon = Daemon::start(test);
    let words = ["/bin/sh", "-c", "echo out; echo err >&2; exit 7"];
    let output = daemon.run(&["--rm"], "a", &words).run().code_is(7);
    assert!(
        output.stdout().contains("out\n") && output.stderr().contains("err\n"),
        "{output}"
    );
    let left = daemon
        .ctr()
        .args(["containers", "list", "--quiet"])
        .run()
        .ok()
        .stdout();
    assert_eq!(left, "");
}

fn a_detached_life(test: &Test) {
    needs!(test, root, containerd);
    let _bundle = test.bundle();
    let daemon = Daemon::start(test);
    daemon
        .run(&["--detach"], "a", &["/bin/sleep", "1000"])
        .run()
        .ok();
    let id = format!("{}-a", test.mark());
    let task = |words: &[&str]| daemon.ctr().arg("task").args(words).run();
    let list = task(&["list"]).ok().stdout();
    assert!(list.contains(&id) && list.contains("RUNNING"), "{list}");
    let inside = task(&["exec", "--exec-id", "e1", &id, "/bin/cat", "/proc/1/comm"]).ok();
    assert!(inside.stdout().contains("sleep"), "{inside}");
    task(&["exec", "--exec-id", "e2", &id, "/bin/sh", "-c", "exit 9"]).code_is(9);
    let listed = task(&["ps", &id]).ok().stdout();
    assert!(listed.lines().count() >= 2, "{listed}");
    task(&["kill", "--signal", "KILL", &id]).ok();
    let has_stopped = processes::eventually(Duration::from_secs(5), || {
        task(&["list"]).stdout().contains("STOPPED")
    });
    assert!(has_stopped);
    task(&["delete", &id]);
    daemon.ctr().args(["containers", "delete", &id]).run().ok();
}

fn pauses_and_measures(test: &Test) {
    needs!(test, root, containerd);
    let _bundle = test.bundle();
    let daemon = Daemon::start(test);
    daemon
        .run(&["--detach"], "a", &["/bin/sleep", "1000"])
        .run()
        .ok();
    let id = format!("{}-a", test.mark());
    let task = |words: &[&str]| daemon.ctr().arg("task").args(words).run();
    task(&["pause", &id]).ok();
    let list = task(&["list"]).ok().stdout();
    assert!(list.contains("PAUSED"), "{list}");
    task(&["resume", &id]).ok();
    let list = task(&["list"]).ok().stdout();
    assert!(list.contains("RUNNING"), "{list}");
    let metrics = task(&["metrics", &id]).ok().stdout();
    assert!(metrics.contains("pids.current"), "{metrics}");
    task(&["pause", &id]).ok();
    task(&["kill", "--signal", "KILL", &id]).ok();
    let has_stopped = processes::eventually(Duration::from_secs(5), || {
        task(&["list"]).stdout().contains("STOPPED")
    });
    assert!(has_stopped, "a paused task is not ended by SIGKILL");
    task(&["delete", &id]);
    daemon.ctr().args(["containers", "delete", &id]).run().ok();
}

fn a_missing_program_is_told(test: &Test) {
    needs!(test, root, containerd);
    let _bundle = test.bundle();
    let daemon = Daemon::start(test);
    daemon
        .run(&["--rm"], "a", &["/bin/nothing-here"])
        .run()
        .fails("nothing-here");
}

for_runtimes!([Dhow, Runc];
    run_returns_streams_and_code,
    a_detached_life,
    pauses_and_measures,
    a_missing_program_is_told,
);

//! From create to remove.

use super::rig::{Rig, eventually};
use dhow_engine::options::{Mount, Network};
use dhow_engine::{Attach, Ended, ExecOptions, Kind, State};
use std::time::{Duration, Instant};

#[test]
fn created_running_exited_and_started_again() {
    let Some(rig) = Rig::new() else { return };
    let mut options = rig.shell("echo out; echo err >&2; exit 7");
    options.name = Some("one".into());
    let made = rig.engine.create(&options).unwrap();
    assert_eq!((made.id.len(), made.name.as_str()), (64, "one"));
    assert_eq!(rig.state("one"), State::Created);
    assert_eq!(rig.engine.wait("one").unwrap_err().kind(), Kind::Conflict);
    rig.engine.start("one").unwrap();
    let exit = rig.engine.wait("one").unwrap();
    assert_eq!((exit.code, exit.signal, exit.oom_killed), (7, None, false));
    assert_eq!(rig.output("one"), ("out\n".into(), "err\n".into()));
    // By the beginning of the id, too.
    assert!(matches!(rig.state(&made.id[..8]), State::Exited(_)));
    rig.engine.start("one").unwrap();
    rig.engine.wait("one").unwrap();
    assert_eq!(rig.output("one").0, "out\nout\n");
    assert_eq!(rig.engine.list(true).unwrap().len(), 1);
    assert_eq!(rig.engine.list(false).unwrap().len(), 0);
    rig.engine.remove("one", false).unwrap();
    assert_eq!(
        rig.engine.inspect("one").unwrap_err().kind(),
        Kind::NotFound
    );
}

#[test]
fn attached_to_the_end() {
    let Some(rig) = Rig::new() else { return };
    let mut options = rig.shell("exit 9");
    options.remove = true;
    let attach = Attach {
        forward_signals: false,
        ..Attach::default()
    };
    let ended = rig.engine.run_attached(&options, &attach).unwrap();
    assert!(matches!(ended, Ended::Exited(exit) if exit.code == 9));
    assert!(rig.left().is_empty(), "{:?}", rig.left());
    options.remove = false;
    options.name = Some("stays".into());
    let ended = rig.engine.run_attached(&options, &attach).unwrap();
    let State::Exited(recorded) = rig.state("stays") else {
        panic!("it has ended");
    };
    assert_eq!(ended, Ended::Exited(recorded));
}

#[test]
fn a_background_container_with_rm_cleans_up_after_itself() {
    let Some(rig) = Rig::new() else { return };
    let mut options = rig.options(&["/bin/true"]);
    options.remove = true;
    rig.engine.run_detached(&options).unwrap();
    eventually("everything is gone", || rig.left().is_empty());
}

#[test]
fn when_the_watching_command_is_killed_the_monitor_cleans_up() {
    let Some(rig) = Rig::new() else { return };
    let config = rig.engine.config();
    let root = format!("{}:O", rig.directory.join("rootfs").display());
    let mut watcher = std::process::Command::new(&config.helper)
        .args(["run", "--rm", "--name", "watched", "--rootfs", &root])
        .args([
            "/bin/sh",
            "-ec",
            "trap 'exit 0' TERM; echo ready; while :; do sleep 0.05; done",
        ])
        .env("DHOW_ROOT", &config.root)
        .env("DHOW_RUN", &config.run)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    eventually("it is ready", || {
        rig.engine.inspect("watched").is_ok() && rig.output("watched").0 == "ready\n"
    });
    watcher.kill().unwrap();
    watcher.wait().unwrap();
    assert_eq!(rig.state("watched").word(), "running");
    rig.engine.kill("watched", "TERM").unwrap();
    eventually("everything is gone", || rig.left().is_empty());
}

#[test]
fn what_would_be_done_is_told_and_leaves_nothing() {
    let Some(rig) = Rig::new() else { return };
    let plan = rig.engine.explain(&rig.options(&["/bin/true"])).unwrap();
    assert!(plan.0["steps"].as_array().unwrap().len() > 10, "{}", plan.0);
    assert!(rig.left().is_empty(), "{:?}", rig.left());
}

#[test]
fn stopping_gently_and_not() {
    let Some(rig) = Rig::new() else { return };
    let mut gentle = rig.shell("trap 'exit 3' TERM; echo ready; while :; do sleep 0.05; done");
    gentle.name = Some("gentle".into());
    rig.engine.run_detached(&gentle).unwrap();
    eventually("it is ready", || rig.output("gentle").0 == "ready\n");
    let start = Instant::now();
    rig.engine.stop("gentle", Some(10)).unwrap();
    assert!(start.elapsed() < Duration::from_secs(5));
    assert_eq!(rig.engine.wait("gentle").unwrap().code, 3);
    // Once more is no error.
    rig.engine.stop("gentle", None).unwrap();

    // The first process of a pid namespace ignores what it has no handler for.
    let mut deaf = rig.options(&["/bin/sleep", "1000"]);
    deaf.name = Some("deaf".into());
    rig.engine.run_detached(&deaf).unwrap();
    let start = Instant::now();
    rig.engine.stop("deaf", Some(1)).unwrap();
    assert!(start.elapsed() >= Duration::from_secs(1));
    let exit = rig.engine.wait("deaf").unwrap();
    assert_eq!((exit.code, exit.signal), (137, Some(9)));
}

#[test]
fn another_stop_signal_and_kill() {
    let Some(rig) = Rig::new() else { return };
    let line = "trap 'exit 4' USR1; trap 'exit 5' USR2; echo ready; while :; do sleep 0.05; done";
    let mut options = rig.shell(line);
    options.stop_signal = Some("SIGUSR1".into());
    let one = rig.engine.run_detached(&options).unwrap();
    let two = rig.engine.run_detached(&options).unwrap();
    for container in [&one, &two] {
        eventually("it is ready", || rig.output(&container.id).0 == "ready\n");
    }
    rig.engine.stop(&one.id, Some(10)).unwrap();
    assert_eq!(rig.engine.wait(&one.id).unwrap().code, 4);
    rig.engine.kill(&two.id, "USR2").unwrap();
    assert_eq!(rig.engine.wait(&two.id).unwrap().code, 5);
    let error = rig.engine.kill(&two.id, "KILL").unwrap_err();
    assert_eq!(error.kind(), Kind::Conflict);
}

#[test]
fn removing_what_runs_needs_force() {
    let Some(rig) = Rig::new() else { return };
    let container = rig
        .engine
        .run_detached(&rig.options(&["/bin/sleep", "1000"]))
        .unwrap();
    let error = rig.engine.remove(&container.name, false).unwrap_err();
    assert_eq!(error.kind(), Kind::Conflict);
    assert!(error.hint().unwrap().contains("--force"));
    let error = rig.engine.start(&container.name).unwrap_err();
    assert_eq!(error.kind(), Kind::Conflict);
    rig.engine.remove(&container.name, true).unwrap();
    assert!(rig.left().is_empty(), "{:?}", rig.left());
}

#[test]
fn a_further_program() {
    let Some(rig) = Rig::new() else { return };
    let mut options = rig.options(&["/bin/sleep", "1000"]);
    options.name = Some("host".into());
    rig.engine.run_detached(&options).unwrap();
    let exec = |line: &str, user: Option<&str>| {
        let options = ExecOptions {
            command: vec!["/bin/sh".into(), "-ec".into(), line.into()],
            user: user.map(str::to_owned),
            env: vec![("GIVEN".into(), "yes".into())],
            workdir: Some("/etc".into()),
            ..ExecOptions::default()
        };
        rig.engine.exec("host", &options)
    };
    assert_eq!(exec("exit 6", None).unwrap(), 6);
    assert_eq!(
        exec("test $GIVEN = yes; test $PWD = /etc", None).unwrap(),
        0
    );
    assert_eq!(
        exec("test $(id -u) = 33; test $HOME = /srv", Some("web")).unwrap(),
        0
    );
    assert_eq!(
        exec("true", Some("nobody")).unwrap_err().kind(),
        Kind::InvalidInput
    );
    rig.engine.stop("host", Some(0)).unwrap();
    assert_eq!(exec("true", None).unwrap_err().kind(), Kind::Conflict);
}

#[test]
fn the_walls_are_as_asked() {
    let Some(rig) = Rig::new() else { return };
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().to_owned()
    };
    let (_, status) = rig.finish(&rig.options(&["/bin/cat", "/proc/self/status"]));
    assert_eq!(field(&status, "NoNewPrivs"), "1");
    assert_eq!(field(&status, "Seccomp"), "2");
    assert_eq!(field(&status, "CapEff"), "00000000800405fb");
    assert_eq!(field(&status, "CapInh"), "0000000000000000");
    let mut user = rig.options(&["/bin/cat", "/proc/self/status"]);
    user.user = Some("web".into());
    user.cap_add = vec!["NET_RAW".into()];
    let (_, status) = rig.finish(&user);
    assert_eq!(field(&status, "Uid"), "33");
    assert_eq!(field(&status, "CapEff"), "0000000000002000");
    let mut bare = rig.options(&["/bin/cat", "/proc/self/status"]);
    bare.cap_drop = vec!["ALL".into()];
    bare.security = vec![
        "seccomp=unconfined".parse().unwrap(),
        "no-new-privileges=false".parse().unwrap(),
    ];
    let (_, status) = rig.finish(&bare);
    assert_eq!(field(&status, "CapBnd"), "0000000000000000");
    assert_eq!(field(&status, "Seccomp"), "0");
    assert_eq!(field(&status, "NoNewPrivs"), "0");
}

#[test]
fn files_mounts_and_names() {
    let Some(rig) = Rig::new() else { return };
    let data = rig.directory.join("data");
    std::fs::create_dir(&data).unwrap();
    std::fs::write(data.join("file"), "given\n").unwrap();
    let mut options = rig.shell(
        "hostname; cat /etc/hostname; cat /a/file; cat /proc/self/mountinfo; \
         touch /scratch/x; touch /volume/y; touch /a/z || echo read-only",
    );
    options.hostname = Some("ahost".into());
    options.mounts = vec![
        Mount::from_tmpfs("/scratch/deep:size=1m").unwrap(),
        Mount::from_tmpfs("/scratch").unwrap(),
        Mount::from_volume(&format!("{}:/a:ro", data.display())).unwrap(),
        Mount::from_volume("/volume").unwrap(),
    ];
    let (code, text) = rig.finish(&options);
    assert_eq!(code, 0, "{text}");
    assert!(text.starts_with("ahost\nahost\ngiven\n"), "{text}");
    assert!(text.contains(" /scratch/deep rw"), "{text}");
    assert!(text.ends_with("read-only\n"), "{text}");
    // The root filesystem itself is untouched, the anonymous volume is gone.
    assert!(!rig.directory.join("rootfs/scratch/x").exists());
    assert!(rig.left().is_empty(), "{:?}", rig.left());
}

#[test]
fn networks() {
    let Some(rig) = Rig::new() else { return };
    let mut options = rig.options(&["/bin/cat", "/proc/net/dev"]);
    let (_, none) = rig.finish(&options);
    assert_eq!(none.lines().count(), 3, "{none}");
    options.network = Network::Host;
    let (_, host) = rig.finish(&options);
    let own = std::fs::read_to_string("/proc/net/dev").unwrap();
    assert_eq!(host.lines().count(), own.lines().count());
}

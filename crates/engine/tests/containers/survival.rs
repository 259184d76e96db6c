//! What must survive: killed monitors, a restarted host, litter of killed commands.

use super::rig::{Rig, eventually};
use dhow_engine::{Kind, State};
use std::os::unix::fs::symlink;

fn kill(pid: u32) {
    let pidfd = dhow_sys::process::open(pid).unwrap();
    dhow_sys::process::signal(std::os::fd::AsFd::as_fd(&pidfd), 9).unwrap();
    let fds = [(
        std::os::fd::AsFd::as_fd(&pidfd),
        dhow_sys::fd::Interest::Read,
    )];
    assert!(dhow_sys::fd::poll(&fds, Some(5000)).unwrap()[0]);
}

#[test]
fn a_killed_monitor_leaves_a_container_that_can_be_stopped() {
    let Some(rig) = Rig::new() else { return };
    let mut options = rig.options(&["/bin/sleep", "1000"]);
    options.name = Some("orphan".into());
    let container = rig.engine.run_detached(&options).unwrap();
    kill(rig.monitor_of(&container.id));
    let State::Running { pid, .. } = rig.state("orphan") else {
        panic!("its process lives");
    };
    rig.engine.stop("orphan", Some(1)).unwrap();
    let State::Exited(exit) = rig.state("orphan") else {
        panic!("it is stopped");
    };
    assert_eq!(exit.reason.as_deref(), Some("its monitor was killed"));
    eventually("the process is gone", || {
        dhow_sys::process::open(pid).is_err()
    });
    rig.engine.start("orphan").unwrap();
    assert_eq!(rig.state("orphan").word(), "running");
}

#[test]
fn after_a_restart_of_the_host_nothing_runs() {
    let Some(rig) = Rig::new() else { return };
    let mut options = rig.options(&["/bin/true"]);
    options.name = Some("old".into());
    rig.engine.run_detached(&options).unwrap();
    rig.engine.wait("old").unwrap();
    let bundle = rig.engine.inspect("old").unwrap().bundle;
    // As a power cut leaves it: started, in another boot, without an end.
    let started = std::fs::read_to_string(bundle.join("started")).unwrap();
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let other = started.replace(boot.trim(), "00000000-0000-0000-0000-000000000000");
    assert_ne!(started, other);
    std::fs::write(bundle.join("started"), other).unwrap();
    std::fs::remove_file(bundle.join("exit")).unwrap();
    let State::Exited(exit) = rig.state("old") else {
        panic!("it cannot run");
    };
    assert_eq!(exit.reason.as_deref(), Some("host restarted"));
    assert_eq!(rig.engine.wait("old").unwrap().code, 255);
    rig.engine.start("old").unwrap();
    assert_eq!(rig.engine.wait("old").unwrap().code, 0);
}

#[test]
fn litter_is_swept_and_never_in_the_way() {
    let Some(rig) = Rig::new() else { return };
    let root = rig.directory.join("root");
    let id = "0123456789abcdef".repeat(4);
    // A name whose container is gone, one whose container was never finished, and a root of nobody.
    symlink(&id, root.join("container-names/gone")).unwrap();
    let unfinished = "f".repeat(64);
    std::fs::create_dir(root.join("containers").join(&unfinished)).unwrap();
    symlink(&unfinished, root.join("container-names/half")).unwrap();
    std::fs::create_dir_all(rig.directory.join("run/containers").join(&id)).unwrap();
    assert_eq!(
        rig.engine.inspect("half").unwrap_err().kind(),
        Kind::NotFound
    );
    assert_eq!(rig.engine.list(true).unwrap().len(), 0);
    for name in ["gone", "half"] {
        let mut options = rig.options(&["/bin/true"]);
        options.name = Some(name.into());
        rig.engine.create(&options).unwrap();
        rig.engine.remove(name, false).unwrap();
    }
    symlink(&id, root.join("container-names/gone")).unwrap();
    std::fs::create_dir_all(root.join("roots").join(format!(".new-{id}-1"))).unwrap();
    assert_eq!(rig.engine.sweep().unwrap(), 2);
    assert!(rig.left().is_empty(), "{:?}", rig.left());
    assert_eq!(rig.engine.sweep().unwrap(), 0);
}

#[test]
fn no_end_is_ever_lost() {
    let Some(rig) = Rig::new() else { return };
    let rounds: u8 = std::env::var("DHOW_ROUNDS").map_or(40, |text| text.parse().unwrap());
    std::thread::scope(|scope| {
        for worker in 0..4u8 {
            let engine = rig.again();
            let rig = &rig;
            scope.spawn(move || {
                for round in 0..rounds {
                    let code = worker.wrapping_mul(50).wrapping_add(round);
                    let options = rig.shell(&format!("exit {code}"));
                    let container = engine.run_detached(&options).unwrap();
                    assert_eq!(engine.wait(&container.id).unwrap().code, code);
                    engine.remove(&container.id, false).unwrap();
                }
            });
        }
    });
}

#[test]
fn the_kernel_s_kill_for_want_of_memory_is_told() {
    let Some(rig) = Rig::new() else { return };
    let mut options = rig.shell("a=x; while :; do a=$a$a; done");
    options.memory = "16m".parse().ok();
    options.name = Some("greedy".into());
    rig.engine.run_detached(&options).unwrap();
    let exit = rig.engine.wait("greedy").unwrap();
    assert_eq!((exit.code, exit.oom_killed), (137, true));
}

#[test]
fn a_monitor_is_small() {
    let Some(rig) = Rig::new() else { return };
    let container = rig
        .engine
        .run_detached(&rig.options(&["/bin/sleep", "1000"]))
        .unwrap();
    let monitor = rig.monitor_of(&container.id);
    let smaps = std::fs::read_to_string(format!("/proc/{monitor}/smaps_rollup")).unwrap();
    let field = |name: &str| -> u64 {
        let line = smaps.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    println!(
        "PSS {} KiB, of its own {} KiB",
        field("Pss:"),
        field("Private_Dirty:")
    );
    // The program's own pages are shared by all monitors; how many depends on the build.
    assert!(field("Private_Dirty:") <= 256);
    let tasks = std::fs::read_dir(format!("/proc/{monitor}/task")).unwrap();
    assert_eq!(tasks.count(), 1);
}

//! S-PTRACE (CVE-2016-9962): a process of the container reads or copies what a process that is
//! joining it still holds of the host: descriptors, memory, root, working directory.

use dhow_tests::racer::race;
use dhow_tests::{Bundle, Config, Test, for_runtimes, needs};
use serde_json::json;
use std::fs;

/// An attacker with these capabilities that lies in wait.
fn attacker(config: &mut Config, capabilities: &[&str]) {
    config.capabilities(capabilities);
    config.args(&["/bin/probe", "watch-joining", "/tmp/seen"]);
}

/// Joins as often as a race asks for: the attacker meets newcomers, and takes nothing from them.
fn join_beside(test: &Test, bundle: &Bundle) {
    let container = test.create(bundle, "a");
    container.start();
    race(|_| {
        container.exec(&["/bin/true"]).ok();
    });
    let seen = fs::read_to_string(bundle.rootfs().join("tmp/seen")).unwrap_or_default();
    let met = seen.lines().filter(|line| line.starts_with("saw")).count();
    let taken: Vec<_> = seen
        .lines()
        .filter(|line| line.starts_with("GOT"))
        .collect();
    eprintln!("met {met} before their execve");
    assert!(met > 0, "the attacker met nobody: a blind test");
    let first = &taken[..taken.len().min(20)];
    assert!(taken.is_empty(), "{} taken: {first:#?}", taken.len());
}

/// In a user namespace of its own the container may trace its own processes, but the one that
/// joins is the host's until its execve.
fn racing_for_what_joins_a_user_namespace(test: &Test) {
    needs!(test, root, userns);
    let bundle = test.bundle_with(|config| {
        config.add_namespace("user", None);
        let map = json!([{"containerID": 0, "hostID": 515_000_000, "size": 65536}]);
        config["linux"]["uidMappings"] = map.clone();
        config["linux"]["gidMappings"] = map;
        attacker(config, &["CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE"]);
    });
    join_beside(test, &bundle);
}

/// The same for an ordinary user's container.
fn racing_for_what_an_ordinary_user_s_exec_holds(test: &Test) {
    needs!(test, userns);
    test.become_user();
    let bundle = test.bundle_with(|config| {
        attacker(config, &["CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE"]);
    });
    join_beside(test, &bundle);
}

/// Without a user namespace the capability to trace is one over the host, which no runtime can
/// take back; without the capability nothing is reached.
fn racing_for_what_joins_root(test: &Test) {
    needs!(test, root);
    let bundle = test.bundle_with(|config| {
        attacker(config, &["CAP_DAC_OVERRIDE", "CAP_KILL"]);
    });
    join_beside(test, &bundle);
}

for_runtimes!([Dhow];
    racing_for_what_joins_a_user_namespace,
    racing_for_what_an_ordinary_user_s_exec_holds,
    racing_for_what_joins_root,
);

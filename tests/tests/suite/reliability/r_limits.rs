//! R-LIMITS: a host that gives little. Each limit alone, on the caller, who then runs a container: it is the
//! same container as without the limit, or there is none and the message names what is missing.

use dhow_tests::{Baseline, Bundle, Output, Test, for_runtimes, needs, program};
use serde_json::json;
use std::fs;
use std::path::PathBuf;
use syscalls::Sysno;

/// What shall come of it.
#[derive(Clone, Copy)]
enum Answer {
    /// The probe reports what it reports without the limit.
    Same,
    /// Refused, with these words.
    Refused(&'static str),
}
use Answer::{Refused, Same};

const ENOSYS: &str = "38";
const EPERM: &str = "1";

/// No call has this number: its filter is one that forbids nothing.
const NO_CALL: usize = 0x1fff;

/// A bundle without limits of its own: those of the caller are what is tested.
fn bundle(test: &Test) -> Bundle {
    let bundle = test.bundle_running(&["/bin/probe"]);
    bundle.edit(|config| config["process"]["rlimits"] = json!([]));
    bundle
}

fn run(test: &Test, bundle: &Bundle, words: &[&str]) -> Output {
    let command = test.runtime_after(words).args(["run", "--bundle"]);
    command.arg(bundle.path()).arg(test.id("run")).run()
}

/// Runs the container below `words`, and compares it with what it is below `without`.
fn confined(test: &Test, bundle: &Bundle, words: &[&str], without: &Baseline, answer: Answer) {
    let output = run(test, bundle, words);
    match answer {
        Same => {
            let alike = without.is_met_by(&output.ok().json());
            alike.unwrap_or_else(|why| panic!("{words:?}: {why}"));
        }
        Refused(text) => drop(output.code_is(1).fails(text)),
    }
    let states = fs::read_dir(test.state_root()).expect("the state root");
    assert_eq!(states.count(), 0, "{words:?} left a state");
}

/// The program that forbids calls by a filter.
fn block(test: &Test) -> Result<PathBuf, String> {
    let source = include_str!("../../../src/rig/block.c");
    program::compile(&test.root().join("out"), "block", source)
}

/// A container of a caller whose filter forbids these calls, for each way in which filters do so. With an ordinary
/// user the filter is that of the whole session: it is there before the user is.
fn without_calls(test: &Test, calls: &[Sysno], answers: [(&str, Answer); 2]) {
    needs!(test, root, native, cc);
    let block = match block(test) {
        Ok(block) => block.display().to_string(),
        Err(reason) => return test.skip(&reason),
    };
    let bundle = bundle(test);
    let nothing = NO_CALL.to_string();
    let without = Baseline::new(|| run(test, &bundle, &[&block, ENOSYS, &nothing]).ok().json());
    let numbers: Vec<String> = calls.iter().map(|call| call.id().to_string()).collect();
    for (errno, answer) in answers {
        let words = [block.as_str(), errno, &numbers.join(",")];
        confined(test, &bundle, &words, &without, answer);
    }
}

/// The same in both ways, rootful and rootless.
macro_rules! without {
    ($($name:ident, $rootless:ident: $calls:expr, $enosys:expr, $eperm:expr;)+) => {
        $(
            fn $name(test: &Test) {
                without_calls(test, &$calls, [(ENOSYS, $enosys), (EPERM, $eperm)]);
            }
            fn $rootless(test: &Test) {
                needs!(test, root);
                test.become_user();
                $name(test);
            }
        )+
        for_runtimes!([Dhow]; $($name, $rootless),+);
    };
}

without! {
    openat2, openat2_rootless: [Sysno::openat2], Same, Same;
    clone3, clone3_rootless: [Sysno::clone3], Refused("clone3"), Refused("clone3");
    fsopen, fsopen_rootless: [Sysno::fsopen], Refused("fsopen"), Refused("fsopen");
    open_tree, open_tree_rootless: [Sysno::open_tree], Refused("open_tree"), Refused("open_tree");
    move_mount, move_mount_rootless: [Sysno::move_mount], Refused("move_mount"), Refused("move_mount");
    mount_setattr, mount_setattr_rootless: [Sysno::mount_setattr], Refused("mount_setattr"), Refused("mount_setattr");
    io_uring, io_uring_rootless: [Sysno::io_uring_setup, Sysno::io_uring_enter], Same, Same;
    memfd_create, memfd_create_rootless: [Sysno::memfd_create], Same, Same;
    pidfd, pidfd_rootless: [Sysno::pidfd_open, Sysno::pidfd_send_signal], Same, Same;
}

/// What has been begun is ended also where no process can be held: the hook fails for want of `pidfd_open`, and
/// then the container's process is there, waiting.
fn a_failed_birth_without_pidfds(test: &Test) {
    needs!(test, root, native, cc);
    let block = match block(test) {
        Ok(block) => block.display().to_string(),
        Err(reason) => return test.skip(&reason),
    };
    let bundle = bundle(test);
    bundle.edit(|config| config.add_hook("createRuntime", json!({"path": "/bin/true"})));
    let calls = [Sysno::pidfd_open, Sysno::pidfd_send_signal];
    let calls = calls.map(|call| call.id().to_string()).join(",");
    for errno in [ENOSYS, EPERM] {
        let output = run(test, &bundle, &[&block, errno, &calls]);
        output.code_is(1).fails("pidfd_open");
        let states = fs::read_dir(test.state_root()).expect("the state root");
        assert_eq!(states.count(), 0, "a state is left");
    }
}

/// Sixty-four descriptors are more than a container's birth needs.
fn few_descriptors(test: &Test) {
    let bundle = bundle(test);
    let mut without = Baseline::new(|| run(test, &bundle, &[]).ok().json());
    without.except(&["/rlimits/Max open files"]);
    let words = ["prlimit", "--nofile=64:64"];
    confined(test, &bundle, &words, &without, Same);
}

fn few_descriptors_rootless(test: &Test) {
    needs!(test, root);
    test.become_user();
    few_descriptors(test);
    // More than the caller may have is refused, not given in part.
    let rlimit = json!([{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}]);
    let bundle = test.bundle_with(|config| config["process"]["rlimits"] = rlimit);
    let words = ["prlimit", "--nofile=64:64"];
    run(test, &bundle, &words).code_is(1).fails("RLIMIT_NOFILE");
}

/// An ordinary user with few processes. Others of the same user count too, so both answers are right, but none in
/// between.
fn few_processes_rootless(test: &Test) {
    needs!(test, root);
    test.become_user();
    let bundle = bundle(test);
    let mut without = Baseline::new(|| run(test, &bundle, &[]).ok().json());
    without.except(&["/rlimits/Max processes"]);
    let output = run(test, &bundle, &["prlimit", "--nproc=32:32"]);
    match output.code {
        Some(0) => without
            .is_met_by(&output.json())
            .expect("the same container"),
        _ => drop(output.code_is(1).fails("EAGAIN")),
    }
    // None at all.
    let output = run(test, &bundle, &["prlimit", "--nproc=1:1"]);
    output.code_is(1).fails("EAGAIN");
}

fn without_capability(test: &Test, capability: &str, bundle: &Bundle, answer: Answer) {
    let without = Baseline::new(|| run(test, bundle, &[]).ok().json());
    let word = format!("--bounding-set=-{capability}");
    confined(test, bundle, &["setpriv", &word], &without, answer);
}

fn no_sys_resource(test: &Test) {
    needs!(test, root, native);
    without_capability(test, "sys_resource", &bundle(test), Same);
    // What it is needed for.
    let bundle = test.bundle_with(|config| config["process"]["oomScoreAdj"] = json!(-500));
    let words = ["setpriv", "--bounding-set=-sys_resource"];
    run(test, &bundle, &words).code_is(1).fails("oom_score_adj");
}

fn no_sys_admin(test: &Test) {
    needs!(test, root, native);
    let refused = Refused("the caller lacks CAP_SYS_ADMIN");
    without_capability(test, "sys_admin", &bundle(test), refused);
    let bundle = bundle(test);
    bundle.edit(|config| config.rootless(0));
    let confined = ["setpriv", "--bounding-set=-sys_admin"];
    run(test, &bundle, &confined)
        .code_is(1)
        .fails("--rootless=true");
    let rootless = |words: &[&str]| {
        let command = test
            .runtime_after(words)
            .args(["--rootless", "true", "run"]);
        let command = command.arg("--bundle").arg(bundle.path());
        command.arg(test.id("rootless")).run().ok().json()
    };
    let without = Baseline::new(|| rootless(&[]));
    let alike = without.is_met_by(&rootless(&confined));
    alike.expect("the same container");
}

for_runtimes!([Dhow];
    a_failed_birth_without_pidfds,
    few_descriptors,
    few_descriptors_rootless,
    few_processes_rootless,
    no_sys_admin,
    no_sys_resource,
);

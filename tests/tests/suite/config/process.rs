//! `process`: arguments, environment, directory, limits, and what it must not inherit.

use dhow_tests::{Kind, Test, for_each_runtime, for_runtimes, needs};
use serde_json::json;

fn args_and_env_are_exactly_these(test: &Test) {
    let bundle = test.bundle_with(|config| {
        config["process"]["env"] = json!(["A=1", "PATH=/bin", "B=x=y z", "E=", "A=1"]);
        config.args(&[
            "sh",
            "-c",
            "tr '\\0' '|' </proc/self/environ; echo; tr '\\0' '|' </proc/$$/cmdline; true",
            "a b",
            "",
        ]);
    });
    let text = test.run_bundle(&bundle).ok().stdout();
    let (env, args) = text.split_once('\n').expect("two lines");
    for entry in ["A=1|", "PATH=/bin|", "B=x=y z|", "E=|"] {
        assert!(env.contains(entry), "{entry} is not in {env}");
    }
    assert!(args.ends_with("|a b||"), "{args}");
    assert!(
        !env.contains("DHOW_TEST_MARK"),
        "the runtime's own environment came in: {env}"
    );
}

fn the_directory_is_where_it_says(test: &Test) {
    assert_eq!(
        test.probe_with(|c| c["process"]["cwd"] = json!("/tmp"))["cwd"],
        "/tmp"
    );
}

fn a_missing_directory_is_made(test: &Test) {
    assert_eq!(
        test.probe_with(|c| c["process"]["cwd"] = json!("/a/b"))["cwd"],
        "/a/b"
    );
}

fn a_directory_that_is_a_file_is_refused(test: &Test) {
    let output = test.run_with(|c| c["process"]["cwd"] = json!("/bin/busybox"));
    output.refuses(["/bin/busybox", "not a directory", "not a directory"]);
}

fn rlimits_are_set(test: &Test) {
    let report = test.probe_with(|config| {
        config["process"]["rlimits"] = json!([
            {"type": "RLIMIT_NOFILE", "hard": 1000, "soft": 900},
            {"type": "RLIMIT_CORE", "hard": 0, "soft": 0},
            {"type": "RLIMIT_STACK", "hard": 4_194_304, "soft": 1_048_576},
            {"type": "RLIMIT_CPU", "hard": 70, "soft": 60},
            {"type": "RLIMIT_FSIZE", "hard": 1_000_000, "soft": 1_000_000},
        ]);
    });
    let limits = &report["rlimits"];
    assert_eq!(limits["Max open files"], json!(["900", "1000"]));
    assert_eq!(limits["Max core file size"], json!(["0", "0"]));
    assert_eq!(limits["Max stack size"], json!(["1048576", "4194304"]));
    assert_eq!(limits["Max cpu time"], json!(["60", "70"]));
    assert_eq!(limits["Max file size"], json!(["1000000", "1000000"]));
}

/// A limit that is in force already needs no privilege; a higher one is refused by name.
fn a_limit_above_our_own_is_refused_by_name(test: &Test) {
    if needs::missing("sys_resource").is_none() {
        test.skip("needs a host without CAP_SYS_RESOURCE");
        return;
    }
    let limit = |n: u64| json!([{"type": "RLIMIT_NOFILE", "hard": n, "soft": n}]);
    let output = test.run_with(|config| config["process"]["rlimits"] = limit(9_000_000));
    output.refuses(["RLIMIT_NOFILE", "rlimit", "RLIMIT_NOFILE"]);
}

fn no_new_privileges_is_what_it_says(test: &Test) {
    for (value, word) in [(true, "1"), (false, "0")] {
        let report = test.probe_with(|c| c["process"]["noNewPrivileges"] = json!(value));
        assert_eq!(report["noNewPrivs"], word);
    }
}

fn oom_score_is_set(test: &Test) {
    let report = test.probe_with(|c| c["process"]["oomScoreAdj"] = json!(555));
    assert_eq!(report["oomScoreAdj"], "555");
}

fn impossible_oom_scores_are_refused(test: &Test) {
    let output = test.run_with(|c| c["process"]["oomScoreAdj"] = json!(1001));
    output.refuses(["process.oomScoreAdj", "oom_score_adj", "oom_score_adj"]);
}

/// What the caller left open, blocked or ignored is the caller's.
fn nothing_is_inherited(test: &Test) {
    let bundle = test.bundle_running(&["/bin/probe"]);
    let command = test.runtime_with_descriptors(6, "/");
    let command = command
        .args(["run", "--bundle"])
        .arg(bundle.path())
        .arg(test.id("a"));
    let report = command.run().ok().json();
    let fds: Vec<_> = report["fds"]
        .as_object()
        .expect("an object")
        .keys()
        .collect();
    assert_eq!(fds, ["0", "1", "2"], "{}", report["fds"]);
    assert_eq!(report["dumpable"], true);
    assert_eq!(report["securebits"], 0);
    assert_eq!(report["parentDeathSignal"], json!(null));
    assert_eq!(report["timerSlack"], 50_000);
    assert_eq!(
        report["scheduler"],
        json!({"policy": 0, "nice": 0, "priority": 0})
    );
    assert_eq!(report["session"], json!({"sid": 1, "pgid": 1}));
    assert_eq!(report["signals"]["blocked"], "0000000000000000");
    assert_eq!(report["umask"], "0022");
}

/// `nohup` ignores SIGHUP, and an ignored signal survives execve.
fn no_signal_is_ignored(test: &Test) {
    let bundle = test.bundle_running(&["grep", "SigIgn", "/proc/self/status"]);
    let command = test.runtime_after(&["nohup"]).args(["run", "--bundle"]);
    let output = command.arg(bundle.path()).arg(test.id("a")).run().ok();
    let text = output.stdout();
    let ignored = text.split_whitespace().last().expect("a number");
    let ignored = u64::from_str_radix(ignored, 16).expect("a number");
    // Go and crun know of no signal that libraries keep for themselves.
    let mask = if test.is(Kind::Dhow) { u64::MAX } else { 1 };
    assert_eq!(ignored & mask, 0, "{ignored:x}");
}

fn preserve_fds_keeps_exactly_that_many(test: &Test) {
    let bundle = test.bundle_running(&["/bin/probe"]);
    let command = test.runtime_with_descriptors(6, "/etc/hostname");
    let command = command
        .args(["run", "--preserve-fds", "2", "--bundle"])
        .arg(bundle.path());
    let report = command.arg(test.id("a")).run().ok().json();
    let fds: Vec<_> = report["fds"]
        .as_object()
        .expect("an object")
        .keys()
        .collect();
    assert_eq!(fds, ["0", "1", "2", "3", "4"], "{}", report["fds"]);
    // The host's file, by its own name: nothing that lies inside the container.
    assert_eq!(report["fds"]["3"], "/etc/hostname");
}

fn labels_without_a_module_are_refused(test: &Test) {
    if needs::missing("apparmor").is_none() {
        test.skip("needs a host without AppArmor");
        return;
    }
    let output = test.run_with(|c| c["process"]["apparmorProfile"] = json!("some-profile"));
    output.refuses(["process.apparmorProfile", "apparmor", "apparmor"]);
    let label = json!("system_u:system_r:container_t:s0");
    let output = test.run_with(|c| c["process"]["selinuxLabel"] = label);
    output.refuses(["process.selinuxLabel", "selinux", ""]);
}

fn an_apparmor_profile_is_applied(test: &Test) {
    needs!(test, apparmor);
    let report = test.probe_with(|c| c["process"]["apparmorProfile"] = json!("unconfined"));
    assert!(
        report["label"]
            .as_str()
            .is_some_and(|label| label.contains("unconfined")),
        "{report}"
    );
    let output = test.run_with(|c| c["process"]["apparmorProfile"] = json!("no-such-profile"));
    output.refuses(["no-such-profile", "apparmor", "apparmor"]);
}

for_each_runtime!(
    args_and_env_are_exactly_these,
    the_directory_is_where_it_says,
    a_missing_directory_is_made,
    a_directory_that_is_a_file_is_refused,
    rlimits_are_set,
    a_limit_above_our_own_is_refused_by_name,
    no_new_privileges_is_what_it_says,
    oom_score_is_set,
    nothing_is_inherited,
    no_signal_is_ignored,
    preserve_fds_keeps_exactly_that_many,
    labels_without_a_module_are_refused,
    an_apparmor_profile_is_applied,
);

// crun leaves a cgroup.
for_runtimes!([Dhow, Runc]; impossible_oom_scores_are_refused);

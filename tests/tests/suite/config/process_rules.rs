//! `process`: what is refused by name, what is left alone, and what is told.

use dhow_tests::{Test, for_each_runtime, for_runtimes, needs};
use serde_json::json;
use std::fs;

/// A property of `process`, a value as JSON, and the path that the refusal names.
const IMPOSSIBLE: &[(&str, &str, &str)] = &[
    ("cwd", r#""tmp""#, "cwd"),
    ("args", "[]", "args"),
    ("args", r#"[""]"#, "args[0]"),
    ("env", r#"["A=\u0000"]"#, "env[0]"),
    (
        "rlimits",
        r#"[{"type": "RLIMIT_CORE", "soft": 0, "hard": 0}, {"type": "RLIMIT_CORE", "soft": 1, "hard": 1}]"#,
        "rlimits[1].type",
    ),
    (
        "rlimits",
        r#"[{"type": "RLIMIT_MOON", "soft": 0, "hard": 0}]"#,
        "rlimits[0].type",
    ),
    (
        "rlimits",
        r#"[{"type": "RLIMIT_CORE", "soft": 2, "hard": 1}]"#,
        "rlimits[0].soft",
    ),
    ("oomScoreAdj", "-1001", "oomScoreAdj"),
    (
        "scheduler",
        r#"{"policy": "SCHED_MOON"}"#,
        "scheduler.policy",
    ),
    (
        "scheduler",
        r#"{"policy": "SCHED_OTHER", "flags": ["SCHED_FLAG_MOON"]}"#,
        "scheduler.flags[0]",
    ),
    (
        "scheduler",
        r#"{"policy": "SCHED_OTHER", "period": 5}"#,
        "scheduler.runtime",
    ),
    (
        "ioPriority",
        r#"{"class": "IOPRIO_CLASS_MOON", "priority": 0}"#,
        "ioPriority.class",
    ),
    (
        "ioPriority",
        r#"{"class": "IOPRIO_CLASS_BE", "priority": 8}"#,
        "ioPriority.priority",
    ),
    (
        "execCPUAffinity",
        r#"{"initial": "x"}"#,
        "execCPUAffinity.initial",
    ),
    (
        "execCPUAffinity",
        r#"{"final": "3-1"}"#,
        "execCPUAffinity.final",
    ),
    ("user", r#"{"uid": 4294967295, "gid": 0}"#, "user.uid"),
    ("user", r#"{"uid": 0, "gid": 4294967295}"#, "user.gid"),
    (
        "user",
        r#"{"uid": 0, "gid": 0, "umask": 512}"#,
        "user.umask",
    ),
];

fn impossible_values_are_refused_by_path(test: &Test) {
    for (property, value, path) in IMPOSSIBLE {
        let output = test.run_with(|config| {
            config["process"][*property] = serde_json::from_str(value).expect("JSON");
        });
        output.fails(&format!("process.{path}:"));
    }
}

/// A size without a terminal means nothing, and must not be an error (config.md, Process).
fn a_console_size_without_a_terminal_is_ignored(test: &Test) {
    let report = test.probe_with(|config| {
        config["process"]["consoleSize"] = json!({"height": 10, "width": 20});
    });
    assert_eq!(report["tty"]["is"], json!([false, false, false]));
}

/// Without `oomScoreAdj` the caller's stays.
fn the_oom_score_is_left_alone_where_none_is_given(test: &Test) {
    let bundle = test.bundle_running(&["cat", "/proc/self/oom_score_adj"]);
    let script = "echo 321 >/proc/self/oom_score_adj; exec \"$@\"";
    let command = test.runtime_after(&["sh", "-c", script, "sh"]);
    let command = command.args(["run", "--bundle"]).arg(bundle.path());
    assert_eq!(command.arg(test.id("a")).run().ok().stdout(), "321\n");
}

/// A capability that cannot be had is a warning, and the program runs without it (config.md, Linux Process).
fn a_capability_that_cannot_be_granted_is_a_warning(test: &Test) {
    needs!(test, root);
    // Root without one of its capabilities, as in a container of another.
    let mut words = vec![
        "setpriv",
        "--bounding-set=-sys_time",
        "--inh-caps=-sys_time",
    ];
    words.push("--");
    let bundle = test.bundle_with(|config| {
        config.capabilities(&["CAP_KILL", "CAP_SYS_TIME"]);
        config.args(&["/bin/probe"]);
    });
    let log = test.root().join("out/log");
    let command = test.runtime_after(&words).arg("--log").arg(&log);
    let command = command.args(["run", "--bundle"]).arg(bundle.path());
    let report = command.arg(test.id("a")).run().ok().json();
    assert_eq!(report["capabilities"]["effective"], "0000000000000020");
    let text = fs::read_to_string(&log).unwrap_or_default();
    assert!(
        text.contains("level=warning") && text.contains("CAP_SYS_TIME"),
        "{text}"
    );
    assert!(!text.contains("CAP_KILL"), "{text}");
}

/// Everything `rlimits` may name reaches the kernel.
fn every_limit_has_a_name(test: &Test) {
    // The name in the document, and that of /proc/self/limits.
    let names = [
        ("CPU", "Max cpu time"),
        ("FSIZE", "Max file size"),
        ("DATA", "Max data size"),
        ("STACK", "Max stack size"),
        ("CORE", "Max core file size"),
        ("RSS", "Max resident set"),
        ("NPROC", "Max processes"),
        ("NOFILE", "Max open files"),
        ("MEMLOCK", "Max locked memory"),
        ("AS", "Max address space"),
        ("LOCKS", "Max file locks"),
        ("SIGPENDING", "Max pending signals"),
        ("MSGQUEUE", "Max msgqueue size"),
        ("NICE", "Max nice priority"),
        ("RTPRIO", "Max realtime priority"),
        ("RTTIME", "Max realtime timeout"),
    ];
    // Nobody may lift a limit; what is 0 already stays so.
    let value = |name: &str| {
        if ["NICE", "RTPRIO"].contains(&name) {
            0
        } else {
            800
        }
    };
    let size = |name: &str| match name {
        "DATA" | "STACK" | "AS" | "FSIZE" => 8_000_000_u64,
        other => value(other),
    };
    let report = test.probe_with(|config| {
        let list = names.map(|(name, _)| {
            json!({"type": format!("RLIMIT_{name}"), "soft": size(name), "hard": size(name)})
        });
        config["process"]["rlimits"] = json!(list);
    });
    for (name, shown) in names {
        let text = size(name).to_string();
        assert_eq!(report["rlimits"][shown], json!([text, text]), "{name}");
    }
}

for_each_runtime!(
    a_console_size_without_a_terminal_is_ignored,
    the_oom_score_is_left_alone_where_none_is_given,
    every_limit_has_a_name,
);

// The rivals say it in other words, or leave it to the kernel; they warn of unknown names only.
for_runtimes!([Dhow];
    impossible_values_are_refused_by_path,
    a_capability_that_cannot_be_granted_is_a_warning,
);

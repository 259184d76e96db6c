//! `hooks`: six kinds, their order, what they are told, and what happens when they fail.

use dhow_tests::{Bundle, Kind, Test, for_each_runtime, for_runtimes, processes, schema};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

const BEFORE: [&str; 4] = [
    "prestart",
    "createRuntime",
    "createContainer",
    "startContainer",
];

/// Writes a script; `startContainer` hooks lie inside the container, the others on the host.
fn script(directory: &Path, name: &str, text: &str) {
    let path = directory.join(name);
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).expect("write");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("chmod");
}

/// A bundle whose six hooks each append a line to `log` in the root of the container and keep
/// the state document they were given beside it.
fn bundle_with_all(test: &Test) -> Bundle {
    let bundle = test.bundle_running(&["sh", "-c", "echo process >>/log"]);
    let rootfs = bundle.rootfs();
    let host = rootfs.display().to_string();
    script(
        &rootfs,
        "hook",
        "echo \"$1 $A\" >>\"$2/log\"; cat >\"$2/state.$1\"",
    );
    bundle.edit(|config| {
        for kind in ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"] {
            let (path, root) = match kind {
                "startContainer" => ("/hook".to_owned(), ""),
                _ => (format!("{host}/hook"), host.as_str()),
            };
            let hook = json!({"path": path, "args": ["hook", kind, root], "env": ["A=1", "PATH=/bin:/usr/bin"]});
            config.add_hook(kind, hook);
        }
        config["annotations"] = json!({"x": "y"});
    });
    bundle
}

fn log(bundle: &Bundle) -> Vec<String> {
    let text = fs::read_to_string(bundle.rootfs().join("log")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn all_six_run_in_order(test: &Test) {
    let bundle = bundle_with_all(test);
    let container = test.create(&bundle, "a");
    let created = ["prestart 1", "createRuntime 1", "createContainer 1"];
    // runc 1.1 runs poststart hooks at the end of `create`.
    let known = if test.is(Kind::Runc) {
        3
    } else {
        log(&bundle).len()
    };
    assert_eq!(log(&bundle)[..known], created);
    container.start();
    container.wait_for("stopped");
    let mut started = log(&bundle);
    // The process and the poststart hooks run side by side.
    started[3..].sort_unstable();
    assert_eq!(&started[..3], created);
    assert_eq!(
        &started[3..],
        ["poststart 1", "process", "startContainer 1"]
    );
    let process = log(&bundle).iter().position(|line| line == "process");
    assert!(
        process
            > log(&bundle)
                .iter()
                .position(|line| line == "startContainer 1")
    );
    container.verb(&["delete"]).run().ok();
    assert_eq!(log(&bundle).last().expect("a line"), "poststop 1");
}

fn each_is_told_the_state(test: &Test) {
    let bundle = bundle_with_all(test);
    let output = test.run_bundle(&bundle);
    output.ok();
    for (kind, statuses) in [
        ("prestart", ["creating", "created"].as_slice()),
        ("createRuntime", &["creating", "created"]),
        ("createContainer", &["creating", "created"]),
        ("startContainer", &["created", "creating"]),
        ("poststart", &["running"]),
        ("poststop", &["stopped"]),
    ] {
        let text =
            fs::read_to_string(bundle.rootfs().join(format!("state.{kind}"))).expect("a state");
        let state: Value =
            serde_json::from_str(&text).unwrap_or_else(|e| panic!("{kind}: {e}: {text}"));
        schema::assert_follows(&state, "state-schema.json");
        assert_eq!(state["id"], test.id("run"), "{kind}");
        assert_eq!(state["bundle"], json!(bundle.path()), "{kind}");
        assert_eq!(state["annotations"], json!({"x": "y"}), "{kind}");
        let status = state["status"].as_str().expect("a status");
        // The process of this container may have ended when poststart runs.
        let late = [
            "stopped",
            if test.is(Kind::Runc) {
                "created"
            } else {
                "stopped"
            },
        ];
        let is_right =
            statuses.contains(&status) || (kind == "poststart" && late.contains(&status));
        assert!(is_right, "{kind} was told {status}");
    }
}

/// Hooks of the runtime see the host's mounts, those of the container its own.
fn each_runs_in_its_namespace(test: &Test) {
    let bundle = test.bundle();
    let rootfs = bundle.rootfs();
    script(&rootfs, "hook", "readlink /proc/self/ns/mnt >\"$1\"");
    let path = |name: &str| rootfs.join(name).display().to_string();
    bundle.edit(|config| {
        for kind in ["createRuntime", "createContainer"] {
            let env = json!(["PATH=/bin:/usr/bin"]);
            config.add_hook(
                kind,
                json!({"path": path("hook"), "args": ["hook", path(kind)], "env": env}),
            );
        }
        config.args(&["readlink", "/proc/self/ns/mnt"]);
    });
    let inside = test.run_bundle(&bundle).ok().stdout();
    let found = |kind: &str| fs::read_to_string(rootfs.join(kind)).expect("written");
    assert_ne!(found("createRuntime"), inside);
    assert_eq!(found("createContainer"), inside);
}

fn the_environment_is_only_theirs(test: &Test) {
    let bundle = test.bundle();
    let file = bundle.path().join("env");
    bundle.edit(|config| {
        let command = format!("/usr/bin/env >{}", file.display());
        let hook = json!({"path": "/bin/sh", "args": ["sh", "-c", command], "env": ["ONLY=this"]});
        config.add_hook("createRuntime", hook);
    });
    test.run_bundle(&bundle).ok();
    let text = fs::read_to_string(file).expect("written");
    // PWD, OLDPWD, SHLVL and _ are the shell's own.
    let mut lines: Vec<_> = text.lines().collect();
    lines.retain(|line| {
        !["PWD=", "OLDPWD=", "SHLVL=", "_="]
            .iter()
            .any(|own| line.starts_with(own))
    });
    assert_eq!(lines, ["ONLY=this"]);
}

fn a_failing_hook_ends_the_creation(test: &Test) {
    for kind in BEFORE {
        let bundle = test.bundle_running(&["touch", "/made"]);
        script(&bundle.rootfs(), "hook", "echo some reason >&2; exit 3");
        let path = match kind {
            "startContainer" => "/hook".into(),
            _ => bundle.rootfs().join("hook"),
        };
        bundle.edit(|config| config.add_hook(kind, json!({"path": path})));
        let name = format!("f-{kind}");
        test.run_command(&bundle, &name)
            .run()
            .refuses([kind, "hook", ""]);
        assert!(!bundle.rootfs().join("made").exists(), "{kind}");
        assert!(!test.state_root().join(test.id(&name)).exists(), "{kind}");
    }
}

fn the_message_shows_what_the_hook_said(test: &Test) {
    let bundle = test.bundle();
    bundle.edit(|config| {
        let sh = json!({"path": "/bin/sh", "args": ["sh", "-c", "echo the reason >&2; exit 3"]});
        config.add_hook("createRuntime", json!({"path": "/bin/true"}));
        config.add_hook("createRuntime", sh);
    });
    let output = test.run_bundle(&bundle);
    let output = output.refuses(["the reason", "the reason", ""]);
    if test.is(Kind::Dhow) {
        output.fails("createRuntime[1]");
    }
}

/// The container is there and runs: what comes after cannot undo that (runtime.md, Lifecycle).
fn a_failing_poststop_hook_is_a_warning(test: &Test) {
    let bundle = test.bundle();
    bundle.edit(|config| config.add_hook("poststop", json!({"path": "/bin/false"})));
    let container = test.create(&bundle, "a");
    container.start();
    container.wait_for("stopped");
    container.verb(&["delete"]).run().ok();
    assert!(!test.state_root().join(container.id()).exists());
}

fn a_missing_hook_is_named(test: &Test) {
    let output = test.run_with(|config| {
        config.add_hook("createRuntime", json!({"path": "/nonexistent/hook"}));
    });
    output.fails("/nonexistent/hook");
}

fn a_relative_path_is_refused(test: &Test) {
    let output = test.run_with(|config| config.add_hook("createRuntime", json!({"path": "hook"})));
    output.fails("hooks.createRuntime[0].path");
}

/// The whole group is ended at its time, and a child that holds the streams delays nothing.
fn a_hook_past_its_time_is_ended(test: &Test) {
    let bundle = test.bundle();
    bundle.edit(|config| {
        let command = format!("/bin/sleep 1001 # {}", test.mark());
        let hook = json!({"path": "/bin/sh", "args": ["sh", "-c", format!("{command}\n{command}")],
            "env": [format!("DHOW_TEST_MARK={}", test.mark())], "timeout": 1});
        config.add_hook("createRuntime", hook);
    });
    let output = test.run_bundle(&bundle);
    assert!(
        output.elapsed < Duration::from_secs(6),
        "it took {:?}",
        output.elapsed
    );
    assert!(
        output.elapsed > Duration::from_millis(900),
        "it took only {:?}",
        output.elapsed
    );
    output.refuses(["createRuntime[0]", "hook", ""]);
    let left = processes::marked(test.mark());
    assert!(
        !left.iter().any(|process| process.command.contains("sleep")),
        "{left:?}"
    );
}

fn a_daemon_of_a_hook_delays_nothing(test: &Test) {
    let bundle = test.bundle();
    let marker = format!("DHOW_TEST_MARK={}", test.mark());
    bundle.edit(|config| {
        let args = ["sh", "-c", "/bin/sleep 1001 &"];
        config.add_hook(
            "createRuntime",
            json!({"path": "/bin/sh", "args": args, "env": [marker]}),
        );
    });
    let output = test.run_bundle(&bundle).ok();
    processes::end_marked(test.mark());
    assert!(
        output.elapsed < Duration::from_secs(6),
        "it took {:?}",
        output.elapsed
    );
}

/// One that neither reads its input nor is in a hurry to: a large state must not block us.
fn a_hook_may_ignore_its_input(test: &Test) {
    let bundle = test.bundle();
    bundle.edit(|config| {
        config["annotations"] = json!({"big": "x".repeat(200_000)});
        config.add_hook("createRuntime", json!({"path": "/bin/true"}));
    });
    test.run_bundle(&bundle).ok();
}

for_each_runtime!(
    all_six_run_in_order,
    each_runs_in_its_namespace,
    the_environment_is_only_theirs,
    a_failing_hook_ends_the_creation,
    the_message_shows_what_the_hook_said,
    a_failing_poststop_hook_is_a_warning,
    a_missing_hook_is_named,
);

// crun takes a hook that has ended before it read everything for a failed one.
for_runtimes!([Dhow, Runc]; a_hook_may_ignore_its_input);

// crun takes a relative path; both rivals wait for whoever holds the hook's output.
for_runtimes!([Dhow];
    a_relative_path_is_refused,
    a_hook_past_its_time_is_ended,
    a_daemon_of_a_hook_delays_nothing,
);

// crun 1.8 tells a status that the specification does not have, and another bundle.
for_runtimes!([Dhow, Runc]; each_is_told_the_state);

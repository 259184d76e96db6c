//! What a failed hook does to the container, and what may not stand in a hook.

use dhow_tests::{Bundle, Container, Test, for_each_runtime, for_runtimes, processes};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// A hook of the host that runs these words of the shell.
fn shell(words: &str) -> Value {
    json!({"path": "/bin/sh", "args": ["sh", "-c", words], "env": ["PATH=/bin:/usr/bin"]})
}

/// A bundle whose poststop hook leaves a file; with the file's place.
fn told(test: &Test, args: &[&str]) -> (Bundle, PathBuf) {
    let bundle = test.bundle_running(args);
    let mark = bundle.path().join("poststop");
    bundle.edit(|config| {
        config.add_hook("poststop", shell(&format!("cat >{}", mark.display())));
    });
    (bundle, mark)
}

fn is_gone(container: &Container<'_>) {
    container.verb(&["state"]).run().fails("exist");
}

/// The program has run; it is ended with its container (runtime.md, Lifecycle, step 9).
fn a_failing_poststart_hook_ends_the_container(test: &Test) {
    for turn in ["run", "start"] {
        let (bundle, mark) = told(test, &["sleep", "1007"]);
        bundle.edit(|config| config.add_hook("poststart", shell("echo no luck >&2; exit 3")));
        let container = test.container(turn);
        let failed = if turn == "run" {
            test.run_command(&bundle, turn).run()
        } else {
            container.create_command(&bundle).run().ok();
            container.verb(&["start"]).run()
        };
        failed.fails("hook poststart[0]").fails("no luck");
        is_gone(&container);
        let state = fs::read_to_string(&mark).expect("the poststop hook ran");
        assert!(state.contains("\"stopped\""), "{state}");
        let left = processes::marked(test.mark());
        assert!(
            !left.iter().any(|process| process.command.contains("1007")),
            "{left:?}"
        );
    }
}

/// The same before the program runs (step 7).
fn a_failing_start_container_hook_leaves_no_container(test: &Test) {
    let (bundle, mark) = told(test, &["touch", "/made"]);
    bundle.edit(|config| config.add_hook("startContainer", json!({"path": "/bin/false"})));
    let container = test.create(&bundle, "a");
    let output = container.verb(&["start"]).run();
    output.fails("hook startContainer[0]");
    is_gone(&container);
    assert!(mark.exists(), "no poststop hook ran");
    assert!(!bundle.rootfs().join("made").exists(), "the program ran");
}

/// What hooks of a creation did must be taken back, whichever of them fails (steps 3 to 5), and also when
/// they went well and something else failed after them.
fn poststop_hooks_follow_a_failed_creation(test: &Test) {
    for kind in ["prestart", "createRuntime", "createContainer"] {
        let (bundle, mark) = told(test, &["true"]);
        bundle.edit(|config| config.add_hook(kind, shell("exit 3")));
        let container = test.container(kind);
        container.create_command(&bundle).run().fails(kind);
        is_gone(&container);
        assert!(mark.exists(), "{kind}: no poststop hook ran");
    }
    let (bundle, mark) = told(test, &["/no/such/program"]);
    bundle.edit(|config| config.add_hook("createRuntime", shell("exit 0")));
    let container = test.container("later");
    let created = container.create_command(&bundle).run();
    if created.code == Some(0) {
        // The program is looked for at the start: then the container is still there to be deleted.
        container.verb(&["delete", "--force"]).run().ok();
    }
    assert!(mark.exists(), "no poststop hook ran after the others");
}

fn hooks_after_a_failed_one_do_not_run(test: &Test) {
    let (bundle, _) = told(test, &["true"]);
    let second = bundle.path().join("second");
    bundle.edit(|config| {
        config.add_hook("createRuntime", shell("exit 3"));
        config.add_hook(
            "createRuntime",
            shell(&format!("touch {}", second.display())),
        );
    });
    test.run_bundle(&bundle)
        .refuses(["createRuntime[0]", "hook", ""]);
    assert!(!second.exists());
}

/// Of poststop hooks each runs, whatever happened to the one before (step 13).
fn a_failing_poststop_hook_does_not_stop_the_next(test: &Test) {
    let (bundle, mark) = told(test, &["true"]);
    bundle.edit(|config| {
        let hooks = config["hooks"]["poststop"].as_array_mut().expect("a list");
        hooks.insert(0, shell("exit 3"));
    });
    let log = test.root().join("out/log");
    let command = test.runtime().arg("--log").arg(&log);
    let command = command.args(["run", "--bundle"]).arg(bundle.path());
    command.arg(test.id("a")).run().ok();
    assert!(mark.exists(), "the second one did not run");
    let text = fs::read_to_string(&log).expect("a log");
    assert!(
        text.contains("level=warning") && text.contains("poststop"),
        "{text}"
    );
}

/// Hooks in the container are told the number that the container sees (runtime.md, State).
fn hooks_inside_are_told_the_pid_inside(test: &Test) {
    let bundle = test.bundle();
    let host = bundle.rootfs().display().to_string();
    bundle.edit(|config| {
        config.add_hook(
            "createRuntime",
            shell(&format!("cat >{host}/createRuntime")),
        );
        config.add_hook(
            "createContainer",
            shell(&format!("cat >{host}/createContainer")),
        );
        let inside = json!({"path": "/bin/sh", "args": ["sh", "-c", "cat >/startContainer"],
            "env": ["PATH=/bin"]});
        config.add_hook("startContainer", inside);
    });
    let container = test.create(&bundle, "a");
    let pid = container.pid();
    container.start();
    container.wait_for("stopped");
    for (kind, expected) in [
        ("createRuntime", pid),
        ("createContainer", 1),
        ("startContainer", 1),
    ] {
        let text = fs::read_to_string(bundle.rootfs().join(kind)).expect("a state");
        let state: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(state["pid"], expected, "{kind}: {text}");
    }
}

/// The path of a `startContainer` hook is one in the container, those of the others are the host's.
fn each_path_is_found_in_its_namespace(test: &Test) {
    let bundle = test.bundle();
    let outside = bundle.path().join("only-outside");
    fs::copy("/bin/true", &outside).expect("copy");
    let outside = outside.display().to_string();
    for (kind, path, works) in [
        ("createRuntime", outside.as_str(), true),
        ("createContainer", outside.as_str(), true),
        ("poststart", outside.as_str(), true),
        ("startContainer", outside.as_str(), false),
        ("startContainer", "/bin/probe", true),
        ("createRuntime", "/bin/probe", false),
    ] {
        let bundle = test.bundle();
        bundle.edit(|config| config.add_hook(kind, json!({"path": path, "args": ["x", "getcwd"]})));
        let output = test.run_bundle(&bundle);
        if works {
            output.ok();
        } else {
            output.fails(path);
        }
    }
}

fn impossible_hooks_are_refused_by_path(test: &Test) {
    for (hook, path) in [
        (
            json!({"path": "/bin/true", "timeout": 0}),
            "hooks.poststop[0].timeout",
        ),
        (
            json!({"path": "/bin/true", "timeout": -1}),
            "hooks.poststop[0].timeout",
        ),
        (
            json!({"path": "/bin/true", "env": ["NO_VALUE"]}),
            "hooks.poststop[0].env[0]",
        ),
        (
            json!({"path": "/bin/true", "env": ["A=1", "=x"]}),
            "hooks.poststop[0].env[1]",
        ),
        (json!({"path": "bin/true"}), "hooks.poststop[0].path"),
    ] {
        test.run_with(|config| config.add_hook("poststop", hook))
            .fails(path);
    }
}

fn arguments_are_exactly_these(test: &Test) {
    let bundle = test.bundle();
    let file = bundle.path().join("args");
    bundle.edit(|config| {
        let words = format!("tr '\\0' '|' </proc/$$/cmdline >{}", file.display());
        let hook = json!({"path": "/bin/sh", "args": ["a name", "-c", words, "b  c", ""],
            "env": ["PATH=/bin:/usr/bin"]});
        config.add_hook("createRuntime", hook);
    });
    test.run_bundle(&bundle).ok();
    let found = processes::eventually(Duration::from_secs(2), || file.exists());
    assert!(found, "the hook wrote nothing");
    let text = fs::read_to_string(&file).expect("written");
    assert!(
        text.starts_with("a name|-c|") && text.ends_with("|b  c||"),
        "{text}"
    );
}

for_each_runtime!(
    arguments_are_exactly_these,
    hooks_after_a_failed_one_do_not_run
);

// runc 1.1 follows the older specification, in which this is a warning; crun 1.8 says nothing at all.
for_runtimes!([Dhow];
    a_failing_poststart_hook_ends_the_container,
    a_failing_start_container_hook_leaves_no_container,
    poststop_hooks_follow_a_failed_creation,
    a_failing_poststop_hook_does_not_stop_the_next,
    impossible_hooks_are_refused_by_path,
);

// The rivals tell every hook the number outside, and crun looks for hooks with other rules.
for_runtimes!([Dhow]; hooks_inside_are_told_the_pid_inside, each_path_is_found_in_its_namespace);

//! R-HOOK: hooks that misbehave, of every kind and in nine ways.
//!
//! What must hold: a hook's time is kept whatever it does with its streams, all that it has started in its
//! process group ends with a failure, the container is then either whole or gone, and the poststop hooks run.

use dhow_tests::{Bundle, Output, Test, for_runtimes, processes, program};
use serde_json::{Value, json};
use std::fs;
use std::time::Duration;

const KINDS: [&str; 6] = [
    "prestart",
    "createRuntime",
    "createContainer",
    "startContainer",
    "poststart",
    "poststop",
];

/// What a hook does, in a shell of the host's or the container's.
struct Behaviour<'s> {
    script: &'s str,
    /// What the runtime says of it; nothing when it is content.
    said: Option<&'static str>,
}

const PAST_ITS_TIME: Option<&str> = Some("did not end within 1 s; it was killed");

/// A bundle whose program and last poststop hook leave their marks, with this hook of this kind.
fn bundle(test: &Test, kind: &str, script: &str) -> Bundle {
    let bundle = test.bundle_running(&["touch", "/ran"]);
    let rootfs = bundle.rootfs().display().to_string();
    let env = json!([
        "PATH=/bin:/usr/bin",
        format!("DHOW_TEST_MARK={}", test.mark())
    ]);
    let shell = |script: &str| -> Value {
        let args = json!(["sh", "-c", script]);
        json!({"path": "/bin/sh", "args": args, "env": env, "timeout": 1})
    };
    bundle.edit(|config| {
        config["annotations"] = json!({"large": "x".repeat(200_000)});
        config.add_hook(kind, shell(script));
        let mut witness = shell(&format!("echo >>{rootfs}/cleaned"));
        witness["timeout"] = json!(15);
        config.add_hook("poststop", witness);
    });
    bundle
}

/// Whether a failure of this kind of hook is one of the container's (runtime.md, Lifecycle).
fn decides(kind: &str) -> bool {
    kind != "poststop"
}

/// `is_run`: whether the program has run; `None` where it was ended while it did.
fn assert_consistent(test: &Test, bundle: &Bundle, kind: &str, name: &str, is_run: Option<bool>) {
    let rootfs = bundle.rootfs();
    if let Some(is_run) = is_run {
        assert_eq!(rootfs.join("ran").exists(), is_run, "{kind}: the program");
    }
    let cleaned = fs::read_to_string(rootfs.join("cleaned")).unwrap_or_default();
    assert_eq!(cleaned, "\n", "{kind}: the poststop hook runs once");
    let state = test.state_root().join(test.id(name));
    assert!(!state.exists(), "{kind}: its state is left");
}

/// A verb with a log of its own: what changes nothing any more is told there.
fn logged(test: &Test, words: &[&str]) -> (Output, String) {
    let log = test.root().join("out/log");
    fs::write(&log, "").expect("empty the log");
    let output = test.runtime().arg("--log").arg(&log).args(words).run();
    (output, fs::read_to_string(&log).expect("read the log"))
}

fn run(test: &Test, bundle: &Bundle, name: &str) -> (Output, String) {
    let bundle = bundle.path().display().to_string();
    logged(test, &["run", "--bundle", &bundle, &test.id(name)])
}

fn judge((output, text): (Output, String), kind: &str, said: Option<&str>) {
    let Some(said) = said else {
        output.ok();
        assert_eq!(text, "", "{kind}");
        return;
    };
    assert!(text.contains(said), "{kind}: {text}");
    assert!(text.contains(kind), "{kind} is not named: {text}");
    match decides(kind) {
        true => drop(output.code_is(1)),
        false => drop(output.ok()),
    }
}

/// `run` and `create` with this behaviour in each kind of hook.
fn misbehave(test: &Test, behaviour: &Behaviour<'_>) {
    for kind in KINDS {
        let is_run = behaviour.said.is_none() || !decides(kind);
        let is_run = (is_run || kind != "poststart").then_some(is_run);
        let made = bundle(test, kind, behaviour.script);
        judge(run(test, &made, kind), kind, behaviour.said);
        assert_alone(test, kind, behaviour);
        assert_consistent(test, &made, kind, kind, is_run);
    }
    // The same in two steps: what failed at `start` is stopped and destroyed (runtime.md, Lifecycle, 7).
    let made = bundle(test, "startContainer", behaviour.script);
    let container = test.create(&made, "steps");
    let started = logged(test, &["start", container.id()]);
    judge(started, "startContainer", behaviour.said);
    let is_run = behaviour.said.is_none();
    if is_run {
        container.wait_for("stopped");
        container.verb(&["delete"]).run().ok();
    } else {
        container.verb(&["delete"]).run().fails("does not exist");
    }
    let kind = "startContainer, in steps";
    assert_consistent(test, &made, kind, "steps", Some(is_run));
}

/// Nothing that the hook has started lives, but for the daemon of one that was content with itself.
fn assert_alone(test: &Test, kind: &str, behaviour: &Behaviour<'_>) {
    if behaviour.said.is_none() {
        processes::end_marked(test.mark());
        return;
    }
    let is_alone = || processes::marked(test.mark()).is_empty();
    assert!(
        processes::eventually(Duration::from_secs(2), is_alone),
        "{kind} left {:?}",
        processes::marked(test.mark())
    );
}

fn hangs(test: &Test) {
    let script = "cat >/dev/null; sleep 1001 & sleep 1001";
    let said = PAST_ITS_TIME;
    misbehave(test, &Behaviour { script, said });
}

fn floods(test: &Test) {
    let script = "cat >/dev/null; yes >&2 & yes";
    let said = PAST_ITS_TIME;
    misbehave(test, &Behaviour { script, said });
}

fn closes_its_streams(test: &Test) {
    let script = "exec <&- >&- 2>&-; sleep 1001";
    let said = PAST_ITS_TIME;
    misbehave(test, &Behaviour { script, said });
}

/// It is the caller's program and may leave another behind; that one holds both pipes and floods them, and nobody
/// waits for it.
fn leaves_a_daemon(test: &Test) {
    let script = "yes & yes & yes & exit 0";
    let said = None;
    misbehave(test, &Behaviour { script, said });
}

/// Its process group is then another one, which is not to be killed.
fn leaves_its_group(test: &Test) {
    let probe = program::binary("probe").expect("the probe is built with the suite");
    let host = probe.display().to_string();
    let script =
        format!("[ -x /bin/probe ] && exec /bin/probe leave-group; exec {host} leave-group");
    let said = PAST_ITS_TIME;
    let script = &script;
    misbehave(test, &Behaviour { script, said });
}

fn ignores_the_signal_to_terminate(test: &Test) {
    let script = "trap '' TERM INT HUP; cat >/dev/null; while :; do sleep 1001; done";
    let said = PAST_ITS_TIME;
    misbehave(test, &Behaviour { script, said });
}

/// What it has left in its group ends with it: nobody would know of it.
fn fails_and_leaves_a_child(test: &Test) {
    let script = "sleep 1001 & echo the reason >&2; exit 3";
    let said = Some("failed (exit status: 3); it said: the reason");
    misbehave(test, &Behaviour { script, said });
}

fn is_killed_by_a_signal(test: &Test) {
    let script = "sleep 1001 & kill -KILL $$";
    let said = Some("failed (signal: 9 (SIGKILL)); it said nothing");
    misbehave(test, &Behaviour { script, said });
}

/// The state is larger than a pipe.
fn reads_nothing_of_a_large_state(test: &Test) {
    let script = "sleep 1001";
    let said = PAST_ITS_TIME;
    misbehave(test, &Behaviour { script, said });
}

/// A hook begins as a program of the caller's would: with no signal blocked, whatever verb runs it.
fn no_signal_is_blocked(test: &Test) {
    for kind in KINDS {
        let made = bundle(test, kind, "grep -q 'SigBlk:.0*$' /proc/self/status");
        judge(run(test, &made, kind), kind, None);
    }
}

for_runtimes!([Dhow];
    closes_its_streams,
    fails_and_leaves_a_child,
    floods,
    hangs,
    ignores_the_signal_to_terminate,
    is_killed_by_a_signal,
    leaves_a_daemon,
    leaves_its_group,
    no_signal_is_blocked,
    reads_nothing_of_a_large_state,
);

//! `linux.seccomp`: every action and flag, and profiles that say what cannot be.

use dhow_tests::console::DescriptorSocket;
use dhow_tests::{Config, Test, for_each_runtime, for_runtimes};
use serde_json::{Value, json};

/// Allows everything but chroot, for which it has this rule.
fn profile(rule: &Value) -> Value {
    let mut rule = rule.clone();
    rule["names"] = json!(["chroot"]);
    json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]})
}

fn run(test: &Test, profile: Value) -> dhow_tests::Output {
    test.run_with(|config: &mut Config| {
        config["linux"]["seccomp"] = profile;
        config.capabilities(&["CAP_SYS_CHROOT"]);
        config.args(&["/bin/probe", "chroot", "/"]);
    })
}

/// The rest of the actions; those that kill and that say an errno have tests of their own.
fn each_action_does_what_it_says(test: &Test) {
    // A trap is a signal, which ends who has no handler: 128 + SIGSYS.
    run(test, profile(&json!({"action": "SCMP_ACT_TRAP"}))).code_is(159);
    // Without a tracer the call does not exist.
    let traced = run(test, profile(&json!({"action": "SCMP_ACT_TRACE"})));
    assert_eq!(traced.ok().json()["errno"], 38);
    for action in ["SCMP_ACT_LOG", "SCMP_ACT_ALLOW"] {
        let made = run(test, profile(&json!({"action": action}))).ok().json();
        assert_eq!(made["ok"], true, "{action}: {made}");
    }
    let refused = run(test, profile(&json!({"action": "SCMP_ACT_ERRNO"})));
    assert_eq!(refused.ok().json()["errno"], 1, "EPERM is the default");
}

/// A default of each kind that lets a program run at all.
fn each_default_action_does_what_it_says(test: &Test) {
    for (action, more) in [
        ("SCMP_ACT_ALLOW", json!(null)),
        ("SCMP_ACT_LOG", json!(null)),
    ] {
        let document = json!({"defaultAction": action, "defaultErrnoRet": more});
        assert_eq!(run(test, document).ok().json()["ok"], true, "{action}");
    }
}

/// SIGSYS for whoever uses a call interface that the profile does not name is not tried here: it needs a
/// program of that interface. The flags are: each is accepted, and the filter is in force.
fn each_flag_is_taken(test: &Test) {
    for flag in ["LOG", "SPEC_ALLOW", "TSYNC"] {
        let mut document = profile(&json!({"action": "SCMP_ACT_ERRNO", "errnoRet": 95}));
        document["flags"] = json!([format!("SECCOMP_FILTER_FLAG_{flag}")]);
        assert_eq!(run(test, document).ok().json()["errno"], 95, "{flag}");
    }
}

fn wait_killable_needs_a_listener(test: &Test) {
    let mut document = profile(&json!({"action": "SCMP_ACT_ERRNO"}));
    document["flags"] = json!(["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]);
    run(test, document).fails("linux.seccomp.flags");
    let socket = DescriptorSocket::listen(test.root().join("notify.sock"));
    let mut document = profile(&json!({"action": "SCMP_ACT_NOTIFY"}));
    document["flags"] = json!(["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]);
    document["listenerPath"] = json!(socket.path());
    let bundle = test.bundle_with(|config| {
        config["linux"]["seccomp"] = document;
        config.args(&["/bin/probe", "chroot", "/"]);
    });
    let running = test.run_command(&bundle, "a").spawn();
    drop(socket.receive());
    assert_eq!(running.wait().ok().json()["errno"], 38);
}

/// One state per connection, which is closed after it (config-linux.md, Seccomp).
fn the_listener_gets_one_message_and_the_end(test: &Test) {
    use std::io::Read as _;
    let path = test.root().join("one.sock");
    let listener = std::os::unix::net::UnixListener::bind(&path).expect("listen");
    let bundle = test.bundle_with(|config| {
        config["linux"]["seccomp"] = profile(&json!({"action": "SCMP_ACT_NOTIFY"}));
        config["linux"]["seccomp"]["listenerPath"] = json!(path);
        config.args(&["/bin/probe", "chroot", "/"]);
    });
    let running = test.run_command(&bundle, "a").spawn();
    let (mut connection, _) = listener.accept().expect("a connection");
    connection
        .set_read_timeout(Some(std::time::Duration::from_secs(10)))
        .expect("a limit");
    let mut text = String::new();
    // To the end of the connection: whoever kept it open would run into the limit. The descriptor that came
    // along is closed by the kernel, as nobody takes it.
    connection.read_to_string(&mut text).expect("it is closed");
    let state: Value = serde_json::from_str(&text).expect("exactly one document");
    assert_eq!(state["ociVersion"], "1.0.2");
    running.wait().ok();
    listener.set_nonblocking(true).expect("non-blocking");
    listener.accept().expect_err("a second connection");
}

/// What nobody will ask the agent is not sent to it.
fn a_listener_without_notify_is_ignored(test: &Test) {
    let mut document = profile(&json!({"action": "SCMP_ACT_ERRNO", "errnoRet": 95}));
    document["listenerPath"] = json!("/nonexistent.sock");
    assert_eq!(run(test, document).ok().json()["errno"], 95);
}

fn impossible_profiles_are_refused_by_path(test: &Test) {
    let rule = |more: Value| json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [more]});
    let cases = [
        (
            rule(json!({"names": [], "action": "SCMP_ACT_ERRNO"})),
            "syscalls[0].names",
        ),
        (
            rule(json!({"names": ["chroot"], "action": "SCMP_ACT_ALLOW", "errnoRet": 5})),
            "syscalls[0].errnoRet",
        ),
        (
            rule(json!({"names": ["chroot"], "action": "SCMP_ACT_KILL", "errnoRet": 5})),
            "syscalls[0].errnoRet",
        ),
        (
            rule(
                json!({"names": ["chroot"], "action": "SCMP_ACT_ERRNO", "args": [
                {"index": 6, "value": 0, "op": "SCMP_CMP_EQ"}]}),
            ),
            "syscalls[0].args[0].index",
        ),
        (
            json!({"defaultAction": "SCMP_ACT_ALLOW", "defaultErrnoRet": 5}),
            "defaultErrnoRet",
        ),
        (
            json!({"defaultAction": "SCMP_ACT_ALLOW", "listenerMetadata": "x"}),
            "listenerMetadata",
        ),
        (
            json!({"defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_MOON"]}),
            "flags[0]",
        ),
    ];
    for (document, path) in cases {
        run(test, document).fails(&format!("linux.seccomp.{path}"));
    }
}

for_each_runtime!(
    each_action_does_what_it_says,
    each_default_action_does_what_it_says,
);

// crun connects to the listener whether or not anybody will ask it.
for_runtimes!([Dhow, Runc]; a_listener_without_notify_is_ignored);

// runc 1.1 takes no flags; crun 1.8 not all of them, and it lets impossible profiles pass.
for_runtimes!([Dhow];
    each_flag_is_taken,
    wait_killable_needs_a_listener,
    impossible_profiles_are_refused_by_path,
    the_listener_gets_one_message_and_the_end,
);

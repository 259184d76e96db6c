//! Options before the verb, and the exit code for mistakes on the command line.

use dhow_tests::{Kind, Test, for_each_runtime, for_runtimes, needs};
use serde_json::Value;
use std::fs;
use std::path::Path;

fn version_names_the_program_and_the_specification(test: &Test) {
    for option in ["--version", "-v"] {
        let text = test.bare_runtime().arg(option).run().ok().stdout();
        assert!(
            text.starts_with(&format!("{} version ", test.kind().name())),
            "{text}"
        );
        assert!(text.contains("spec: "), "{text}");
    }
}

fn help_lists_the_verbs(test: &Test) {
    let text = test.bare_runtime().arg("--help").run().ok().stdout();
    for verb in [
        "create", "start", "state", "kill", "delete", "run", "exec", "list", "ps", "spec",
    ] {
        assert!(text.contains(verb), "{verb} is not in {text}");
    }
}

fn an_unknown_verb_is_refused(test: &Test) {
    let output = test.runtime().arg("moonwalk").run();
    output.refuses(["moonwalk", "", "unknown command moonwalk"]);
}

fn an_unknown_option_is_refused(test: &Test) {
    let output = test.bare_runtime().args(["--moon", "list"]).run();
    output.refuses(["--moon", "", "moon"]);
    let output = test.runtime().args(["list", "--moon"]).run();
    output.refuses(["--moon", "", "moon"]);
}

fn a_missing_id_is_refused(test: &Test) {
    for verb in [
        "create", "start", "state", "kill", "delete", "exec", "ps", "run",
    ] {
        let output = test.runtime().arg(verb).run();
        output.refuses(["id", "", ""]);
    }
}

fn too_many_words_are_refused(test: &Test) {
    for verb in ["create", "start", "state", "delete", "run"] {
        let output = test.runtime().args([verb, "a", "b"]).run();
        output.refuses(["\"b\"", "", ""]);
    }
}

/// The log holds one JSON object per line with level, message and time, as runc's does.
fn errors_go_to_the_log_as_json(test: &Test) {
    let log = test.root().join("log");
    let command = test
        .runtime()
        .arg("--log")
        .arg(&log)
        .args(["--log-format", "json"]);
    let output = command.args(["state", "no-such-container"]).run();
    assert!(output.code.is_some_and(|code| code != 0), "{output}");
    assert!(last_message(&log, "error").contains(match test.kind() {
        Kind::Crun => "no such file",
        _ => "does not exist",
    }));
}

fn last_message(log: &Path, level: &str) -> String {
    let text = fs::read_to_string(log).expect("a log");
    let line = text.lines().last().expect("a line");
    let entry: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
    assert_eq!(entry["level"], level, "{entry}");
    assert!(
        entry["time"]
            .as_str()
            .is_some_and(|time| time.contains('T')),
        "{entry}"
    );
    entry["msg"].as_str().expect("a message").to_lowercase()
}

fn errors_go_to_the_log_as_text(test: &Test) {
    let log = test.root().join("log");
    let command = test.runtime().arg("--log").arg(&log);
    command.args(["state", "no-such-container"]).run();
    let text = fs::read_to_string(&log).expect("a log");
    assert!(
        text.to_lowercase().contains("exist") || text.contains("No such"),
        "{text}"
    );
    serde_json::from_str::<Value>(&text).expect_err("text was asked for");
}

/// Engines show the log's last error to the user; the terminal shows it too, once.
fn errors_are_said_once_on_the_terminal(test: &Test) {
    let output = test.runtime().args(["state", "no-such-container"]).run();
    let text = output.stderr().to_lowercase();
    assert_eq!(text.matches("does not exist").count(), 1, "{text}");
}

fn a_successful_command_logs_nothing(test: &Test) {
    let log = test.root().join("log");
    let bundle = test.bundle();
    let command = test
        .runtime()
        .arg("--log")
        .arg(&log)
        .args(["run", "--bundle"]);
    let output = command.arg(bundle.path()).arg(test.id("a")).run().ok();
    assert_eq!(fs::read_to_string(&log).unwrap_or_default(), "");
    assert_eq!(output.stderr(), "");
}

fn debug_says_more(test: &Test) {
    let log = test.root().join("log");
    let bundle = test.bundle();
    let command = test
        .runtime()
        .args(["--debug", "--log-format", "json", "--log"])
        .arg(&log);
    command
        .args(["run", "--bundle"])
        .arg(bundle.path())
        .arg(test.id("a"))
        .run()
        .ok();
    let text = fs::read_to_string(&log).expect("a log");
    assert!(
        text.lines().any(|line| line.contains("\"debug\"")),
        "{text}"
    );
}

fn an_unknown_log_format_is_refused(test: &Test) {
    let output = test.runtime().args(["--log-format", "xml", "list"]).run();
    output.refuses(["xml", "xml", "xml"]);
}

fn a_root_is_created_private(test: &Test) {
    use std::os::unix::fs::PermissionsExt as _;
    let root = test.root().join("new/root");
    let bundle = test.bundle();
    let command = test
        .bare_runtime()
        .arg("--root")
        .arg(&root)
        .args(["run", "--bundle"]);
    command.arg(bundle.path()).arg(test.id("a")).run().ok();
    let mode = fs::metadata(&root)
        .expect("it was made")
        .permissions()
        .mode();
    assert_eq!(mode & 0o077, 0, "others can enter: {mode:o}");
}

fn options_may_be_joined_with_an_equals_sign(test: &Test) {
    let bundle = test.bundle();
    let root = format!("--root={}", test.state_root().display());
    let option = format!("--bundle={}", bundle.path().display());
    let command = test
        .bare_runtime()
        .args([root.as_str(), "run", option.as_str()]);
    command.arg(test.id("a")).run().ok();
}

/// runc accepts a single dash before a long name, as Go programs do; containerd relies on none.
fn systemd_cgroups_without_systemd_are_refused(test: &Test) {
    if needs_absent_systemd() {
        test.skip("needs a host without systemd");
        return;
    }
    let bundle = test.bundle();
    let command = test
        .runtime()
        .args(["--systemd-cgroup", "create", "--bundle"]);
    command
        .arg(bundle.path())
        .arg(test.id("a"))
        .run()
        .fails("systemd");
}

fn needs_absent_systemd() -> bool {
    dhow_tests::needs::missing("systemd").is_none()
}

fn works_for_an_ordinary_user(test: &Test) {
    needs!(test, userns);
    let _ = test.become_user();
    let container = test.sleeper("a");
    assert_eq!(container.status(), "running");
    assert_eq!(container.exec(&["id", "-u"]).ok().stdout(), "0\n");
    container.kill("KILL").ok();
    container.wait_for("stopped");
    container.verb(&["delete"]).run().ok();
}

for_each_runtime!(
    version_names_the_program_and_the_specification,
    help_lists_the_verbs,
    an_unknown_verb_is_refused,
    an_unknown_option_is_refused,
    a_missing_id_is_refused,
    errors_go_to_the_log_as_json,
    errors_go_to_the_log_as_text,
    a_successful_command_logs_nothing,
    an_unknown_log_format_is_refused,
    options_may_be_joined_with_an_equals_sign,
    works_for_an_ordinary_user,
);

// crun 1.8 logs nothing at debug level and says "No such file or directory"; its root is 0755.
for_runtimes!([Dhow, Runc];
    debug_says_more,
    a_root_is_created_private,
    systemd_cgroups_without_systemd_are_refused,
    errors_are_said_once_on_the_terminal,
);

// The rivals ignore further words after the id.
for_runtimes!([Dhow]; too_many_words_are_refused);

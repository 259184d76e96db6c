//! Terminals: over a console socket, and in the foreground.

use dhow_tests::console::{DescriptorSocket, Terminal};
use dhow_tests::{Container, Kind, Running, Test, for_each_runtime, for_runtimes};
use serde_json::{Value, json};

fn socket(test: &Test) -> DescriptorSocket {
    DescriptorSocket::listen(test.root().join("console.sock"))
}

/// A container with a terminal, created with a console socket.
fn with_terminal<'a>(test: &'a Test, args: &[&str]) -> (Container<'a>, Terminal) {
    let bundle = test.bundle_with(|config| {
        config["process"]["terminal"] = json!(true);
        config["process"]["consoleSize"] = json!({"width": 91, "height": 37});
        config.args(args);
    });
    let socket = socket(test);
    let command = test
        .runtime()
        .args(["create", "--console-socket"])
        .arg(socket.path());
    let running = command
        .arg("--bundle")
        .arg(bundle.path())
        .arg(test.id("a"))
        .spawn();
    let terminal = socket.terminal();
    running.wait().ok();
    let container = test.container("a");
    (container, terminal)
}

fn report(terminal: &mut Terminal) -> Value {
    let text = terminal.read_to_end().trim().to_owned();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text:?}"))
}

fn a_console_socket_gets_the_terminal(test: &Test) {
    let (container, mut terminal) = with_terminal(test, &["probe"]);
    container.start();
    let report = report(&mut terminal);
    assert_eq!(report["tty"]["is"], json!([true, true, true]));
    assert_eq!(report["tty"]["controlling"], true);
    assert_eq!(report["tty"]["size"], json!({"width": 91, "height": 37}));
    let device = report["fds"]["0"].as_str().expect("standard input");
    assert!(device.starts_with("/dev/pts/"), "{device}");
    // The container's own devpts, and nothing but the three streams.
    assert_eq!(
        report["fds"].as_object().expect("an object").len(),
        3,
        "{}",
        report["fds"]
    );
    let console = report["mounts"].as_array().expect("a list");
    assert!(
        console.iter().any(|mount| mount["point"] == "/dev/console"),
        "{console:?}"
    );
}

fn a_terminal_talks_and_resizes(test: &Test) {
    let script = "stty -echo; echo ready; read x; echo got $x; stty size";
    let (container, mut terminal) = with_terminal(test, &["sh", "-c", script]);
    container.start();
    terminal.expect("ready");
    terminal.resize(120, 50);
    terminal.write("word\n");
    terminal.expect("got word");
    terminal.expect("50 120");
}

fn hanging_up_ends_the_session(test: &Test) {
    let (container, mut terminal) = with_terminal(test, &["sh", "-c", "echo ready; cat"]);
    container.start();
    terminal.expect("ready");
    drop(terminal);
    container.wait_for("stopped");
}

fn refuses_a_terminal_without_a_socket(test: &Test) {
    let bundle = test.bundle_with(|config| config["process"]["terminal"] = json!(true));
    let command = test
        .runtime()
        .args(["create", "--bundle"])
        .arg(bundle.path());
    let output = command.arg(test.id("a")).run();
    output.refuses(["console", "console socket", "console"]);
}

fn refuses_a_socket_that_is_not_there(test: &Test) {
    let bundle = test.bundle_with(|config| config["process"]["terminal"] = json!(true));
    let command = test
        .runtime()
        .args(["create", "--console-socket", "/nonexistent.sock"]);
    let output = command
        .arg("--bundle")
        .arg(bundle.path())
        .arg(test.id("a"))
        .run();
    output.refuses(["/nonexistent.sock", "no such file", "no such file"]);
}

/// `setsid --ctty` makes the other side our command's controlling terminal, as a shell's is.
fn foreground(test: &Test, args: &[&str]) -> (Running, Terminal) {
    let bundle = test.bundle_with(|config| {
        config["process"]["terminal"] = json!(true);
        config.args(args);
    });
    let (terminal, side) = Terminal::open();
    terminal.resize(101, 33);
    let command = test.runtime_after(&["setsid", "--ctty", "--wait"]);
    let command = command
        .args(["run", "--bundle"])
        .arg(bundle.path())
        .arg(test.id("a"));
    (command.spawn_on(&side), terminal)
}

fn a_foreground_run_uses_our_terminal(test: &Test) {
    // runc sets the size at some moment after the start; ours before the program's first call.
    let patience = match test.kind() {
        Kind::Runc => "until stty size 2>/dev/null | grep -q 101; do sleep 0.02; done; ",
        _ => "",
    };
    let script = format!("{patience}stty size; echo ready; read x; echo got $x; exit 6");
    let (running, mut terminal) = foreground(test, &["sh", "-c", &script]);
    terminal.expect("33 101");
    terminal.expect("ready");
    terminal.write("word\n");
    terminal.expect("got word");
    running.wait().code_is(6);
}

fn a_foreground_run_passes_interrupt_and_size(test: &Test) {
    let script = "trap 'echo INT' INT; trap 'stty size' WINCH; echo ready; \
                  while :; do sleep 0.02; done";
    let (running, mut terminal) = foreground(test, &["sh", "-c", script]);
    terminal.expect("ready");
    // The interrupt character goes through to the container's terminal.
    terminal.write("\u{3}");
    terminal.expect("INT");
    terminal.resize(70, 20);
    terminal.expect("20 70");
    test.container("a").kill("KILL").ok();
    running.wait().code_is(137);
}

fn a_foreground_run_restores_our_terminal(test: &Test) {
    let bundle = test.bundle_with(|config| {
        config["process"]["terminal"] = json!(true);
        config.args(&["sh", "-c", "stty raw -echo; exit 0"]);
    });
    let (terminal, side) = Terminal::open();
    let before = rustix::termios::tcgetattr(&side).expect("attributes");
    let command = test.runtime_after(&["setsid", "--ctty", "--wait"]);
    let command = command
        .args(["run", "--bundle"])
        .arg(bundle.path())
        .arg(test.id("a"));
    command.spawn_on(&side).wait().ok();
    let after = rustix::termios::tcgetattr(&side).expect("attributes");
    assert_eq!(before.local_modes, after.local_modes);
    assert_eq!(before.output_modes, after.output_modes);
    drop(terminal);
}

fn exec_with_a_terminal(test: &Test) {
    let container = test.sleeper("a");
    let socket = socket(test);
    let options = [
        "--tty",
        "--detach",
        "--console-socket",
        socket.path().to_str().expect("a path"),
    ];
    let running = container.exec_command(&options, &["probe"]).spawn();
    let report = report(&mut socket.terminal());
    running.wait().ok();
    assert_eq!(report["tty"]["is"], json!([true, true, true]));
    assert_eq!(report["tty"]["controlling"], true);
}

fn exec_in_the_foreground_with_a_terminal(test: &Test) {
    let container = test.sleeper("a");
    let (mut terminal, side) = Terminal::open();
    let command = test.runtime_after(&["setsid", "--ctty", "--wait"]);
    let command = command.args(["exec", "--tty", container.id()]);
    let running = command.args(["sh", "-c", "tty; exit 8"]).spawn_on(&side);
    terminal.expect("/dev/pts/");
    running.wait().code_is(8);
}

for_each_runtime!(
    a_console_socket_gets_the_terminal,
    a_terminal_talks_and_resizes,
    hanging_up_ends_the_session,
    refuses_a_terminal_without_a_socket,
    refuses_a_socket_that_is_not_there,
    exec_with_a_terminal,
    exec_in_the_foreground_with_a_terminal,
);

// crun 1.8 gives the container's terminal no size, and under load does not always restore ours.
for_runtimes!([Dhow, Runc];
    a_foreground_run_restores_our_terminal,
    a_foreground_run_uses_our_terminal,
    a_foreground_run_passes_interrupt_and_size,
);

// The rivals cut the path off or say "invalid argument".
for_runtimes!([Dhow]; a_console_socket_path_too_long_is_named);

fn a_console_socket_path_too_long_is_named(test: &Test) {
    let bundle = test.bundle_with(|config| config["process"]["terminal"] = json!(true));
    let path = format!("/tmp/{}", "x".repeat(200));
    let command = test
        .runtime()
        .args(["create", "--console-socket", &path, "--bundle"]);
    command
        .arg(bundle.path())
        .arg(test.id("a"))
        .run()
        .fails("xxx");
}

//! `dhow run -t` and `exec -t` under a real terminal.

use dhow_tests::{Dhow, Test, console::Terminal, for_runtimes, needs};

fn a_program_on_a_terminal(test: &Test) {
    needs!(test, root, busybox);
    let dhow = Dhow::new(test);
    let (mut terminal, peer) = Terminal::open();
    terminal.resize(91, 33);
    let root = format!("{}:O", dhow.rootfs().display());
    let line = "trap : INT; tty; stty size; read a; stty size; cat; echo code $?; exit 5";
    // A session of its own, so that the kernel tells it of the terminal's size.
    let command = dhow.command_after(&["setsid", "--wait", "--ctty"]);
    let command = command.args(["run", "--rm", "-it", "--rootfs", &root]);
    let running = command.args(["/bin/sh", "-c", line]).spawn_on(&peer);
    drop(peer);
    let seen = terminal.expect("33 91\r\n");
    assert!(
        seen.contains("/dev/pts/0") || seen.contains("/dev/console"),
        "{seen:?}"
    );
    terminal.resize(70, 20);
    terminal.write("\n");
    terminal.expect("20 70\r\n");
    terminal.write("typed\n");
    terminal.expect("typed\r\ntyped\r\n");
    // The terminal makes a signal of this, for the program in its foreground and not for dhow.
    terminal.write("\u{3}");
    terminal.expect("code 130\r\n");
    running.wait().code_is(5);
    dhow.assert_nothing_left();
}

fn exec_on_a_terminal(test: &Test) {
    needs!(test, root, busybox);
    let dhow = Dhow::new(test);
    dhow.sleeper("one", &[]);
    let (mut terminal, peer) = Terminal::open();
    let running = dhow
        .words(&["exec", "-it", "one", "/bin/sh"])
        .spawn_on(&peer);
    drop(peer);
    terminal.expect("# ");
    terminal.write("test -t 0 && echo is-$((40 + 2)); exit 6\n");
    terminal.expect("is-42");
    running.wait().code_is(6);
}

/// The keys that leave a terminal end the command, and the container goes on.
fn leaving_by_keys(test: &Test) {
    needs!(test, root, busybox);
    let dhow = Dhow::new(test);
    let (mut terminal, peer) = Terminal::open();
    let running = dhow
        .run(&["-it", "--name", "one"], &["/bin/sh"])
        .spawn_on(&peer);
    drop(peer);
    terminal.expect("# ");
    terminal.write("\u{10}\u{11}");
    running.wait().ok();
    assert_eq!(dhow.state("one"), "running");
    dhow.words(&["rm", "-f", "one"]).run().ok();
    dhow.assert_nothing_left();
}

fn needs_one_to_begin_with(test: &Test) {
    needs!(test, root, busybox);
    let dhow = Dhow::new(test);
    let output = dhow.run(&["--rm", "-it"], &["/bin/true"]).stdin(b"").run();
    output.code_is(125).fails("terminal");
    dhow.assert_nothing_left();
}

for_runtimes!([Dhow];
    a_program_on_a_terminal,
    exec_on_a_terminal,
    leaving_by_keys,
    needs_one_to_begin_with,
);

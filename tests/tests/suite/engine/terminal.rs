//! `dhow run -t` and `exec -t` under a real terminal.

use dhow_tests::{Dhow, Test, console::Terminal, for_runtimes, needs};

fn a_shell_on_a_terminal(test: &Test) {
    needs!(test, root, busybox);
    let dhow = Dhow::new(test);
    let (mut terminal, peer) = Terminal::open();
    terminal.resize(91, 33);
    let running = dhow.run(&["--rm", "-it"], &["/bin/sh"]).spawn_on(&peer);
    drop(peer);
    terminal.expect("# ");
    terminal.write("tty; stty size\n");
    terminal.expect("33 91");
    terminal.resize(70, 20);
    terminal.write("sleep 0.2; stty size\n");
    terminal.expect("20 70");
    // The terminal turns this into a signal for the program in its foreground, not for dhow.
    terminal.write("cat\n");
    terminal.write("echoed\n");
    terminal.expect("echoed\r\nechoed");
    terminal.write("\u{3}");
    terminal.write("echo code $?\n");
    terminal.expect("code 130");
    terminal.write("exit 5\n");
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
    a_shell_on_a_terminal,
    exec_on_a_terminal,
    leaving_by_keys,
    needs_one_to_begin_with,
);

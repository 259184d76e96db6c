//! `dhow run` in the foreground: exit codes, streams, signals, roots, explanations.

use dhow_tests::{Dhow, Test, for_runtimes, needs, processes};
use rustix::process::Signal;
use std::fs;
use std::time::Duration;

fn hello_tells_what_isolates_it(test: &Test) {
    needs!(test, root);
    let dhow = Dhow::new(test);
    let output = dhow.words(&["run", "--rm", "hello"]).run().ok();
    for word in ["Hello", "number 1", "seccomp", "overlay", "loopback"] {
        assert!(output.stdout().contains(word), "{word}: {output}");
    }
    assert_eq!(output.stderr(), "");
    dhow.assert_nothing_left();
}

fn returns_the_command_s_exit_code(test: &Test) {
    needs!(test, root, busybox);
    let dhow = Dhow::new(test);
    for code in [0, 1, 42, 255] {
        dhow.shell(&[], &format!("exit {code}")).run().code_is(code);
    }
    // The first process of a namespace is deaf to its own SIGKILL.
    dhow.shell(&[], "kill -KILL $$; exit 4").run().code_is(4);
    dhow.shell(&["--init"], "kill -KILL $$").run().code_is(137);
    dhow.assert_nothing_left();
}

fn own_failures_have_codes_of_their_own(test: &Test) {
    needs!(test, root, busybox);
    let dhow = Dhow::new(test);
    let missing = dhow.run(&["--rm"], &["/bin/nothing"]).run().code_is(127);
    assert!(missing.stderr().contains("/bin/nothing"), "{missing}");
    let directory = dhow.run(&["--rm"], &["/etc"]).run().code_is(126);
    assert!(directory.stderr().contains("/etc"), "{directory}");
    let option = dhow.run(&["--no-such-option"], &["/bin/true"]).run();
    option.code_is(125).fails("--no-such-option");
    let image = dhow.run_image(&["--rm"], "no/such:image", &[]).run();
    image.code_is(125).fails("no/such:image");
    dhow.assert_nothing_left();
}

fn connects_the_standard_streams(test: &Test) {
    needs!(test, root, busybox);
    let dhow = Dhow::new(test);
    let line = "read a; echo out $a; echo err $a >&2";
    let output = dhow.shell(&["-i"], line).stdin(b"word\n").run().ok();
    assert_eq!(output.stdout(), "out word\n");
    assert_eq!(output.stderr(), "err word\n");
    // Without -i there is nothing to read.
    let output = dhow.shell(&[], "cat; echo end").stdin(b"word\n").run().ok();
    assert_eq!(output.stdout(), "end\n");
}

fn passes_much_data_unchanged(test: &Test) {
    needs!(test, root, busybox);
    let dhow = Dhow::new(test);
    let bytes: Vec<u8> = (0..1_000_000_u32)
        .map(|n| b'a' + u8::try_from(n % 25).unwrap_or(0))
        .collect();
    let output = dhow.shell(&["-i"], "cat").stdin(&bytes).run().ok();
    assert!(output.stdout().as_bytes() == bytes, "the data changed");
}

fn forwards_signals(test: &Test) {
    needs!(test, root, busybox);
    let dhow = Dhow::new(test);
    let line = "trap 'echo USR1' USR1; trap 'echo TERM; exit 9' TERM; echo ready; \
                while :; do sleep 0.02; done";
    let running = dhow.shell(&[], line).spawn();
    for (signal, word) in [(Signal::USR1, "ready"), (Signal::TERM, "USR1")] {
        let came =
            processes::eventually(Duration::from_secs(5), || running.stdout().contains(word));
        assert!(came, "{word} did not come: {:?}", running.stdout());
        running.signal(signal);
    }
    assert!(running.wait().code_is(9).stdout().contains("TERM"));
    dhow.assert_nothing_left();
}

fn refuses_a_taken_name(test: &Test) {
    needs!(test, root, busybox);
    let dhow = Dhow::new(test);
    dhow.sleeper("one", &[]);
    let before = dhow.left();
    let again = dhow.run(&["--name", "one"], &["/bin/true"]).run();
    again.code_is(125).fails("one");
    assert_eq!(dhow.left(), before);
    assert_eq!(dhow.state("one"), "running");
}

fn a_root_is_changed_for_real_and_a_view_is_not(test: &Test) {
    needs!(test, root, busybox);
    let dhow = Dhow::new(test);
    let file = dhow.rootfs().join("var/new");
    dhow.shell(&[], "echo x >/var/new; cat /var/new").run().ok();
    assert!(!file.exists(), "the view is thrown away");
    let root = dhow.rootfs().display().to_string();
    let line = "echo x >/var/new";
    let words = ["run", "--rm", "--rootfs", &root, "/bin/sh", "-c", line];
    dhow.words(&words).run().ok();
    assert_eq!(fs::read_to_string(file).expect("the file"), "x\n");
    dhow.assert_nothing_left();
}

fn the_host_s_root_as_a_throw_away_view(test: &Test) {
    needs!(test, root);
    let dhow = Dhow::new(test);
    let file = format!("/etc/{}", test.mark());
    let line = format!("echo x >{file} && cat {file} && test $$ = 1");
    let words = ["run", "--rm", "--rootfs", "/:O", "sh", "-c", &line];
    assert_eq!(dhow.words(&words).run().ok().stdout(), "x\n");
    assert!(!std::path::Path::new(&file).exists());
    let words = ["run", "--rm", "--rootfs", "/:O", "true"];
    dhow.words(&words).run().ok();
    dhow.assert_nothing_left();
}

fn a_root_must_be_a_directory(test: &Test) {
    needs!(test, root, busybox);
    let dhow = Dhow::new(test);
    let (file, link) = (test.root().join("file"), test.root().join("link"));
    fs::write(&file, "").expect("write");
    std::os::unix::fs::symlink(dhow.rootfs(), &link).expect("link");
    let missing = test.root().join("missing");
    for path in [&file, &link, &missing] {
        for suffix in ["", ":O"] {
            let root = format!("{}{suffix}", path.display());
            let words = ["run", "--rm", "--rootfs", &root, "/bin/true"];
            let output = dhow.words(&words).run().code_is(125);
            assert!(
                output.stderr().contains(&path.display().to_string()),
                "{output}"
            );
        }
    }
    dhow.assert_nothing_left();
}

fn explains_each_step_on_standard_error(test: &Test) {
    needs!(test, root, busybox);
    let dhow = Dhow::new(test);
    let output = dhow
        .shell(&["--explain", "--memory", "64m"], "echo out")
        .run()
        .ok();
    assert_eq!(output.stdout(), "out\n");
    for word in [
        "namespace",
        "mount",
        "cgroup",
        "capabilit",
        "seccomp",
        "memory",
    ] {
        assert!(output.stderr().contains(word), "{word}: {output}");
    }
    let output = dhow
        .shell(&["--dry-run", "--explain=json"], "echo out")
        .run();
    let plan = output.ok().json();
    assert!(
        plan["steps"].as_array().expect("steps").len() > 10,
        "{plan}"
    );
    dhow.assert_nothing_left();
}

/// The command dies, the container does not, and `rm --force` still removes it.
fn a_killed_command_leaves_a_container_that_can_be_removed(test: &Test) {
    needs!(test, root, busybox);
    let dhow = Dhow::new(test);
    let line = "echo ready; while :; do sleep 0.05; done";
    let running = dhow.shell(&["--name", "left"], line).spawn();
    let came = || running.stdout() == "ready\n";
    assert!(processes::eventually(Duration::from_secs(5), came));
    running.signal(Signal::KILL);
    assert_eq!(running.wait().signal, Some(9));
    assert_eq!(dhow.state("left"), "running");
    dhow.words(&["rm", "--force", "left"]).run().ok();
    dhow.assert_nothing_left();
}

for_runtimes!([Dhow];
    hello_tells_what_isolates_it,
    returns_the_command_s_exit_code,
    own_failures_have_codes_of_their_own,
    connects_the_standard_streams,
    passes_much_data_unchanged,
    forwards_signals,
    refuses_a_taken_name,
    a_root_is_changed_for_real_and_a_view_is_not,
    the_host_s_root_as_a_throw_away_view,
    a_root_must_be_a_directory,
    explains_each_step_on_standard_error,
    a_killed_command_leaves_a_container_that_can_be_removed,
);

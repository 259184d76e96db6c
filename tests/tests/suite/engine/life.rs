//! Containers in the background: logs, exec, stop, remove, and the same ones started again.

use dhow_tests::{Dhow, Test, for_runtimes, needs, processes};
use std::time::{Duration, Instant};

const GENTLE: &str = "trap 'echo bye; exit 3' TERM; echo ready; echo oops >&2; \
                      while :; do sleep 0.02; done";

fn wait_for_log(dhow: &Dhow<'_>, name: &str, text: &str) {
    let came = || dhow.words(&["logs", name]).run().stdout() == text;
    assert!(processes::eventually(Duration::from_secs(5), came));
}

fn a_detached_life(test: &Test) {
    needs!(test, root, busybox);
    let dhow = Dhow::new(test);
    let words = ["/bin/sh", "-c", GENTLE];
    let output = dhow.run(&["-d", "--name", "one"], &words).run().ok();
    let id = output.stdout();
    assert_eq!(id.trim_end().len(), 64, "it prints the id: {id:?}");
    wait_for_log(&dhow, "one", "ready\n");
    let logs = dhow.words(&["logs", id[..12].trim()]).run().ok();
    assert_eq!(logs.stderr(), "oops\n");
    assert_eq!(dhow.state("one"), "running");
    dhow.words(&["rm", "one"])
        .run()
        .code_is(125)
        .fails("--force");
    let start = Instant::now();
    dhow.words(&["stop", "one"]).run().ok();
    assert!(start.elapsed() < Duration::from_secs(5), "it heard TERM");
    assert_eq!(dhow.state("one"), "exited");
    assert_eq!(dhow.words(&["wait", "one"]).run().ok().stdout(), "3\n");
    let logs = dhow.words(&["logs", "one"]).run().ok();
    assert_eq!(logs.stdout(), "ready\nbye\n");
    assert_eq!(dhow.words(&["ps", "-q"]).run().ok().stdout(), "");
    dhow.words(&["rm", "one"]).run().ok();
    dhow.words(&["logs", "one"]).run().code_is(125).fails("one");
    dhow.assert_nothing_left();
}

fn stop_kills_the_deaf(test: &Test) {
    needs!(test, root, busybox);
    let dhow = Dhow::new(test);
    dhow.sleeper("deaf", &[]);
    let start = Instant::now();
    dhow.words(&["stop", "--time", "1", "deaf"]).run().ok();
    let elapsed = start.elapsed();
    assert!(elapsed >= Duration::from_secs(1) && elapsed < Duration::from_secs(5));
    assert_eq!(dhow.words(&["wait", "deaf"]).run().ok().stdout(), "137\n");
}

fn kill_sends_one_signal(test: &Test) {
    needs!(test, root, busybox);
    let dhow = Dhow::new(test);
    let line = "trap 'exit 7' USR2; echo ready; while :; do sleep 0.02; done";
    let words = ["/bin/sh", "-c", line];
    dhow.run(&["-d", "--name", "one"], &words).run().ok();
    wait_for_log(&dhow, "one", "ready\n");
    dhow.words(&["kill", "-s", "USR2", "one"]).run().ok();
    assert_eq!(dhow.words(&["wait", "one"]).run().ok().stdout(), "7\n");
    dhow.words(&["kill", "one"]).run().code_is(125).fails("one");
}

fn rm_force_ends_what_runs(test: &Test) {
    needs!(test, root, busybox);
    let dhow = Dhow::new(test);
    dhow.sleeper("one", &[]);
    dhow.sleeper("two", &[]);
    let start = Instant::now();
    dhow.words(&["rm", "-f", "one", "two"]).run().ok();
    assert!(start.elapsed() < Duration::from_secs(3));
    dhow.assert_nothing_left();
}

fn exec_runs_beside_it(test: &Test) {
    needs!(test, root, busybox);
    let dhow = Dhow::new(test);
    dhow.sleeper("host", &[]);
    let exec = |options: &[&str], line: &str| {
        let words = [&["exec"], options, &["host", "/bin/sh", "-c", line]].concat();
        dhow.words(&words)
    };
    for code in [9, 255] {
        exec(&[], &format!("exit {code}")).run().code_is(code);
    }
    let output = exec(&[], "cat /proc/1/comm; echo err >&2").run().ok();
    assert_eq!(
        (output.stdout(), output.stderr()),
        ("sleep\n".into(), "err\n".into())
    );
    let output = exec(&["-e", "A=b c"], "echo $A").run().ok();
    assert_eq!(output.stdout(), "b c\n");
    let output = exec(&["-u", "7:8", "-w", "/tmp"], "id -u; id -g; pwd")
        .run()
        .ok();
    assert_eq!(output.stdout(), "7\n8\n/tmp\n");
    let output = exec(&["-i"], "cat").stdin(b"typed").run().ok();
    assert_eq!(output.stdout(), "typed");
    dhow.words(&["exec", "host", "/bin/nothing"])
        .run()
        .code_is(127);
    dhow.words(&["exec", "host", "/etc"]).run().code_is(126);
    dhow.words(&["exec", "nobody", "/bin/true"])
        .run()
        .code_is(125)
        .fails("nobody");
    dhow.words(&["stop", "-t", "0", "host"]).run().ok();
    dhow.words(&["exec", "host", "/bin/true"])
        .run()
        .code_is(125)
        .fails("host");
}

fn parts_of_a_log(test: &Test) {
    needs!(test, root, busybox);
    let dhow = Dhow::new(test);
    let line = "for i in 1 2 3; do echo line $i; sleep 0.1; done";
    let words = ["/bin/sh", "-c", line];
    dhow.run(&["-d", "--name", "log"], &words).run().ok();
    // Following ends with the container.
    let logs = dhow.words(&["logs", "-f", "log"]).run().ok();
    assert_eq!(logs.stdout(), "line 1\nline 2\nline 3\n");
    let tail = |count: &str| dhow.words(&["logs", "--tail", count, "log"]).run().ok();
    assert_eq!(tail("1").stdout(), "line 3\n");
    assert_eq!(tail("0").stdout(), "");
    assert_eq!(tail("all").stdout().lines().count(), 3);
    let logs = dhow.words(&["logs", "-t", "--tail", "1", "log"]).run().ok();
    let stamped = logs.stdout();
    assert!(
        stamped.starts_with("20") && stamped.ends_with(" line 3\n"),
        "{stamped}"
    );
}

fn started_again_it_keeps_its_files(test: &Test) {
    needs!(test, root, busybox);
    let dhow = Dhow::new(test);
    let line = "echo x >>/count; cat /count";
    let words = ["/bin/sh", "-c", line];
    dhow.run(&["--name", "again"], &words).run().ok();
    dhow.words(&["start", "again"]).run().ok();
    dhow.words(&["wait", "again"]).run().ok();
    let logs = dhow.words(&["logs", "again"]).run().ok();
    assert_eq!(logs.stdout(), "x\nx\nx\n");
}

fn a_detached_container_removes_itself(test: &Test) {
    needs!(test, root, busybox);
    let dhow = Dhow::new(test);
    dhow.run(&["-d", "--rm"], &["/bin/true"]).run().ok();
    dhow.assert_nothing_left();
}

for_runtimes!([Dhow];
    a_detached_life,
    stop_kills_the_deaf,
    kill_sends_one_signal,
    rm_force_ends_what_runs,
    exec_runs_beside_it,
    parts_of_a_log,
    started_again_it_keeps_its_files,
    a_detached_container_removes_itself,
);

//! Options of every verb may stand before and after the container's id.

use dhow_tests::{Container, Test, for_runtimes};
use std::fs;

/// The words in both orders: (options, the rest after the id).
fn both<'a>(
    id: &'a str,
    verb: &'a str,
    options: &[&'a str],
    rest: &[&'a str],
) -> [Vec<&'a str>; 2] {
    let before = [&[verb], options, &[id], rest].concat();
    let after = [&[verb, id], options, rest].concat();
    [before, after]
}

fn of_create_and_run(test: &Test) {
    let bundle = test.bundle_running(&["sleep", "1000"]);
    let path = bundle.path().to_str().expect("a path");
    let file = test.root().join("out/pid");
    let pid_file = file.to_str().expect("a path");
    for verb in ["create", "run"] {
        let mut options = vec!["--bundle", path, "--pid-file", pid_file];
        options.extend((verb == "run").then_some("--detach"));
        let id = test.id(verb);
        for words in both(&id, verb, &options, &[]) {
            test.runtime().args(words).run().ok();
            let pid = fs::read_to_string(&file).expect("the pid file");
            assert_eq!(pid, test.container(verb).pid().to_string());
            test.runtime().args(["delete", "--force", &id]).run().ok();
        }
    }
}

fn of_kill_and_delete(test: &Test) {
    let stopped = |container: &Container<'_>| container.wait_for("stopped");
    for turn in 0..2 {
        let container = test.sleeper("a");
        let words = both(container.id(), "kill", &["--all"], &["KILL"]);
        test.runtime().args(&words[turn]).run().ok();
        stopped(&container);
        let words = both(container.id(), "delete", &["--force"], &[]);
        test.runtime().args(&words[turn]).run().ok();
        let state = container.verb(&["state"]).run();
        state.fails("does not exist");
    }
}

fn of_ps(test: &Test) {
    let container = test.sleeper("a");
    // What follows the id is for ps.
    let words = ["ps", "--format", "json", container.id()];
    let pids = test.runtime().args(words).run().ok().json();
    assert_eq!(pids, serde_json::json!([container.pid()]));
    let words = ["ps", container.id(), "-o", "pid,comm"];
    let table = test.runtime().args(words).run().ok().stdout();
    assert!(table.contains("sleep") && !table.contains("UID"), "{table}");
}

/// The first word that is no option begins the program; its own options are left alone.
fn of_exec(test: &Test) {
    let container = test.sleeper("a");
    let words = ["exec", "--cwd", "/tmp", container.id(), "pwd", "-P"];
    assert_eq!(test.runtime().args(words).run().ok().stdout(), "/tmp\n");
}

for_runtimes!([Dhow, Runc]; of_create_and_run, of_ps, of_exec);

// runc takes no option between the id and the signal.
for_runtimes!([Dhow]; of_kill_and_delete);

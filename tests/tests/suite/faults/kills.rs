//! Killed at any call, one `delete --force` cleans up.

use super::sweep::{Sweep, forget, leftovers};
use super::verbs::{UPDATE, limited, with_id};
use dhow_tests::{Cmd, Test, for_runtimes, needs};

/// In the bounded form one call of so many is the last.
const STRIDE: usize = 9;

fn stride() -> usize {
    match std::env::var_os("DHOW_LONG") {
        Some(_) => 1,
        None => STRIDE,
    }
}

/// A verb that makes a container.
pub(super) fn birth(test: &Test, verb: &str, title: &'static str) {
    let bundle = test.bundle_running(&["true"]);
    let id = test.id("one");
    let finish = |command: Cmd| command.args([verb, "--bundle"]).arg(bundle.path()).arg(&id);
    killed(test, title, || (), finish);
}

/// A verb on a container that `prepare` makes anew each time.
fn on_container(test: &Test, words: &[&str], title: &'static str, prepare: impl Fn()) {
    let id = test.id("one");
    killed(test, title, prepare, |command| {
        command.args(with_id(words, &id))
    });
}

/// A verb on a container that sleeps.
pub(super) fn on_sleeper(test: &Test, words: &[&str], title: &'static str) {
    let bundle = test.bundle_running(&["sleep", "1000"]);
    on_container(test, words, title, || test.create(&bundle, "one").start());
}

fn killed(test: &Test, title: &'static str, prepare: impl Fn(), finish: impl Fn(Cmd) -> Cmd) {
    let mut sweep = Sweep::new(test, title);
    let id = test.id("one");
    prepare();
    let points = sweep.points(&finish);
    forget(test, &id);
    for point in points.iter().step_by(stride()) {
        prepare();
        let words = ["kill", &point.process, &point.index];
        let output = finish(sweep.injected(&words)).run();
        forget(test, &id);
        let left = leftovers(test);
        if left.is_empty() {
            sweep.passed();
        } else {
            sweep.complain(point, "SIGKILL", &format!("left {left:?}"), &output);
        }
    }
    sweep.conclude();
}

fn create(test: &Test) {
    needs!(test, root, native);
    birth(test, "create", "create, killed");
}

fn delete(test: &Test) {
    needs!(test, root, native);
    let words = ["delete", "--force", "ID"];
    on_sleeper(test, &words, "delete --force, killed");
}

fn exec(test: &Test) {
    needs!(test, root, native);
    on_sleeper(test, &["exec", "ID", "true"], "exec, killed");
}

fn kill(test: &Test) {
    needs!(test, root, native);
    on_sleeper(test, &["kill", "ID", "KILL"], "kill, killed");
}

fn pause(test: &Test) {
    needs!(test, root, native);
    on_sleeper(test, &["pause", "ID"], "pause, killed");
}

fn run(test: &Test) {
    needs!(test, root, native);
    birth(test, "run", "run, killed");
}

fn start(test: &Test) {
    needs!(test, root, native);
    let bundle = test.bundle_running(&["sleep", "1000"]);
    let prepare = || drop(test.create(&bundle, "one"));
    on_container(test, &["start", "ID"], "start, killed", prepare);
}

fn update(test: &Test) {
    needs!(test, root, native, cgroup1);
    on_container(test, &UPDATE, "update, killed", limited(test));
}

for_runtimes!([Dhow]; create, delete, exec, kill, pause, run, start, update);

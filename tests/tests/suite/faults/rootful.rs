//! Every call of every verb answers with an error, as root.

use super::sweep::Sweep;
use super::verbs;
use dhow_tests::{Test, for_runtimes, needs};

fn create(test: &Test) {
    needs!(test, root, native);
    verbs::create(Sweep::new(test, "create"));
}

fn delete(test: &Test) {
    needs!(test, root, native);
    verbs::delete(Sweep::new(test, "delete --force"));
}

fn events(test: &Test) {
    needs!(test, root, native);
    verbs::events(Sweep::new(test, "events --stats"));
}

fn exec(test: &Test) {
    needs!(test, root, native);
    verbs::exec(Sweep::new(test, "exec"));
}

fn kill(test: &Test) {
    needs!(test, root, native);
    verbs::kill(Sweep::new(test, "kill"));
}

fn list(test: &Test) {
    needs!(test, root, native);
    verbs::list(Sweep::new(test, "list"));
}

fn pause(test: &Test) {
    needs!(test, root, native);
    verbs::pause(Sweep::new(test, "pause"));
}

fn resume(test: &Test) {
    needs!(test, root, native);
    verbs::resume(Sweep::new(test, "resume"));
}

fn run(test: &Test) {
    needs!(test, root, native);
    verbs::run(Sweep::new(test, "run"));
}

fn run_with_hooks(test: &Test) {
    needs!(test, root, native);
    verbs::run_with_hooks(Sweep::new(test, "run, with hooks"));
}

fn start(test: &Test) {
    needs!(test, root, native);
    verbs::start(Sweep::new(test, "start"));
}

fn state(test: &Test) {
    needs!(test, root, native);
    verbs::state(Sweep::new(test, "state"));
}

fn update(test: &Test) {
    needs!(test, root, native, cgroup1);
    verbs::update(Sweep::new(test, "update"));
}

for_runtimes!([Dhow];
    create, delete, events, exec, kill, list, pause, resume, run, run_with_hooks, start, state, update,
);

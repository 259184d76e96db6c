//! Every read and every write that may be short is, once: it moves one byte.

use super::sweep::Sweep;
use super::verbs;
use dhow_tests::{Test, for_runtimes, needs};

fn create(test: &Test) {
    needs!(test, root, native);
    verbs::create(Sweep::short(test, "create, one byte"));
}

fn exec(test: &Test) {
    needs!(test, root, native);
    verbs::exec(Sweep::short(test, "exec, one byte"));
}

fn list(test: &Test) {
    needs!(test, root, native);
    verbs::list(Sweep::short(test, "list, one byte"));
}

fn run(test: &Test) {
    needs!(test, root, native);
    verbs::run(Sweep::short(test, "run, one byte"));
}

fn run_rootless(test: &Test) {
    needs!(test, root, native, subid_tools);
    test.become_user();
    verbs::run(Sweep::short(test, "run, rootless, one byte"));
}

fn run_with_hooks(test: &Test) {
    needs!(test, root, native);
    verbs::run_with_hooks(Sweep::short(test, "run, with hooks, one byte"));
}

fn state(test: &Test) {
    needs!(test, root, native);
    verbs::state(Sweep::short(test, "state, one byte"));
}

fn update(test: &Test) {
    needs!(test, root, native, cgroup1);
    verbs::update(Sweep::short(test, "update, one byte"));
}

for_runtimes!([Dhow]; create, exec, list, run, run_rootless, run_with_hooks, state, update);

//! The same for an ordinary user with a range of subordinate ids. Without a cgroup of its own: what needs one
//! is refused before its first call.

use super::sweep::Sweep;
use super::{kills, verbs};
use dhow_tests::{Test, for_runtimes, needs};

fn create(test: &Test) {
    needs!(test, root, native, subid_tools);
    test.become_user();
    verbs::create(Sweep::new(test, "create, rootless"));
}

fn delete(test: &Test) {
    needs!(test, root, native, subid_tools);
    test.become_user();
    verbs::delete(Sweep::new(test, "delete --force, rootless"));
}

fn exec(test: &Test) {
    needs!(test, root, native, subid_tools);
    test.become_user();
    verbs::exec(Sweep::new(test, "exec, rootless"));
}

fn exec_killed(test: &Test) {
    needs!(test, root, native, subid_tools);
    test.become_user();
    let words = ["exec", "ID", "true"];
    kills::on_sleeper(test, &words, "exec, rootless, killed");
}

fn kill(test: &Test) {
    needs!(test, root, native, subid_tools);
    test.become_user();
    verbs::kill(Sweep::new(test, "kill, rootless"));
}

fn run(test: &Test) {
    needs!(test, root, native, subid_tools);
    test.become_user();
    verbs::run(Sweep::new(test, "run, rootless"));
}

fn run_killed(test: &Test) {
    needs!(test, root, native, subid_tools);
    test.become_user();
    kills::birth(test, "run", "run, rootless, killed");
}

fn start(test: &Test) {
    needs!(test, root, native, subid_tools);
    test.become_user();
    verbs::start(Sweep::new(test, "start, rootless"));
}

fn state(test: &Test) {
    needs!(test, root, native, subid_tools);
    test.become_user();
    verbs::state(Sweep::new(test, "state, rootless"));
}

for_runtimes!([Dhow]; create, delete, exec, exec_killed, kill, run, run_killed, start, state);

//! The same for an ordinary user with a range of subordinate ids.

use super::verbs::sweep_run;
use dhow_tests::{Test, for_runtimes, needs};

fn run(test: &Test) {
    needs!(test, root, native, subid_tools);
    test.become_user();
    let bundle = test.bundle_running(&["/bin/probe"]);
    sweep_run(test, &bundle, "run, rootless");
}

for_runtimes!([Dhow]; run);

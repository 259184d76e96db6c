//! Killed at any call, one `delete --force` cleans up.

use super::sweep::{Sweep, leftovers};
use dhow_tests::{Cmd, Test, for_runtimes, needs};

/// In the bounded form one call of so many is the last.
const STRIDE: usize = 9;

fn sweep(test: &Test, verb: &'static str) {
    let bundle = test.bundle_running(&["true"]);
    let title = match verb {
        "run" => "run, killed",
        _ => "create, killed",
    };
    let mut sweep = Sweep::new(test, title);
    let id = test.id("kill");
    let finish = |command: Cmd| command.args([verb, "--bundle"]).arg(bundle.path()).arg(&id);
    let delete = || test.runtime().args(["delete", "--force", &id]).run().ok();
    let points = sweep.points(finish);
    delete();
    let stride = match std::env::var_os("DHOW_LONG") {
        Some(_) => 1,
        None => STRIDE,
    };
    for point in points.iter().step_by(stride) {
        let words = ["kill", &point.process, &point.index];
        let output = finish(sweep.injected(&words)).run();
        delete();
        let left = leftovers(test);
        if left.is_empty() {
            sweep.passed();
        } else {
            sweep.complain(point, "SIGKILL", &format!("left {left:?}"), &output);
        }
    }
    sweep.conclude();
}

fn run(test: &Test) {
    needs!(test, root, native);
    sweep(test, "run");
}

fn create(test: &Test) {
    needs!(test, root, native);
    sweep(test, "create");
}

for_runtimes!([Dhow]; create, run);

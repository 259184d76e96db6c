//! The verbs, rootful.

use super::sweep::{Sweep, leftovers};
use super::verdict;
use dhow_tests::{Bundle, Cmd, Output, Test, for_runtimes, needs};
use serde_json::Value;

/// What the probe reports without a fault, and where two such reports differ.
pub(super) fn baseline(ask: impl Fn() -> Value) -> (Value, Vec<String>) {
    let without = ask();
    let mut natural = Vec::new();
    for _ in 0..3 {
        verdict::differences(&ask(), &without, "", &mut natural);
    }
    (without, natural)
}

/// `run` of the probe; also what the other sweeps use as the measure of a whole container.
pub(super) fn sweep_run(test: &Test, bundle: &Bundle, verb: &'static str) {
    let mut sweep = Sweep::new(test, verb);
    let id = test.id("run");
    let finish = |command: Cmd| {
        command
            .args(["run", "--bundle"])
            .arg(bundle.path())
            .arg(&id)
    };
    let (without, natural) = baseline(|| finish(test.runtime()).run().ok().json());
    for visit in Sweep::visits(&sweep.points(finish)) {
        let whole = |output: &Output| verdict::changes(&output.json(), &without, &natural);
        sweep.visit(&visit, finish, whole, || leftovers(test));
        forget(test, &id);
    }
    sweep.conclude();
}

fn forget(test: &Test, id: &str) {
    test.runtime().args(["delete", "--force", id]).run().ok();
}

fn run(test: &Test) {
    needs!(test, root, native);
    sweep_run(test, &test.bundle_running(&["/bin/probe"]), "run");
}

fn create(test: &Test) {
    needs!(test, root, native);
    let bundle = test.bundle_running(&["/bin/probe"]);
    let mut sweep = Sweep::new(test, "create");
    let container = test.container("create");
    let id = container.id().to_owned();
    let finish = |command: Cmd| {
        command
            .args(["create", "--bundle"])
            .arg(bundle.path())
            .arg(&id)
    };
    let points = sweep.points(finish);
    forget(test, &id);
    for visit in Sweep::visits(&points) {
        let is_created = std::cell::Cell::new(false);
        let whole = |_: &Output| {
            is_created.set(true);
            match container.status().as_str() {
                "created" => Ok(()),
                other => Err(format!("the container is {other}")),
            }
        };
        let left = || match is_created.get() {
            true => Vec::new(),
            false => leftovers(test),
        };
        sweep.visit(&visit, finish, whole, left);
        forget(test, &id);
    }
    sweep.conclude();
}

/// A verb on a container that `prepare` has made anew for each fault.
pub(super) fn sweep_verb(
    test: &Test,
    verb: &'static str,
    words: &[&str],
    prepare: impl Fn(),
    whole: impl Fn(&Output) -> Result<(), String>,
) {
    sweep_change(test, verb, words, prepare, whole, Vec::new);
}

/// The same for a verb that must not do half of its work: `half` says what it has, whatever it said.
pub(super) fn sweep_change(
    test: &Test,
    verb: &'static str,
    words: &[&str],
    prepare: impl Fn(),
    whole: impl Fn(&Output) -> Result<(), String>,
    half: impl Fn() -> Vec<String>,
) {
    let mut sweep = Sweep::new(test, verb);
    let id = test.id("one");
    let finish = |command: Cmd| {
        let (verb, rest) = words.split_first().expect("a verb");
        let words = rest
            .iter()
            .map(|word| if *word == "ID" { &id } else { *word });
        command.arg(verb).args(words)
    };
    prepare();
    let points = sweep.points(finish);
    forget(test, &id);
    for visit in Sweep::visits(&points) {
        prepare();
        sweep.visit(&visit, finish, &whole, &half);
        forget(test, &id);
        let left = leftovers(test);
        assert!(left.is_empty(), "after {visit:?} one delete left {left:?}");
    }
    sweep.conclude();
}

fn start(test: &Test) {
    needs!(test, root, native);
    let bundle = test.bundle_running(&["sleep", "1000"]);
    let container = test.container("one");
    let whole = |_: &Output| match container.status().as_str() {
        "running" => Ok(()),
        other => Err(format!("the container is {other}")),
    };
    let prepare = || drop(test.create(&bundle, "one"));
    sweep_verb(test, "start", &["start", "ID"], prepare, whole);
}

fn exec(test: &Test) {
    needs!(test, root, native);
    let container = test.container("one");
    let prepare = || drop(test.sleeper("one"));
    prepare();
    let (without, mut natural) = baseline(|| container.exec(&["/bin/probe"]).ok().json());
    forget(test, container.id());
    // Those of a new container each time; `run` compares them.
    natural.extend(["/namespaces".into(), "/mounts".into()]);
    let whole = |output: &Output| verdict::changes(&output.json(), &without, &natural);
    sweep_verb(test, "exec", &["exec", "ID", "/bin/probe"], prepare, whole);
}

fn kill(test: &Test) {
    needs!(test, root, native);
    let container = test.container("one");
    let whole = |_: &Output| {
        container.wait_for("stopped");
        Ok(())
    };
    let prepare = || drop(test.sleeper("one"));
    sweep_verb(test, "kill", &["kill", "ID", "KILL"], prepare, whole);
}

fn delete(test: &Test) {
    needs!(test, root, native);
    let whole = |_: &Output| match leftovers(test) {
        left if left.is_empty() => Ok(()),
        left => Err(format!("left {left:?}")),
    };
    let prepare = || drop(test.sleeper("one"));
    let words = ["delete", "--force", "ID"];
    sweep_verb(test, "delete --force", &words, prepare, whole);
}

fn state(test: &Test) {
    needs!(test, root, native);
    let whole = |output: &Output| match output.json()["status"].as_str() {
        Some("running") => Ok(()),
        other => Err(format!("the status is {other:?}")),
    };
    let prepare = || drop(test.sleeper("one"));
    sweep_verb(test, "state", &["state", "ID"], prepare, whole);
}

for_runtimes!([Dhow]; create, delete, exec, kill, run, start, state);

//! The verbs, whoever calls them and whatever kind of fault they meet.

use super::sweep::{Sweep, forget, leftovers};
use dhow_tests::{Baseline, Bundle, Cmd, Output, Test};
use serde_json::json;
use std::cell::Cell;

/// `run` of the probe.
pub(super) fn run(sweep: Sweep<'_>) {
    let bundle = sweep.test.bundle_running(&["/bin/probe"]);
    run_of(sweep, &bundle);
}

/// `run` of the probe with a hook of each kind.
pub(super) fn run_with_hooks(sweep: Sweep<'_>) {
    let bundle = sweep.test.bundle_running(&["/bin/probe"]);
    bundle.edit(|config| {
        for kind in [
            "createRuntime",
            "createContainer",
            "startContainer",
            "poststart",
            "poststop",
        ] {
            let path = match kind {
                "startContainer" => "/bin/true",
                _ => "/usr/bin/true",
            };
            config.add_hook(kind, json!({"path": path, "timeout": 10}));
        }
    });
    run_of(sweep, &bundle);
}

fn run_of(mut sweep: Sweep<'_>, bundle: &Bundle) {
    let test = sweep.test;
    let id = test.id("run");
    let finish = |command: Cmd| {
        command
            .args(["run", "--bundle"])
            .arg(bundle.path())
            .arg(&id)
    };
    let without = Baseline::new(|| finish(test.runtime()).run().ok().json());
    for visit in sweep.visits(&sweep.points(finish)) {
        let whole = |output: &Output| without.is_met_by(&output.json());
        sweep.visit(&visit, finish, whole, || leftovers(test));
        forget(test, &id);
    }
    sweep.conclude();
}

pub(super) fn create(mut sweep: Sweep<'_>) {
    let test = sweep.test;
    let bundle = test.bundle_running(&["/bin/probe"]);
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
    for visit in sweep.visits(&points) {
        let is_created = Cell::new(false);
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
pub(super) fn on_container(
    sweep: Sweep<'_>,
    words: &[&str],
    prepare: impl Fn(),
    whole: impl Fn(&Output) -> Result<(), String>,
) {
    change(sweep, words, prepare, whole, Vec::new);
}

/// The same for a verb that must not do half of its work: `half` says what it has, whatever it said.
pub(super) fn change(
    mut sweep: Sweep<'_>,
    words: &[&str],
    prepare: impl Fn(),
    whole: impl Fn(&Output) -> Result<(), String>,
    half: impl Fn() -> Vec<String>,
) {
    let test = sweep.test;
    let id = test.id("one");
    let finish = |command: Cmd| command.args(with_id(words, &id));
    prepare();
    let points = sweep.points(finish);
    forget(test, &id);
    for visit in sweep.visits(&points) {
        prepare();
        sweep.visit(&visit, finish, &whole, &half);
        forget(test, &id);
        let left = leftovers(test);
        assert!(left.is_empty(), "after {visit:?} one delete left {left:?}");
    }
    sweep.conclude();
}

/// The words of a verb, with this id in the place of `ID`.
pub(super) fn with_id<'w>(words: &[&'w str], id: &'w str) -> Vec<&'w str> {
    let word = |word: &&'w str| if *word == "ID" { id } else { *word };
    words.iter().map(word).collect()
}

pub(super) fn start(sweep: Sweep<'_>) {
    let test = sweep.test;
    let bundle = test.bundle_running(&["sleep", "1000"]);
    let prepare = || drop(test.create(&bundle, "one"));
    on_container(sweep, &["start", "ID"], prepare, |_| is(test, "running"));
}

pub(super) fn exec(sweep: Sweep<'_>) {
    let test = sweep.test;
    let bundle = test.bundle_running(&["sleep", "1000"]);
    let container = test.container("one");
    let prepare = || test.create(&bundle, "one").start();
    prepare();
    let mut without = Baseline::new(|| container.exec(&["/bin/probe"]).ok().json());
    forget(test, container.id());
    // Those of a new container each time; `run` compares them.
    without.except(&["/namespaces", "/mounts"]);
    let whole = |output: &Output| without.is_met_by(&output.json());
    on_container(sweep, &["exec", "ID", "/bin/probe"], prepare, whole);
}

/// What is missing of the container that shall have this status.
pub(super) fn is(test: &Test, status: &str) -> Result<(), String> {
    match test.container("one").status() {
        found if found == status => Ok(()),
        found => Err(format!("the container is {found}")),
    }
}

/// A verb on a container that sleeps.
pub(super) fn on_sleeper(
    sweep: Sweep<'_>,
    words: &[&str],
    whole: impl Fn(&Output) -> Result<(), String>,
) {
    let test = sweep.test;
    let bundle = test.bundle_running(&["sleep", "1000"]);
    let prepare = || test.create(&bundle, "one").start();
    on_container(sweep, words, prepare, whole);
}

pub(super) fn kill(sweep: Sweep<'_>) {
    let test = sweep.test;
    let whole = |_: &Output| {
        test.container("one").wait_for("stopped");
        Ok(())
    };
    on_sleeper(sweep, &["kill", "ID", "KILL"], whole);
}

pub(super) fn delete(sweep: Sweep<'_>) {
    let test = sweep.test;
    let whole = |_: &Output| match leftovers(test) {
        left if left.is_empty() => Ok(()),
        left => Err(format!("left {left:?}")),
    };
    on_sleeper(sweep, &["delete", "--force", "ID"], whole);
}

pub(super) fn state(sweep: Sweep<'_>) {
    let whole = |output: &Output| match output.json()["status"].as_str() {
        Some("running") => Ok(()),
        other => Err(format!("the status is {other:?}")),
    };
    on_sleeper(sweep, &["state", "ID"], whole);
}

/// All of them, or an error: one that is left out is a lie.
pub(super) fn list(sweep: Sweep<'_>) {
    let id = sweep.test.id("one");
    let whole = |output: &Output| {
        let listed = output.json();
        match listed.as_array().map(Vec::as_slice) {
            Some([one]) if one["id"] == id && one["status"] == "running" => Ok(()),
            _ => Err(format!("it lists {listed}")),
        }
    };
    on_sleeper(sweep, &["list", "--format", "json"], whole);
}

pub(super) fn pause(sweep: Sweep<'_>) {
    let test = sweep.test;
    on_sleeper(sweep, &["pause", "ID"], |_| is(test, "paused"));
}

pub(super) fn resume(sweep: Sweep<'_>) {
    let test = sweep.test;
    let bundle = test.bundle_running(&["sleep", "1000"]);
    let prepare = || {
        let container = test.create(&bundle, "one");
        container.start();
        container.verb(&["pause"]).run().ok();
    };
    on_container(sweep, &["resume", "ID"], prepare, |_| is(test, "running"));
}

pub(super) fn events(sweep: Sweep<'_>) {
    let whole = |output: &Output| match output.json()["data"]["pids"]["current"].as_u64() {
        Some(1) => Ok(()),
        found => Err(format!("it counts {found:?} processes")),
    };
    on_sleeper(sweep, &["events", "--stats", "ID"], whole);
}

const MIB: u64 = 1 << 20;

/// A container with limits that `update` changes.
pub(super) const UPDATE: [&str; 6] = ["update", "--memory", "32M", "--pids-limit", "50", "ID"];

/// Makes a container with limits.
pub(super) fn limited(test: &Test) -> impl Fn() {
    let resources = json!({"memory": {"limit": 64 * MIB}, "pids": {"limit": 100}});
    let bundle = test.bundle_with(|config| {
        config.args(&["sleep", "1000"]);
        config["linux"]["resources"] = resources;
    });
    move || test.create(&bundle, "one").start()
}

/// The limits are the new ones or the old ones, never some of each.
pub(super) fn update(sweep: Sweep<'_>) {
    let test = sweep.test;
    let limits = || {
        let words = ["events", "--stats"];
        let stats = test.container("one").verb(&words).run().ok().json();
        let data = &stats["data"];
        (
            data["memory"]["usage"]["limit"].clone(),
            data["pids"]["limit"].clone(),
        )
    };
    let (old, new) = ((json!(64 * MIB), json!(100)), (json!(32 * MIB), json!(50)));
    let whole = |output: &Output| match limits() {
        found if found == new => Ok(()),
        found => Err(format!("the limits are {found:?} after {output}")),
    };
    let half = || match limits() {
        found if found == old || found == new => Vec::new(),
        found => vec![format!("limits of {found:?}")],
    };
    change(sweep, &UPDATE, limited(test), whole, half);
}

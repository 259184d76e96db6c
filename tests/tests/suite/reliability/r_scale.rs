//! R-SCALE: many containers at once, and many that have ended.

use super::parallel::{Shared, each};
use dhow_tests::{Test, for_runtimes, needs};
use serde_json::Value;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Verbs at a time.
const AT_ONCE: usize = 16;

/// As much memory may a container cost: its program (`sleep`) and what the kernel keeps for it. Of the runtime
/// nothing stays.
const MOST: u64 = 4 << 20;

/// A listing of thousands takes its time on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn list(shared: &Shared) -> Vec<Value> {
    let words = ["list", "--format", "json"];
    let listed = shared.runtime().args(words).limit(PATIENCE).run_quietly();
    let mut listed = listed.ok().json();
    std::mem::take(listed.as_array_mut().expect("a list"))
}

fn assert_listed(shared: &Shared, total: usize, status: &str) {
    let listed = list(shared);
    assert_eq!(listed.len(), total);
    let other = listed.iter().find(|one| one["status"] != status);
    assert_eq!(other, None, "all are {status}");
}

/// What the memory controller counts for a container: pages of its processes and the kernel's own for it.
fn memory(shared: &Shared, id: &str) -> u64 {
    let stats = shared
        .runtime()
        .args(["events", "--stats", id])
        .run_quietly();
    let stats = stats.ok().json();
    let usage = &stats["data"]["memory"]["usage"]["usage"];
    usage.as_u64().expect("the memory of the container")
}

/// Prints how long a part took; nothing is asserted of it.
fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    eprintln!("{what}: {:?}", start.elapsed());
    result
}

fn running_at_once(test: &Test) {
    needs!(test, root, native);
    let total = 1_000;
    let bundle = test.bundle_running(&["sleep", "100000"]);
    let shared = Shared::of(test);
    let (most, sum) = (AtomicU64::new(0), AtomicU64::new(0));
    timed("create and start", || {
        each(total, AT_ONCE, |number| {
            let id = shared.id(number);
            let create = shared.runtime().args(["create", "--bundle"]);
            create.arg(bundle.path()).arg(&id).run_silently();
            shared.runtime().args(["start", &id]).run_silently();
        });
    });
    timed("list", || assert_listed(&shared, total, "running"));
    timed("state of each", || {
        each(total, AT_ONCE, |number| {
            let id = shared.id(number);
            let state = shared.runtime().args(["state", &id]).run_quietly();
            assert_eq!(state.ok().json()["status"], "running");
        });
    });
    timed("memory of each", || {
        each(total, AT_ONCE, |number| {
            let one = memory(&shared, &shared.id(number));
            most.fetch_max(one, Ordering::Relaxed);
            sum.fetch_add(one, Ordering::Relaxed);
        });
    });
    let (most, mean) = (most.into_inner(), sum.into_inner() / total as u64);
    eprintln!("{total} at once, {mean} bytes each, {most} at most");
    assert!(most <= MOST, "one takes {most} bytes");
    timed("kill and delete", || {
        each(total, AT_ONCE, |number| {
            let id = shared.id(number);
            shared.runtime().args(["kill", &id, "KILL"]).run_silently();
            let delete = ["delete", "--force", &id];
            shared.runtime().args(delete).run_silently();
        });
    });
    assert_listed(&shared, 0, "none");
}

fn stopped(test: &Test) {
    needs!(test, root, native, long);
    let total = 5_000;
    let bundle = test.bundle_running(&["true"]);
    let shared = Shared::of(test);
    timed("run to their ends", || {
        each(total, AT_ONCE, |number| {
            let run = shared.runtime().args(["run", "--keep", "--bundle"]);
            run.arg(bundle.path()).arg(shared.id(number)).run_silently();
        });
    });
    timed("list", || assert_listed(&shared, total, "stopped"));
    timed("delete", || {
        each(total, AT_ONCE, |number| {
            let id = shared.id(number);
            shared.runtime().args(["delete", &id]).run_silently();
        });
    });
    assert_listed(&shared, 0, "none");
}

for_runtimes!([Dhow]; running_at_once, stopped);

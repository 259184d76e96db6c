//! `events`: statistics once and again, and lack of memory.

use crate::config::cgroups::limited;
use dhow_tests::{Container, Running, Test, for_runtimes, host, needs, processes};
use serde_json::{Value, json};
use std::time::Duration;

const MIB: u64 = 1 << 20;
const SOON: Duration = Duration::from_secs(10);

/// What `events --stats` says.
fn stats(container: &Container<'_>) -> Value {
    let output = container.verb(&["events", "--stats"]).run().ok();
    assert_eq!(output.stdout().lines().count(), 1, "one object on one line");
    let event = output.json();
    assert_eq!(event["type"], "stats");
    assert_eq!(event["id"], container.id());
    event["data"].clone()
}

/// Every path to a number, text or empty object of a document; lists by their first entry.
fn paths(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                paths(member, &format!("{path}/{name}"), found);
            }
        }
        Value::Array(items) => {
            if let Some(item) = items.first() {
                paths(item, &format!("{path}[]"), found);
            }
        }
        Value::Number(_) => found.push(path.to_owned()),
        _ => {}
    }
}

/// The paths that are always there on a v1 host, as runc 1.1 has them.
const ALWAYS: &[&str] = &[
    "/cpu/usage/total",
    "/cpu/usage/percpu[]",
    "/cpu/usage/percpu_kernel[]",
    "/cpu/usage/percpu_user[]",
    "/cpu/usage/kernel",
    "/cpu/usage/user",
    "/cpuset/cpus[]",
    "/cpuset/cpu_exclusive",
    "/cpuset/mems[]",
    "/cpuset/mem_hardwall",
    "/cpuset/mem_exclusive",
    "/cpuset/memory_migrate",
    "/cpuset/memory_spread_page",
    "/cpuset/memory_spread_slab",
    "/cpuset/memory_pressure",
    "/cpuset/sched_load_balance",
    "/cpuset/sched_relax_domain_level",
    "/memory/usage/limit",
    "/memory/usage/usage",
    "/memory/usage/max",
    "/memory/usage/failcnt",
    "/memory/swap/limit",
    "/memory/swap/failcnt",
    "/memory/kernel/limit",
    "/memory/kernel/failcnt",
    "/memory/kernelTCP/limit",
    "/memory/kernelTCP/failcnt",
    "/memory/raw/cache",
    "/memory/raw/total_rss",
    "/memory/raw/hierarchical_memory_limit",
    "/pids/current",
];

fn stats_have_the_known_shape(test: &Test) {
    needs!(test, root, cgroup1);
    let data = stats(&test.sleeper("a"));
    let mut found = Vec::new();
    paths(&data, "", &mut found);
    for path in ALWAYS {
        assert!(
            found.iter().any(|known| known == path),
            "{path} is not in {data:#}"
        );
    }
    assert!(data["cpu"]["throttling"].is_object(), "{data:#}");
    for name in ["blkio", "hugetlb", "intel_rdt"] {
        assert!(data[name].is_object(), "{name} in {data:#}");
    }
    assert!(
        data.as_object()
            .is_some_and(|data| data.contains_key("network_interfaces"))
    );
}

fn cgroup_v2_stats_have_their_shape(test: &Test) {
    needs!(test, root, cgroup2);
    let container = test.sleeper("a");
    // As in runc, a time of nothing is left out.
    container.exec(&["probe", "memory", "30"]).ok();
    let data = stats(&container);
    let mut found = Vec::new();
    paths(&data, "", &mut found);
    for path in [
        "/cpu/usage/total",
        "/cpu/usage/kernel",
        "/cpu/usage/user",
        "/memory/usage/limit",
        "/memory/usage/usage",
        "/memory/swap/limit",
        "/memory/raw/anon",
        "/pids/current",
    ] {
        assert!(
            found.iter().any(|known| known == path),
            "{path} is not in {data:#}"
        );
    }
}

/// The numbers are the kernel's.
fn stats_are_true(test: &Test) {
    needs!(test, root);
    let resources = json!({"memory": {"limit": 64 * MIB, "swap": 96 * MIB}, "pids": {"limit": 33}});
    let container = limited(test, resources);
    let before = stats(&container);
    assert_eq!(before["memory"]["usage"]["limit"], 64 * MIB);
    assert_eq!(before["memory"]["swap"]["limit"], 96 * MIB);
    assert_eq!(before["pids"], json!({"current": 1, "limit": 33}));
    container.exec(&["probe", "memory", "30"]).ok();
    let after = stats(&container);
    // As in runc, a time of nothing is left out.
    let total = |data: &Value| data["cpu"]["usage"]["total"].as_u64().unwrap_or(0);
    assert!(total(&after) > total(&before), "{before:#} {after:#}");
    let most = after["memory"]["usage"]["max"].as_u64();
    // Kernels before Linux 5.19 keep no peak on v2.
    if host::v1_controller("memory").is_some() {
        assert!(most.is_some_and(|most| most > 30 * MIB), "{after:#}");
    }
}

fn a_quota_that_ran_out_is_counted(test: &Test) {
    needs!(test, root);
    let container = limited(test, json!({"cpu": {"quota": 2000, "period": 100_000}}));
    let work = "i=0; while [ $i -lt 3000 ]; do i=$((i+1)); done";
    // The kernel hands a quota out in slices, and asks for it back late: how often it takes differs.
    let is_counted = (0..100).any(|_| {
        container.exec(&["sh", "-c", work]).ok();
        let throttling = stats(&container)["cpu"]["throttling"].clone();
        ["periods", "throttledPeriods", "throttledTime"]
            .iter()
            .all(|name| throttling[name].as_u64().is_some_and(|number| number > 0))
    });
    assert!(is_counted, "{}", stats(&container)["cpu"]);
}

fn created_and_paused_containers_have_stats(test: &Test) {
    needs!(test, root);
    let container = test.create(&test.bundle_running(&["sleep", "1000"]), "a");
    // runc waits with several threads.
    let waiting = stats(&container)["pids"]["current"].as_u64();
    assert!(waiting.is_some_and(|tasks| tasks > 0), "{waiting:?}");
    container.start();
    container.verb(&["pause"]).run().ok();
    assert_eq!(stats(&container)["pids"]["current"], 1);
}

/// `events` in the background, once its first statistics have come.
fn follow(container: &Container<'_>) -> Running {
    let events = container.verb(&["events", "--interval", "100ms"]).spawn();
    let began = processes::eventually(SOON, || events.stdout().lines().count() > 0);
    assert!(began, "no statistics came");
    events
}

fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")))
        .collect()
}

fn statistics_come_again_and_again(test: &Test) {
    needs!(test, root);
    let container = test.sleeper("a");
    let events = follow(&container);
    let enough = || events.stdout().lines().count() >= 4;
    assert!(processes::eventually(SOON, enough), "{}", events.stdout());
    container.verb(&["delete", "--force"]).run().ok();
    let output = events.wait().ok();
    for event in lines(&output.stdout()) {
        assert_eq!(
            (&event["type"], &event["id"]),
            (&json!("stats"), &json!(container.id()))
        );
        assert_eq!(event["data"]["pids"]["current"], 1);
    }
}

/// Not only with its deletion, which may never come.
fn ends_with_the_container(test: &Test) {
    needs!(test, root);
    let container = test.sleeper("a");
    let events = container.verb(&["events", "--interval", "1h"]).spawn();
    assert!(
        processes::eventually(SOON, || waits_for_a_process(events.pid())),
        "it does not follow"
    );
    container.kill("KILL").ok();
    container.wait_for("stopped");
    events.wait().ok();
}

/// Whether it sleeps and holds another process by a descriptor.
fn waits_for_a_process(pid: i32) -> bool {
    let links = std::fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten();
    let mut links = links
        .flatten()
        .filter_map(|entry| std::fs::read_link(entry.path()).ok());
    links.any(|link| link.to_string_lossy().contains("pidfd"))
        && processes::describe(pid).is_some_and(|process| process.state == 'S')
}

fn a_paused_container_is_followed(test: &Test) {
    needs!(test, root);
    let container = test.sleeper("a");
    container.verb(&["pause"]).run().ok();
    let events = follow(&container);
    container.verb(&["resume"]).run().ok();
    container.verb(&["delete", "--force"]).run().ok();
    events.wait().ok();
}

fn lack_of_memory_is_told(test: &Test) {
    needs!(test, root);
    let container = limited(
        test,
        json!({"memory": {"limit": 64 * MIB, "swap": 64 * MIB}}),
    );
    let events = follow(&container);
    assert!(!events.stdout().contains("\"oom\""));
    container.exec(&["probe", "memory", "200"]).code_is(137);
    let told = || {
        lines(&events.stdout())
            .iter()
            .any(|event| event["type"] == "oom")
    };
    assert!(processes::eventually(SOON, told), "{}", events.stdout());
    let all = lines(&events.stdout());
    let oom = all.iter().find(|event| event["type"] == "oom");
    assert_eq!(oom, Some(&json!({"type": "oom", "id": container.id()})));
    assert_eq!(container.status(), "running");
    container.verb(&["delete", "--force"]).run().ok();
    let output = events.wait().ok();
    // The end is not lack of memory.
    let count = lines(&output.stdout())
        .iter()
        .filter(|event| event["type"] == "oom")
        .count();
    assert_eq!(count, 1, "{}", output.stdout());
}

/// What ended the container is told before the end.
fn lack_of_memory_that_ends_the_container_is_told(test: &Test) {
    needs!(test, root);
    let bundle = test.bundle_with(|config| {
        config["linux"]["resources"] = json!({"memory": {"limit": 64 * MIB, "swap": 64 * MIB}});
        config.args(&[
            "sh",
            "-c",
            "while [ ! -e /go ]; do sleep 0.02; done; exec probe memory 200",
        ]);
    });
    let container = test.create(&bundle, "a");
    container.start();
    let events = follow(&container);
    std::fs::write(bundle.rootfs().join("go"), "").expect("write");
    let output = events.wait().ok();
    assert!(output.stdout().contains("\"type\":\"oom\""), "{output}");
}

fn refuses_a_stopped_container(test: &Test) {
    let container = test.sleeper("a");
    container.kill("KILL").ok();
    container.wait_for("stopped");
    for words in [&["events", "--stats"][..], &["events"][..]] {
        let output = container.verb(words).run();
        output.refuses(["it is stopped", "is not running", ""]);
    }
}

fn refuses_an_unknown_id(test: &Test) {
    let id = test.id("nobody");
    let output = test.runtime().args(["events", "--stats", &id]).run();
    output.refuses(["does not exist", "does not exist", ""]);
}

fn refuses_impossible_intervals(test: &Test) {
    let container = test.sleeper("a");
    for interval in ["0", "0s", "-5s", "moon", "5"] {
        let output = container.verb(&["events", "--interval", interval]).run();
        output.refuses(["--interval", "interval", ""]);
    }
}

fn options_stand_before_and_after_the_id(test: &Test) {
    needs!(test, root);
    let container = test.sleeper("a");
    for words in [
        ["events", "--stats", container.id()],
        ["events", container.id(), "--stats"],
    ] {
        let event = test.runtime().args(words).run().ok().json();
        assert_eq!(event["type"], "stats");
    }
}

// crun has no `events`.
for_runtimes!([Dhow, Runc];
    stats_have_the_known_shape,
    cgroup_v2_stats_have_their_shape,
    stats_are_true,
    a_quota_that_ran_out_is_counted,
    created_and_paused_containers_have_stats,
    statistics_come_again_and_again,
    a_paused_container_is_followed,
    lack_of_memory_is_told,
    refuses_a_stopped_container,
    refuses_an_unknown_id,
    refuses_impossible_intervals,
    options_stand_before_and_after_the_id,
);

// runc ends with the deletion of the cgroup.
for_runtimes!([Dhow];
    ends_with_the_container,
    lack_of_memory_that_ends_the_container_is_told,
);

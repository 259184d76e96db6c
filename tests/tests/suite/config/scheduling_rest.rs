//! `process.scheduler`: what needs rights or a kernel that not every host has. Set, or refused by name.

use dhow_tests::{Test, for_runtimes};
use serde_json::{Value, json};

/// The scheduler that the program has; nothing where the kernel refused, which names the step.
fn shown(test: &Test, scheduler: Value) -> Option<Value> {
    let output = test.run_with(|config| {
        config["process"]["scheduler"] = scheduler;
        config.args(&["/bin/probe"]);
    });
    if output.code == Some(0) {
        return Some(output.json()["scheduler"].clone());
    }
    output.fails("schedul");
    None
}

fn idle_and_other_are_set(test: &Test) {
    let idle = shown(test, json!({"policy": "SCHED_IDLE"}));
    assert_eq!(idle.expect("no right is needed")["policy"], 5);
    let other = shown(test, json!({"policy": "SCHED_OTHER", "nice": 5}));
    assert_eq!(
        other.expect("no right is needed"),
        json!({"policy": 0, "nice": 5, "priority": 0})
    );
}

fn real_time_has_its_priority_or_is_named(test: &Test) {
    for (policy, number) in [("SCHED_FIFO", 1), ("SCHED_RR", 2)] {
        if let Some(found) = shown(test, json!({"policy": policy, "priority": 3})) {
            assert_eq!(
                (&found["policy"], &found["priority"]),
                (&json!(number), &json!(3)),
                "{policy}"
            );
        }
    }
    // No policy has this one.
    assert_eq!(
        shown(test, json!({"policy": "SCHED_FIFO", "priority": 1000})),
        None
    );
    assert_eq!(shown(test, json!({"policy": "SCHED_ISO"})), None);
}

fn a_deadline_has_its_times_or_is_named(test: &Test) {
    let times = json!({"policy": "SCHED_DEADLINE", "runtime": 1_000_000, "deadline": 10_000_000,
        "period": 10_000_000, "flags": ["SCHED_FLAG_RESET_ON_FORK"]});
    if let Some(found) = shown(test, times) {
        assert_eq!(found["policy"], 6);
    }
    // The times must be in their order.
    let wrong = json!({"policy": "SCHED_DEADLINE", "runtime": 20_000_000, "deadline": 10_000_000,
        "period": 5_000_000});
    assert_eq!(shown(test, wrong), None);
}

/// The policy of children is the ordinary one then, whatever the program's own is.
fn children_are_reset_where_the_flag_says_so(test: &Test) {
    let policies = |flags: Value| {
        let output = test.run_with(|config| {
            config["process"]["scheduler"] =
                json!({"policy": "SCHED_OTHER", "nice": -5, "flags": flags});
            config.args(&["sh", "-c", "cat /proc/$$/stat; (cat /proc/self/stat; true)"]);
        });
        let text = output.ok().stdout();
        let nice = |line: &str| {
            line.rsplit_once(')')
                .and_then(|(_, rest)| rest.split_whitespace().nth(16).map(str::to_owned))
        };
        text.lines().filter_map(nice).collect::<Vec<_>>()
    };
    assert_eq!(policies(json!([])), ["-5", "-5"]);
    assert_eq!(policies(json!(["SCHED_FLAG_RESET_ON_FORK"])), ["-5", "0"]);
}

/// The specification has none yet, so any is a mistake.
fn flags_of_a_personality_are_refused(test: &Test) {
    let output = test.run_with(|config| {
        config["linux"]["personality"] = json!({"domain": "LINUX", "flags": ["ADDR_NO_RANDOMIZE"]});
    });
    output.fails("linux.personality.flags");
}

// runc 1.1 and crun 1.8 know nothing of it.
for_runtimes!([Dhow];
    idle_and_other_are_set,
    real_time_has_its_priority_or_is_named,
    a_deadline_has_its_times_or_is_named,
    children_are_reset_where_the_flag_says_so,
    flags_of_a_personality_are_refused,
);

//! `process.scheduler`, `ioPriority`, `execCPUAffinity` and `linux.personality`: newer than the
//! rivals of Debian 12, which ignore them.

use dhow_tests::{Test, for_runtimes};
use serde_json::json;

fn batch_with_a_niceness(test: &Test) {
    let scheduler = json!({"policy": "SCHED_BATCH", "nice": 7});
    let report = test.probe_with(|c| c["process"]["scheduler"] = scheduler);
    assert_eq!(
        report["scheduler"],
        json!({"policy": 3, "nice": 7, "priority": 0})
    );
}

fn an_unknown_policy_is_refused(test: &Test) {
    let output = test.run_with(|c| c["process"]["scheduler"] = json!({"policy": "SCHED_MOON"}));
    output.fails("process.scheduler.policy");
}

fn the_io_priority_is_set(test: &Test) {
    let output = test.run_with(|config| {
        config["process"]["ioPriority"] = json!({"class": "IOPRIO_CLASS_BE", "priority": 6});
        config.args(&["ionice", "-p", "1"]);
    });
    assert_eq!(output.ok().stdout(), "best-effort: prio 6\n");
}

fn an_impossible_io_priority_is_refused(test: &Test) {
    let output = test.run_with(|config| {
        config["process"]["ioPriority"] = json!({"class": "IOPRIO_CLASS_BE", "priority": 8});
    });
    output.fails("process.ioPriority.priority");
}

fn exec_gets_its_processors(test: &Test) {
    let bundle = test.bundle_with(|config| {
        config["process"]["execCPUAffinity"] = json!({"initial": "0", "final": "0"});
        config.args(&["sleep", "1000"]);
    });
    let container = test.create(&bundle, "a");
    container.start();
    let report = container.exec(&["probe"]).ok().json();
    assert_eq!(report["cpusAllowed"], "0");
    // The first process is not meant.
    let status = std::fs::read_to_string(format!("/proc/{}/status", container.pid()));
    let all = std::fs::read_to_string("/proc/self/status").expect("read");
    let allowed = |text: &str| {
        text.lines()
            .find(|l| l.starts_with("Cpus_allowed_list"))
            .map(str::to_owned)
    };
    assert_eq!(allowed(&status.expect("read")), allowed(&all));
}

fn a_personality_is_set(test: &Test) {
    let report = test.probe_with(|c| c["linux"]["personality"] = json!({"domain": "LINUX32"}));
    assert_eq!(report["personality"], "00000008");
    let output = test.run_with(|c| c["linux"]["personality"] = json!({"domain": "MOON"}));
    output.fails("linux.personality.domain");
}

for_runtimes!([Dhow];
    batch_with_a_niceness,
    an_unknown_policy_is_refused,
    the_io_priority_is_set,
    an_impossible_io_priority_is_refused,
    exec_gets_its_processors,
    a_personality_is_set,
);

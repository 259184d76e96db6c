//! S-BPFSIZE: the kernel's answer about device programs is longer than the room for it, so that a
//! runtime writes over its own memory (seen since Linux 6.17). Programs of many lengths are made,
//! found again and removed; each time the rules hold. The room itself is measured by a unit test,
//! `what_the_kernel_writes_stays_in_the_room`, and replacing by `device_rules_survive_a_thousand_changes`.
//!
//! Device programs are of cgroup v2: this runs in the test VM.

use dhow_tests::racer::race;
use dhow_tests::{Test, for_runtimes, needs};
use serde_json::{Value, json};

/// Denies all, then allows `/dev/null` and this many others, so that every program is of another
/// length.
fn rules(others: u32) -> Value {
    let mut rules = vec![
        json!({"allow": false, "access": "rwm"}),
        json!({"allow": true, "type": "c", "major": 1, "minor": 3, "access": "rwm"}),
    ];
    let other = |minor: u32| json!({"allow": true, "type": "c", "major": 250, "minor": minor, "access": "rw"});
    rules.extend((0..others).map(other));
    rules.into()
}

fn racing_through_programs_of_every_length(test: &Test) {
    needs!(test, root, cgroup2);
    let bundle = test.bundle_with(|config| {
        let words = "probe open /dev/null rw; probe open /dev/zero rw";
        config.args(&["sh", "-c", words]);
        config["linux"]["devices"] = json!([]);
    });
    race(|number| {
        bundle.edit(|config| {
            config["linux"]["resources"] = json!({"devices": rules(number % 60)});
        });
        let output = test.run_bundle(&bundle).ok();
        let text = output.stdout();
        let answers: Vec<Value> = text.lines().flat_map(serde_json::from_str).collect();
        let [null, zero] = answers.as_slice() else {
            panic!("{output}");
        };
        // The default devices are always allowed; the rules say the rest.
        assert_eq!(null["ok"], true, "{output}");
        assert_eq!(zero["ok"], true, "{output}");
    });
}

/// A device that the rules do not name cannot be opened, whatever the length of the program.
fn racing_for_what_is_not_named(test: &Test) {
    needs!(test, root, cgroup2);
    let bundle = test.bundle_with(|config| {
        config["linux"]["devices"] = json!([
            {"path": "/dev/kmsg", "type": "c", "major": 1, "minor": 11, "fileMode": 0o666}
        ]);
        config.args(&["/bin/probe", "open", "/dev/kmsg"]);
    });
    race(|number| {
        bundle.edit(|config| {
            config["linux"]["resources"] = json!({"devices": rules(number % 60)});
        });
        let output = test.run_bundle(&bundle).ok();
        assert_eq!(output.json()["errno"], 1, "{output}");
    });
}

for_runtimes!([Dhow];
    racing_through_programs_of_every_length,
    racing_for_what_is_not_named,
);

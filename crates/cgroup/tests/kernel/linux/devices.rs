//! Device rules: what a process in the group can really open.

use super::{Fixture, resources, run_inside};
use dhow_cgroup::Group;

/// A script that opens a fresh node of a device for reading, and says whether it could.
fn open_device(numbers: &str) -> String {
    // Not below /tmp, which may be mounted without devices.
    format!(
        "d=$(mktemp -d -p /var/tmp) && mknod $d/n c {numbers} && if head -c 0 $d/n 2>$d/e; then echo allowed; else cat $d/e; fi; rm -r $d"
    )
}

fn may_open(group: &Group, numbers: &str) -> bool {
    let output = run_inside(group, &open_device(numbers));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    match text.trim() {
        "allowed" => true,
        refused if refused.contains("Operation not permitted") => false,
        other => panic!("{other:?} {}", String::from_utf8_lossy(&output.stderr)),
    }
}

#[test]
fn device_rules_hold_and_change() {
    let Some(test) = Fixture::new("devices") else {
        return;
    };
    test.create(r#"{"devices":[{"allow":false,"access":"rwm"}]}"#);
    assert!(may_open(&test.group, "1 3"), "null is a default device");
    assert!(!may_open(&test.group, "1 11"), "kmsg is not");
    let allow = r#"{"devices":[{"allow":false,"access":"rwm"},{"allow":true,"type":"c","major":1,"minor":11,"access":"r"}]}"#;
    for _ in 0..2 {
        test.group.apply(&resources(allow)).unwrap();
        assert!(may_open(&test.group, "1 11"));
        assert!(may_open(&test.group, "1 5"));
        test.group
            .apply(&resources(
                r#"{"devices":[{"allow":false,"access":"rwm"}]}"#,
            ))
            .unwrap();
        assert!(!may_open(&test.group, "1 11"));
    }
    // Limits without device rules leave the rules alone.
    test.group
        .apply(&resources(r#"{"pids":{"limit":100}}"#))
        .unwrap();
    assert!(!may_open(&test.group, "1 11"));
    test.group
        .apply(&resources(r#"{"devices":[{"allow":true,"access":"rwm"}]}"#))
        .unwrap();
    assert!(may_open(&test.group, "1 11"), "everything is allowed");
}

/// S-BPFSIZE: no answer of the kernel is longer than what we made room for, however often.
#[test]
fn device_rules_survive_a_thousand_changes() {
    let Some(test) = Fixture::new("thousand") else {
        return;
    };
    let rules = |minor: u32| {
        format!(
            r#"{{"devices":[{{"allow":false,"access":"rwm"}},{{"allow":true,"type":"c","major":10,"minor":{minor},"access":"rw"}}]}}"#
        )
    };
    for round in 0..100 {
        test.create(&rules(round));
        for change in 0..10 {
            test.group
                .apply(&resources(&rules(round + change)))
                .unwrap();
        }
        test.group.remove().unwrap();
    }
}

//! `process.user`.

use dhow_tests::{Test, for_each_runtime, for_runtimes};
use serde_json::json;

fn ids_are_numbers(test: &Test) {
    let report = test.probe_with(|c| c["process"]["user"] = json!({"uid": 1000, "gid": 2000}));
    assert_eq!(report["uid"], json!([1000, 1000, 1000, 1000]));
    assert_eq!(report["gid"], json!([2000, 2000, 2000, 2000]));
}

/// Exactly the groups that are asked for; none of the caller's stays.
fn groups_are_exactly_these(test: &Test) {
    for groups in [&[][..], &[50], &[5, 4_000_000, 7], &[2000, 50]] {
        let user = json!({"uid": 1000, "gid": 2000, "additionalGids": groups});
        let report = test.probe_with(|c| c["process"]["user"] = user);
        assert_eq!(report["groups"], test.expected_groups(2000, groups));
    }
}

fn umask_is_set(test: &Test) {
    for (mask, word) in [(0o027, "0027"), (0, "0000"), (0o777, "0777")] {
        let user = json!({"uid": 0, "gid": 0, "umask": mask});
        assert_eq!(
            test.probe_with(|c| c["process"]["user"] = user)["umask"],
            word
        );
    }
}

fn the_largest_ids_work(test: &Test) {
    let user = json!({"uid": 4_294_967_294_u32, "gid": 4_294_967_294_u32});
    let report = test.probe_with(|c| c["process"]["user"] = user);
    assert_eq!(report["uid"][0], 4_294_967_294_u32);
    assert_eq!(report["gid"][0], 4_294_967_294_u32);
}

for_each_runtime!(ids_are_numbers, groups_are_exactly_these, umask_is_set);

// runc counts in 31 bits.
for_runtimes!([Dhow, Crun]; the_largest_ids_work);

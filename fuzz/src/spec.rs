//! F-SPEC: `config.json` → document types → plan.
//!
//! 1. What we print we read again, to the same print.
//! 2. The plan is a function of document and host: twice the same; and it can be told and printed.
//! 3. The published schema: what it refuses by type, by a missing member or by a bound, we refuse, in
//!    everything that we read. Not the other way round: a plan refuses much that no schema can say. Left
//!    out: null, which Go programs write for "absent"; patterns and words, where ours are messages of
//!    the plan (an unknown capability is a warning, as in runc); the parts for other systems.

use dhow_runtime::bundle;
use dhow_runtime::plan::{Host, Plan, narrative};
use dhow_runtime::spec::Spec;
use dhow_tests::schema::violations;
use serde_json::Value;

/// Members that this runtime does not read, or refuses as a whole.
const UNREAD: [&str; 7] = [
    "$.solaris",
    "$.windows",
    "$.vm",
    "$.zos",
    "$.freebsd",
    "$.process.commandLine",
    "$.process.user.username",
];

/// What the schema demands and the text of the specification does not: without it there is no limit.
const OPTIONAL: &str = "$.linux.resources.pids: limit is missing";

/// The three properties above.
///
/// # Panics
/// When one does not hold.
pub fn check(data: &[u8]) {
    let Ok(spec) = bundle::parse::<Spec>(data) else {
        return;
    };
    let printed = serde_json::to_vec(&spec).expect("a document prints");
    let again: Spec = bundle::parse(&printed).expect("what we print we read");
    let reprinted = serde_json::to_vec(&again).expect("a document prints");
    assert_eq!(
        String::from_utf8_lossy(&printed),
        String::from_utf8_lossy(&reprinted)
    );
    let planned = [host(true), host(false)].map(|host| plan(&spec, &again, &host));
    if planned.contains(&true) {
        follows_the_schema(data);
    }
}

fn host(privileged: bool) -> Host {
    Host {
        privileged,
        apparmor: privileged,
        selinux: privileged,
        capabilities: if privileged { u64::MAX } else { 0 },
        architecture: "x86_64",
    }
}

/// Whether a plan can be made; the document and its print agree on everything about it.
fn plan(spec: &Spec, again: &Spec, host: &Host) -> bool {
    let [first, second] = [spec, again].map(|spec| match Plan::new(spec, host) {
        Ok(plan) => {
            let steps = narrative::tell(&plan);
            Ok(serde_json::to_string(&(steps, plan)).expect("a plan prints"))
        }
        Err(invalid) => {
            assert!(!invalid.path.is_empty() && !invalid.reason.is_empty());
            Err(invalid.to_string())
        }
    });
    assert_eq!(first, second);
    first.is_ok()
}

fn follows_the_schema(data: &[u8]) {
    assert!(std::str::from_utf8(data).is_ok(), "JSON is UTF-8");
    // Half of a surrogate pair (`\ud800`), in a member that nobody reads.
    let Ok(mut document) = serde_json::from_slice::<Value>(data) else {
        return;
    };
    drop_nulls(&mut document);
    let shape = |wrong: &&String| {
        ["is not of type", "is missing", "passes the m"]
            .iter()
            .any(|words| wrong.contains(words))
    };
    // Engines send a device's type and its special bits along with its permissions.
    let mode = |wrong: &str| wrong.contains("].fileMode: ") && wrong.contains("passes the maximum");
    let read = |wrong: &&String| {
        *wrong != OPTIONAL && !mode(wrong) && !UNREAD.iter().any(|path| wrong.starts_with(path))
    };
    let wrong = violations(&document, "config-schema.json");
    let wrong: Vec<&String> = wrong.iter().filter(shape).filter(read).collect();
    assert!(wrong.is_empty(), "planned against the schema: {wrong:#?}");
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

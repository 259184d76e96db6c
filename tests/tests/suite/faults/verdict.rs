//! What a verb came to after a fault.

use dhow_tests::Output;
use serde_json::Value;

/// The three ends.
pub(super) enum Verdict {
    /// An error that names the cause.
    Refused,
    /// Success, and everything is as it should be.
    Tolerated,
    /// Anything else.
    Wrong(String),
}

/// Judges an output. `whole` looks at what a success has made.
pub(super) fn of(
    output: &Output,
    errno: &str,
    whole: impl FnOnce(&Output) -> Result<(), String>,
) -> Verdict {
    let said = output.stderr();
    match output.code {
        Some(0) => match whole(output) {
            Ok(()) => Verdict::Tolerated,
            Err(why) => Verdict::Wrong(format!("succeeded, but {why}")),
        },
        Some(1 | 255) if said.contains("panicked") => Verdict::Wrong("panicked".into()),
        Some(1 | 255) if names(&said, errno) => Verdict::Refused,
        Some(1 | 255) => Verdict::Wrong(format!("the error does not name {errno}")),
        code => Verdict::Wrong(format!("ended with {code:?}, signal {:?}", output.signal)),
    }
}

/// Whether a message tells the errno, by its name or in the words of the standard library.
fn names(said: &str, errno: &str) -> bool {
    let words = match errno {
        "EIO" => "I/O error",
        "EPERM" => "Operation not permitted",
        "ENOMEM" => "Out of memory",
        "ENOSPC" => "No space left on device",
        "EINTR" => "Interrupted system call",
        _ => "Function not implemented",
    };
    said.contains(errno) || said.contains(words)
}

/// The places of a report at which two containers of the same bundle differ: their numbers and times.
pub(super) fn differences(one: &Value, other: &Value, place: &str, found: &mut Vec<String>) {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) if one.keys().eq(other.keys()) => {
            for (key, value) in one {
                differences(value, &other[key], &format!("{place}/{key}"), found);
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            for (index, (value, other)) in one.iter().zip(other).enumerate() {
                differences(value, other, &format!("{place}/{index}"), found);
            }
        }
        _ if one == other => {}
        _ => found.push(place.to_owned()),
    }
}

/// A report without the mounts of device nodes (where a node may not be made, the host's is bound), and
/// with namespaces that are only the host's or its own: their numbers are given again and again.
fn alike(report: &Value) -> Value {
    let mut report = report.clone();
    if let Some(namespaces) = report["namespaces"].as_object_mut() {
        for (kind, number) in namespaces {
            let host = std::fs::read_link(format!("/proc/self/ns/{kind}")).unwrap_or_default();
            let is_hosts = number
                .as_str()
                .is_some_and(|number| host.as_os_str() == number);
            *number = if is_hosts { "the host's" } else { "its own" }.into();
        }
    }
    if let Some(mounts) = report["mounts"].as_array_mut() {
        let is_node = |mount: &Value| {
            mount["type"] == "devtmpfs"
                && mount["point"]
                    .as_str()
                    .is_some_and(|point| point.starts_with("/dev/"))
        };
        mounts.retain(|mount| !is_node(mount));
    }
    report
}

/// What a report shows that the one without a fault did not; `natural` are places that differ
/// from run to run, with all that is below them.
pub(super) fn changes(report: &Value, without: &Value, natural: &[String]) -> Result<(), String> {
    let mut found = Vec::new();
    differences(&alike(report), &alike(without), "", &mut found);
    let is_natural = |place: &String| {
        let below = |known: &String| {
            place
                .strip_prefix(known.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        natural.iter().any(below)
    };
    found.retain(|place| !is_natural(place));
    if found.is_empty() {
        return Ok(());
    }
    let shown: Vec<String> = found
        .iter()
        .map(|place| {
            let value = |report: &Value| report.pointer(place).map(Value::to_string);
            format!("{place}: {:?}, not {:?}", value(report), value(without))
        })
        .collect();
    Err(format!("the container is another: {}", shown.join("; ")))
}

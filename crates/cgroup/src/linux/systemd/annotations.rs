//! `org.systemd.property.*` annotations: a closed list, each value checked.
//!
//! Annotations come with an image or a manifest, and systemd runs with all rights: a property that
//! starts, stops or orders other units in its own way, or runs a program, must not be reachable from
//! there. So only what is about this scope alone is accepted; anything else is refused by name.

use super::message::Value;
use crate::{Error, Result};
use std::collections::BTreeMap;

const PREFIX: &str = "org.systemd.property.";

/// What is accepted, for the message.
const ACCEPTED: &str = "After, Before, CollectMode, DefaultDependencies, Description, KillSignal, OOMPolicy, \
                        TimeoutStopSec, TimeoutStopUSec";

/// The properties that annotations ask for.
pub(super) fn properties(annotations: &BTreeMap<String, String>) -> Result<Vec<(String, Value)>> {
    let mut list = Vec::new();
    for (name, text) in annotations {
        let Some(property) = name.strip_prefix(PREFIX) else {
            continue;
        };
        let refuse = |why: String| Error::Annotation {
            name: name.clone(),
            why,
        };
        let value = match property {
            "CollectMode" => word(text, &["inactive", "inactive-or-failed"]),
            "OOMPolicy" => word(text, &["continue", "stop", "kill"]),
            "DefaultDependencies" => match text.trim() {
                "true" => Some(Value::Bool(true)),
                "false" => Some(Value::Bool(false)),
                _ => None,
            },
            "Description" => quoted(text)
                .filter(|text| text.len() <= 200)
                .map(Value::Text),
            "KillSignal" => number(text)
                .filter(|signal| (1..=64).contains(signal))
                .and_then(|signal| i32::try_from(signal).ok().map(Value::Integer)),
            "TimeoutStopUSec" => number(text).map(Value::Long),
            "TimeoutStopSec" => number(text)
                .and_then(|seconds| seconds.checked_mul(1_000_000))
                .map(Value::Long),
            "After" | "Before" => units(text).map(Value::Texts),
            _ => {
                return Err(refuse(format!(
                    "is not a property that a container may set ({ACCEPTED})"
                )));
            }
        };
        let value =
            value.ok_or_else(|| refuse(format!("{text:?} is not a value of this property")))?;
        // systemd knows durations in microseconds only.
        let property = if property == "TimeoutStopSec" {
            "TimeoutStopUSec"
        } else {
            property
        };
        list.push((property.to_owned(), value));
    }
    Ok(list)
}

fn word(text: &str, words: &[&str]) -> Option<Value> {
    let text = quoted(text)?;
    words.contains(&text.as_str()).then_some(Value::Text(text))
}

/// A string of printable characters in single or double quotes.
fn quoted(text: &str) -> Option<String> {
    let text = text.trim();
    let inner = ['\'', '"']
        .iter()
        .find_map(|quote| text.strip_prefix(*quote)?.strip_suffix(*quote))?;
    let clean = |letter: char| !letter.is_control() && !"'\"\\".contains(letter);
    inner.chars().all(clean).then(|| inner.to_owned())
}

/// A number, with the type that GVariant's text format may put before it.
fn number(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = ["uint64 ", "int64 ", "uint32 ", "int32 "]
        .iter()
        .find_map(|kind| text.strip_prefix(kind));
    let digits = digits.unwrap_or(text);
    (digits.len() <= 19 && digits.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| digits.parse().ok())
        .flatten()
}

/// A list of unit names: `['a.service', 'b.target']`.
fn units(text: &str) -> Option<Vec<String>> {
    let inner = text.trim().strip_prefix('[')?.strip_suffix(']')?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b":_.-@\\".contains(&byte);
    let names: Option<Vec<String>> = inner.split(',').map(quoted).collect();
    names.filter(|names| {
        names
            .iter()
            .all(|name| !name.is_empty() && name.len() <= 255 && name.bytes().all(allowed))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    fn one(name: &str, value: &str) -> Result<Vec<(String, Value)>> {
        properties(&BTreeMap::from([(
            format!("{PREFIX}{name}"),
            value.to_owned(),
        )]))
    }

    /// S-ANNOT: only what this list has reaches systemd.
    #[test]
    fn the_list_is_closed() {
        let hostile = [
            "ExecStart",
            "ExecStartPre",
            "ExecStop",
            "User",
            "Wants",
            "Requires",
            "BindsTo",
            "PartOf",
            "Conflicts",
            "OnFailure",
            "Slice",
            "Delegate",
            "PIDs",
            "DevicePolicy",
            "DeviceAllow",
            "IPAddressAllow",
            "BPFProgram",
            "JobTimeoutAction",
            "FailureAction",
            "SuccessAction",
            "RootDirectory",
            "Environment",
            "",
            "TimeoutStopSec=1",
        ];
        for name in hostile {
            let error = one(name, "'x'").expect_err(name);
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{name}");
            assert!(
                error.to_string().contains(&format!("{PREFIX}{name}")),
                "{error}"
            );
        }
    }

    #[test]
    fn values_are_checked() {
        let hostile = [
            ("CollectMode", "'never'"),
            ("CollectMode", "inactive"),
            ("OOMPolicy", "'kill\n'"),
            ("KillSignal", "65"),
            ("KillSignal", "0"),
            ("KillSignal", "-9"),
            ("TimeoutStopUSec", "1e9"),
            ("TimeoutStopSec", "9999999999999999"),
            ("After", "a.service"),
            ("After", "['a b']"),
            ("Description", "'a\nb'"),
            ("DefaultDependencies", "1"),
        ];
        for (name, value) in hostile {
            let error = one(name, value).expect_err(value);
            assert!(error.to_string().contains("not a value"), "{error}");
        }
        assert_eq!(
            one("TimeoutStopSec", "uint64 5").unwrap(),
            [("TimeoutStopUSec".into(), Value::Long(5_000_000))]
        );
        assert_eq!(
            one("KillSignal", "37").unwrap(),
            [("KillSignal".into(), Value::Integer(37))]
        );
        assert_eq!(
            one("After", "['crio.service', \"x.target\"]").unwrap(),
            [(
                "After".into(),
                Value::Texts(vec!["crio.service".into(), "x.target".into()])
            )]
        );
        assert_eq!(
            properties(&BTreeMap::from([("other".into(), "x".into())])).unwrap(),
            []
        );
    }
}

//! The probe's report as a measure: two containers are alike when the probe inside tells the same.

use crate::host;
use serde_json::Value;

/// What the probe reports in a container that is as it should be, and where two such reports differ.
#[derive(Clone, Debug)]
pub struct Baseline {
    report: Value,
    natural: Vec<String>,
}

impl Baseline {
    /// Asks four times: places that differ from run to run (numbers, times) are natural.
    pub fn new(ask: impl Fn() -> Value) -> Self {
        let report = ask();
        let mut natural = Vec::new();
        for _ in 0..3 {
            differences(&ask(), &report, "", &mut natural);
        }
        Self { report, natural }
    }

    /// Lets these places differ too, with all that is below them.
    pub fn except(&mut self, places: &[&str]) {
        self.natural
            .extend(places.iter().map(|place| (*place).to_owned()));
    }

    /// That another report shows the same.
    ///
    /// # Errors
    /// Every place that differs.
    pub fn is_met_by(&self, report: &Value) -> Result<(), String> {
        let (one, other) = (alike(report), alike(&self.report));
        let mut found = Vec::new();
        differences(&one, &other, "", &mut found);
        found.retain(|place| !self.is_natural(place));
        if found.is_empty() {
            return Ok(());
        }
        let shown: Vec<String> = found
            .iter()
            .map(|place| {
                let value = |report: &Value| report.pointer(place).map(Value::to_string);
                format!("{place}: {:?}, not {:?}", value(&one), value(&other))
            })
            .collect();
        Err(format!("the container is another: {}", shown.join("; ")))
    }

    fn is_natural(&self, place: &str) -> bool {
        self.natural.iter().any(|known| {
            place
                .strip_prefix(known.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }
}

/// The places at which two reports differ.
fn differences(one: &Value, other: &Value, place: &str, found: &mut Vec<String>) {
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
            let hosts = host::namespace(kind);
            let is_hosts = number.as_str().is_some_and(|number| hosts == number);
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

//! Collecting samples by measure and by contender, and showing medians and ratios.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value, json};

/// All samples of one benchmark.
#[derive(Debug)]
pub(super) struct Table {
    /// The contenders, ours first.
    contenders: Vec<String>,
    /// Whom our figures are divided by, by name.
    compared: Vec<String>,
    /// The measures in the order in which they first came, each with its unit.
    measures: Vec<(String, &'static str)>,
    samples: BTreeMap<(String, String), Vec<f64>>,
    /// Lines above the table: versions, the machine.
    notes: Vec<String>,
}

impl Table {
    /// A table of these contenders; the first is ours, and is compared with `compared`.
    pub(super) fn new(contenders: &[&str], compared: &[&str]) -> Table {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Table {
            contenders: owned(contenders),
            compared: owned(compared),
            measures: Vec::new(),
            samples: BTreeMap::new(),
            notes: Vec::new(),
        }
    }

    /// Adds a line above the table.
    pub(super) fn note(&mut self, line: String) {
        self.notes.push(line);
    }

    /// Adds one sample.
    pub(super) fn add(&mut self, measure: &str, unit: &'static str, contender: &str, value: f64) {
        if !self.measures.iter().any(|(name, _)| name == measure) {
            self.measures.push((measure.to_owned(), unit));
        }
        self.samples
            .entry((measure.to_owned(), contender.to_owned()))
            .or_default()
            .push(value);
    }

    fn median(&self, measure: &str, contender: &str) -> Option<f64> {
        median(
            self.samples
                .get(&(measure.to_owned(), contender.to_owned()))?,
        )
    }

    /// Ours divided by the other's; `None` where one of them has no figure.
    fn ratio(&self, measure: &str, other: &str) -> Option<f64> {
        let (ours, theirs) = (
            self.median(measure, &self.contenders[0])?,
            self.median(measure, other)?,
        );
        (theirs > 0.0).then_some(ours / theirs)
    }

    /// The table for people.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        for note in &self.notes {
            let _ = writeln!(text, "{note}");
        }
        let _ = write!(text, "\n{:38}", "median");
        for contender in &self.contenders {
            let _ = write!(text, "  {contender:>12}");
        }
        for other in &self.compared {
            let _ = write!(text, "  {:>12}", format!("ours/{other}"));
        }
        text.push('\n');
        for (measure, unit) in &self.measures {
            let _ = write!(text, "{:38}", format!("{measure} ({unit})"));
            for contender in &self.contenders {
                let shown = self
                    .median(measure, contender)
                    .map_or("-".to_owned(), figure);
                let _ = write!(text, "  {shown:>12}");
            }
            for other in &self.compared {
                let shown = self
                    .ratio(measure, other)
                    .map_or("-".to_owned(), |ratio| format!("{ratio:.2}"));
                // As wide as its heading.
                let _ = write!(text, "  {shown:>width$}", width = other.len().max(7) + 5);
            }
            text.push('\n');
        }
        text
    }

    /// The same for programs.
    pub(super) fn json(&self) -> String {
        let mut measures = Vec::new();
        for (measure, unit) in &self.measures {
            let mut contenders = Map::new();
            for contender in &self.contenders {
                if let Some(samples) = self.samples.get(&(measure.clone(), contender.clone())) {
                    let least = samples.iter().copied().fold(f64::INFINITY, f64::min);
                    let value = json!({ "median": median(samples), "min": least, "samples": samples.len() });
                    contenders.insert(contender.clone(), value);
                }
            }
            let ratios: Map<String, Value> = self
                .compared
                .iter()
                .map(|other| (other.clone(), json!(self.ratio(measure, other))))
                .collect();
            measures.push(json!({ "measure": measure, "unit": unit, "contenders": contenders, "ratios": ratios }));
        }
        format!(
            "{:#}\n",
            json!({ "notes": self.notes, "measures": measures })
        )
    }
}

fn figure(value: f64) -> String {
    if value >= 1000.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.2}")
    }
}

fn median(samples: &[f64]) -> Option<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        length if length % 2 == 1 => Some(sorted[middle]),
        _ => Some(f64::midpoint(sorted[middle - 1], sorted[middle])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&["dhow", "crun"], &["crun"]);
        for (contender, values) in [("dhow", [1.0, 9.0, 2.0]), ("crun", [4.0, 4.0, 5.0])] {
            for value in values {
                table.add("run", "ms", contender, value);
            }
        }
        table.add("peak", "KiB", "dhow", 1200.0);
        table
    }

    #[test]
    fn medians_and_ratios() {
        assert_eq!(median(&[1.0, 9.0, 2.0, 3.0]), Some(2.5));
        let text = table().text();
        let row: Vec<&str> = text
            .lines()
            .find(|line| line.starts_with("run"))
            .unwrap()
            .split_whitespace()
            .collect();
        assert_eq!(row, ["run", "(ms)", "2.00", "4.00", "0.50"]);
    }

    #[test]
    fn a_missing_figure_is_a_dash() {
        let text = table().text();
        let row: Vec<&str> = text
            .lines()
            .find(|line| line.starts_with("peak"))
            .unwrap()
            .split_whitespace()
            .collect();
        assert_eq!(row, ["peak", "(KiB)", "1200", "-", "-"]);
    }

    #[test]
    fn json_has_the_same_figures() {
        let value: Value = serde_json::from_str(&table().json()).unwrap();
        assert_eq!(value["measures"][0]["contenders"]["crun"]["median"], 4.0);
        assert_eq!(value["measures"][0]["ratios"]["crun"], 0.5);
    }
}

//! What this host offers to containers: one line each, and for what is missing its price and the way out.
//!
//! Everything is found by trying, in a child that leaves nothing behind, because version numbers and
//! settings do not tell what a filter, a security module or a mount option forbids.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub(crate) use linux::{checks, probe};
#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(not(target_os = "linux"))]
pub(crate) use elsewhere::{checks, probe};

use crate::output::style::Style;
use crate::output::wrap;
use serde::Serialize;

/// How it stands with one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    /// There, or not needed.
    Ok,
    /// Containers run, with something less.
    Limited,
    /// No container runs without it.
    Missing,
}

/// One line of the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Check {
    /// The group it belongs to.
    pub(crate) area: &'static str,
    /// What was looked at.
    pub(crate) name: &'static str,
    /// How it stands.
    pub(crate) status: Status,
    /// What was found.
    pub(crate) detail: String,
    /// What cannot be had because of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cost: Option<String>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fix: Option<String>,
}

impl Check {
    /// Something that is well.
    pub(crate) fn ok(area: &'static str, name: &'static str, detail: impl Into<String>) -> Self {
        Self {
            area,
            name,
            status: Status::Ok,
            detail: detail.into(),
            cost: None,
            fix: None,
        }
    }

    /// The same thing with something less: the price, and how to avoid it.
    pub(crate) fn limited(self, cost: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            status: Status::Limited,
            cost: Some(cost.into()),
            fix: Some(fix.into()),
            ..self
        }
    }

    /// The same thing where nothing runs without it.
    pub(crate) fn missing(self, cost: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            status: Status::Missing,
            ..self.limited(cost, fix)
        }
    }
}

/// The report as JSON.
#[derive(Debug, Serialize)]
pub(crate) struct Report<'a> {
    /// Whether containers run here at all.
    pub(crate) containers_run: bool,
    /// Every check.
    pub(crate) checks: &'a [Check],
}

/// Whether nothing is missing that every container needs.
pub(crate) fn containers_run(checks: &[Check]) -> bool {
    checks.iter().all(|check| check.status != Status::Missing)
}

/// Where the price and the way out of a check begin, in characters.
const COLUMN: usize = 20;

/// The report as text; with `width`, long lines are broken to fit.
pub(crate) fn text(checks: &[Check], style: Style, width: Option<usize>) -> String {
    let mut text = String::new();
    let mut area = "";
    let names = checks
        .iter()
        .map(|check| check.name.len())
        .max()
        .unwrap_or(0);
    for check in checks {
        if check.area != area {
            area = check.area;
            text.push_str(&format!("{}\n", style.strong(area)));
        }
        let (word, paint): (&str, fn(Style, &str) -> String) = match check.status {
            Status::Ok => ("ok     ", Style::good),
            Status::Limited => ("limited", Style::doubtful),
            Status::Missing => ("missing", Style::bad),
        };
        let (word, name) = (paint(style, word), check.name);
        let detail = wrap(&check.detail, width, 2 + 7 + 2 + names + 2);
        text.push_str(&format!("  {word}  {name:<names$}  {detail}\n"));
        for (label, line) in [("costs:", &check.cost), ("fix:  ", &check.fix)] {
            if let Some(line) = line {
                let line = wrap(line, width, COLUMN);
                text.push_str(&format!("{:13}{} {line}\n", "", style.hint(label)));
            }
        }
    }
    let limited = checks
        .iter()
        .filter(|check| check.status == Status::Limited)
        .count();
    let missing = checks
        .iter()
        .filter(|check| check.status == Status::Missing)
        .count();
    text.push('\n');
    text.push_str(&match (missing, limited) {
        (0, 0) => "Containers run here, and nothing is missing.\n".to_owned(),
        (0, 1) => "Containers run here, with 1 limit.\n".to_owned(),
        (0, limited) => format!("Containers run here, with {limited} limits.\n"),
        (1, _) => "No container runs here until 1 thing is fixed.\n".to_owned(),
        (missing, _) => format!("No container runs here until {missing} things are fixed.\n"),
    });
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_names_price_and_way_out_of_what_is_not_well() {
        let checks = [
            Check::ok("kernel", "openat2", "answers"),
            Check::ok("users", "subuid", "no range")
                .limited("one id only", "usermod --add-subuids"),
        ];
        let text = text(&checks, Style::PLAIN, None);
        assert_eq!(
            text,
            "kernel\n  ok       openat2  answers\nusers\n  limited  subuid   no range\n\
             \x20            costs: one id only\n             fix:   usermod --add-subuids\n\n\
             Containers run here, with 1 limit.\n"
        );
        assert!(containers_run(&checks));
    }

    #[test]
    fn what_is_missing_decides() {
        let checks =
            [Check::ok("kernel", "mounts", "ENOSYS").missing("everything", "a newer kernel")];
        assert!(!containers_run(&checks));
        assert!(text(&checks, Style::PLAIN, None).contains("No container runs here until 1 thing"));
    }
}

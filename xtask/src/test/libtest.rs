//! Reading what `cargo test` itself prints, for machines without cargo-nextest and for the
//! examples in the documentation, which nextest does not run.

use super::results::{Outcome, Results};

/// The outcome of every test in the output of `cargo test … -- --show-output`.
pub(super) fn parse(output: &str) -> Results {
    let mut results = Results::default();
    let mut binary = String::new();
    let mut section: Option<String> = None;
    for line in output.lines() {
        let text = line.trim();
        if let Some(rest) = text
            .strip_prefix("Running ")
            .or_else(|| text.strip_prefix("Doc-tests "))
        {
            binary = rest.split(" (").next().unwrap_or(rest).to_owned();
            section = None;
        } else if let Some((name, end)) = result(text) {
            let name = format!("{binary} {name}");
            match end {
                "ok" => results.add(&name, Outcome::Passed),
                "FAILED" => results.add(&name, Outcome::Failed("FAILED".into())),
                other => {
                    let reason = other.trim_start_matches("ignored").trim_start_matches(", ");
                    let reason = if reason.is_empty() {
                        "marked as ignored"
                    } else {
                        reason
                    };
                    results.add(&name, Outcome::Skipped(reason.to_owned()));
                }
            }
        } else if let Some(name) = text
            .strip_prefix("---- ")
            .and_then(|rest| rest.strip_suffix(" stdout ----"))
        {
            section = Some(format!("{binary} {name}"));
        } else if let (Some(name), Some(reason)) = (&section, text.strip_prefix("skipped: ")) {
            results.mark_skipped(&format!("{name}: {reason}"));
        }
    }
    results
}

/// `test NAME ... ok`, `… FAILED`, `… ignored` or `… ignored, REASON`.
fn result(text: &str) -> Option<(&str, &str)> {
    let (name, end) = text.strip_prefix("test ")?.split_once(" ... ")?;
    let known = end == "ok" || end == "FAILED" || end.starts_with("ignored");
    known.then_some((name, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_is_counted_once() {
        let output = "
     Running unittests src/lib.rs (target/debug/deps/dhow_sys-1)

running 4 tests
test path::a ... ok
test path::b ... FAILED
test path::c ... ignored
test path::d ... ok

successes:

---- path::d stdout ----
skipped: needs root

failures:

---- path::b stdout ----
no

test result: FAILED. 2 passed; 1 failed; 1 ignored
";
        let results = parse(output);
        assert_eq!(results.last_line(), "1 passed, 1 failed, 2 skipped");
        assert_eq!(
            results.skipped()["unittests src/lib.rs path::d"],
            "needs root"
        );
    }
}

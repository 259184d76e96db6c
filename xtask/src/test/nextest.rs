//! Reading what cargo-nextest prints: it runs each test in a process of its own, with a time limit
//! for each, which is what tests of a container runtime need.

use super::results::{Outcome, Results};

/// Arguments that make the output complete and readable by [`parse`].
pub(super) const ARGUMENTS: [&str; 9] = [
    "--no-fail-fast",
    "--no-tests=pass",
    "--color=never",
    "--status-level=all",
    "--final-status-level=none",
    "--success-output=immediate",
    "--failure-output=immediate",
    "--show-progress=none",
    "--hide-progress-bar",
];

/// One line `PASS [ 0.003s] (1/20) package::binary module::test`.
struct Status<'a> {
    word: &'a str,
    name: &'a str,
}

/// The outcome of every test in the output of one run. With `filtered`, tests that did not run
/// were not asked for; otherwise they are marked as ignored in the source.
pub(super) fn parse(output: &str, filtered: bool) -> Results {
    let mut results = Results::default();
    let mut current: Option<(String, Outcome, String)> = None;
    for line in output.lines() {
        let text = line.trim_start();
        if text.starts_with("Summary [") {
            break;
        }
        if let Some(status) = status(text) {
            finish(&mut results, current.take());
            let outcome = match status.word {
                "PASS" | "LEAK" => Outcome::Passed,
                "SKIP" if !filtered => Outcome::Skipped("marked as ignored".into()),
                "SKIP" | "SLOW" | "START" | "TERMINATING" => continue,
                // A test that is tried again prints its end on a line of its own.
                word if word.starts_with("TRY") => continue,
                word if word.starts_with("FLAKY") => Outcome::Passed,
                word => Outcome::Failed(word.to_owned()),
            };
            current = Some((status.name.to_owned(), outcome, String::new()));
        } else if let Some((_, outcome, said)) = &mut current {
            if let (Outcome::Passed, Some(reason)) = (&*outcome, text.strip_prefix("skipped: ")) {
                *outcome = Outcome::Skipped(reason.trim().to_owned());
            }
            said.push_str(line);
            said.push('\n');
        }
    }
    finish(&mut results, current);
    results
}

fn finish(results: &mut Results, test: Option<(String, Outcome, String)>) {
    match test {
        Some((name, Outcome::Failed(word), said)) => {
            results.add(&name, Outcome::Failed(format!("{word}\n{said}")));
        }
        Some((name, outcome, _)) => results.add(&name, outcome),
        None => {}
    }
}

fn status(text: &str) -> Option<Status<'_>> {
    let (word, rest) = text.split_once('[')?;
    let word = word.trim();
    let known = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || " -/+".contains(c);
    if word.is_empty()
        || !word.starts_with(|c: char| c.is_ascii_uppercase())
        || !word.chars().all(known)
    {
        return None;
    }
    let (time, rest) = rest.split_once(']')?;
    if !time
        .chars()
        .all(|c| c.is_ascii_digit() || " .s>".contains(c))
    {
        return None;
    }
    let rest = rest.trim_start();
    let name = match rest.strip_prefix('(') {
        Some(counted) => counted.split_once(')')?.1.trim(),
        None => rest,
    };
    Some(Status {
        word,
        name: name.trim(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "
    Finished `test` profile in 0.01s
────────────
 Nextest run ID 1 with nextest profile: default
    Starting 4 tests across 1 binary
        PASS [   0.003s] (1/4) dhow-sys path::tests::a
        PASS [   0.003s] (2/4) dhow-tests::suite verbs::limits
  stdout ───

    running 1 test
    skipped: needs cgroup2
    test verbs::limits ... ok

        SLOW [>  1.000s] (─────) dhow-tests::suite verbs::c
        FAIL [   0.004s] (3/4) dhow-tests::suite verbs::b
  stderr ───
    assertion failed
     TIMEOUT [   5.000s] (4/4) dhow-tests::suite verbs::c
        SKIP [         ] dhow-tests::suite verbs::d
────────────
     Summary [   5.0s] 4 tests run: 2 passed, 1 failed, 1 timed out, 1 skipped
        FAIL [   0.004s] (3/4) dhow-tests::suite verbs::b
";

    #[test]
    fn every_outcome_is_counted_once() {
        let results = parse(OUTPUT, false);
        assert_eq!(results.last_line(), "1 passed, 2 failed, 2 skipped");
        assert_eq!(
            results.skipped()["dhow-tests::suite verbs::limits"],
            "needs cgroup2"
        );
        assert_eq!(
            results.skipped()["dhow-tests::suite verbs::d"],
            "marked as ignored"
        );
    }

    #[test]
    fn what_a_filter_left_out_is_not_skipped() {
        assert_eq!(parse(OUTPUT, true).skipped().len(), 1);
    }

    #[test]
    fn what_a_test_prints_is_not_a_status() {
        let output = "PASS [ 0.1s] (1/1) a b\n    FAILED [x] no\n    note [12] PASS\n";
        assert_eq!(
            parse(output, false).last_line(),
            "1 passed, 0 failed, 0 skipped"
        );
    }
}

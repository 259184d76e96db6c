//! Counting: what passed, what failed and what could not run, by name, over several runs of the
//! same tests (on this host, in the test VM as root, in the test VM as an ordinary user).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// How a check or test ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It held.
    Passed,
    /// It did not: with what it said.
    Failed(String),
    /// It could not run: with the reason.
    Skipped(String),
}

/// All outcomes so far.
#[derive(Debug, Default)]
pub(super) struct Results {
    outcomes: Vec<(String, Outcome)>,
}

impl Results {
    /// Adds one outcome.
    pub(super) fn add(&mut self, name: &str, outcome: Outcome) {
        self.outcomes.push((name.to_owned(), outcome));
    }

    /// Adds the outcomes of another run.
    pub(super) fn extend(&mut self, other: Results) {
        self.outcomes.extend(other.outcomes);
    }

    /// The same outcomes as those of another run of the same tests.
    pub(super) fn named(mut self, run: &str) -> Results {
        for (name, _) in &mut self.outcomes {
            *name = format!("{run} {name}");
        }
        self
    }

    /// How many failed.
    pub(super) fn failed(&self) -> usize {
        self.failures().count()
    }

    /// What failed, with what it said.
    pub(super) fn failures(&self) -> impl Iterator<Item = (&str, &str)> {
        self.outcomes
            .iter()
            .filter_map(|(name, outcome)| match outcome {
                Outcome::Failed(why) => Some((name.as_str(), why.as_str())),
                _ => None,
            })
    }

    /// How many passed: a test that ran twice, on two kernels, passed twice.
    pub(super) fn passed(&self) -> usize {
        self.outcomes
            .iter()
            .filter(|(_, outcome)| *outcome == Outcome::Passed)
            .count()
    }

    /// What ran nowhere, with the reason of its last try.
    pub(super) fn skipped(&self) -> BTreeMap<&str, &str> {
        let mut ran = BTreeSet::new();
        let mut skipped = BTreeMap::new();
        for (name, outcome) in &self.outcomes {
            match outcome {
                Outcome::Skipped(reason) => {
                    skipped.insert(name.as_str(), reason.as_str());
                }
                _ => {
                    ran.insert(name.as_str());
                }
            }
        }
        skipped.retain(|name, _| !ran.contains(name));
        skipped
    }

    /// Turns the passes of tests that say they were skipped into skips. `line` is `NAME: REASON`.
    pub(super) fn mark_skipped(&mut self, line: &str) {
        let Some((name, reason)) = line.split_once(": ") else {
            return;
        };
        for (own, outcome) in &mut self.outcomes {
            // Ours begins with the binary's name, and theirs may begin with the crate's.
            let test = own.rsplit(' ').next().unwrap_or(own);
            let longer = name.strip_suffix(test);
            let same =
                name == own || name == test || longer.is_some_and(|before| before.ends_with("::"));
            if same && *outcome == Outcome::Passed {
                *outcome = Outcome::Skipped(reason.trim().to_owned());
            }
        }
    }

    /// The names of what failed and of what was skipped, with why.
    pub(super) fn report(&self) -> String {
        let mut text = String::new();
        let skipped = self.skipped();
        let mut reasons: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (name, reason) in skipped {
            reasons.entry(reason).or_default().push(name);
        }
        for (reason, names) in reasons {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "skipped: {reason}");
            for name in names {
                let _ = writeln!(text, "    {name}");
            }
        }
        let mut failed: BTreeMap<&str, usize> = BTreeMap::new();
        for (name, _) in self.failures() {
            *failed.entry(name).or_default() += 1;
        }
        for (name, runs) in failed {
            let times = if runs > 1 {
                format!(" (in {runs} runs)")
            } else {
                String::new()
            };
            let _ = writeln!(text, "failed: {name}{times}");
        }
        text
    }

    /// The numbers, in the form that other programs read.
    pub(super) fn last_line(&self) -> String {
        let (passed, failed, skipped) = (self.passed(), self.failed(), self.skipped().len());
        format!("{passed} passed, {failed} failed, {skipped} skipped")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results(outcomes: &[(&str, Outcome)]) -> Results {
        let mut results = Results::default();
        for (name, outcome) in outcomes {
            results.add(name, outcome.clone());
        }
        results
    }

    #[test]
    fn a_skip_is_not_a_pass() {
        let mut results = results(&[
            ("suite a::b", Outcome::Passed),
            ("suite a::c", Outcome::Passed),
        ]);
        results.mark_skipped("suite::a::b: needs cgroup2");
        assert_eq!(results.last_line(), "1 passed, 0 failed, 1 skipped");
        assert!(
            results
                .report()
                .contains("skipped: needs cgroup2\n    suite a::b")
        );
    }

    #[test]
    fn a_test_that_ran_somewhere_is_not_skipped() {
        let results = results(&[
            ("t", Outcome::Skipped("needs cgroup2".into())),
            ("t", Outcome::Passed),
            ("u", Outcome::Skipped("needs a".into())),
            ("u", Outcome::Skipped("needs b".into())),
        ]);
        assert_eq!(results.last_line(), "1 passed, 0 failed, 1 skipped");
        assert_eq!(results.skipped()["u"], "needs b");
    }

    #[test]
    fn a_failure_stays_a_failure() {
        let mut results = results(&[("t", Outcome::Failed("x".into())), ("t", Outcome::Passed)]);
        results.mark_skipped("t: needs nothing");
        assert_eq!(results.failed(), 1);
        assert!(results.report().contains("failed: t"));
    }
}

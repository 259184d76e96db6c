//! What libFuzzer's output says of one run.

use std::fmt;
use std::path::PathBuf;

use crate::child::Finished;

/// How fuzzing of one target ended.
#[derive(Debug)]
pub(crate) struct Verdict {
    /// The target's name.
    pub(crate) target: &'static str,
    /// What broke, with how to see it again.
    pub(crate) failure: Option<String>,
    /// Something to know that is no failure.
    pub(crate) note: Option<String>,
    /// The input that broke it.
    pub(super) artifact: Option<PathBuf>,
    inputs: u64,
    seconds: u64,
    coverage: String,
}

impl Verdict {
    pub(super) fn read(target: &str, finished: &Finished) -> Self {
        let lines = || finished.output.lines();
        let inputs = lines()
            .filter_map(|line| line.strip_prefix("stat::number_of_executed_units:"))
            .find_map(|text| text.trim().parse().ok());
        // `#1234 REDUCE cov: 567 ft: 890 corp: …`
        let coverage = lines()
            .filter_map(|line| line.split_once(" cov: "))
            .filter_map(|(_, rest)| rest.split_ascii_whitespace().next())
            .next_back();
        let artifact = lines().find_map(|line| line.split_once("Test unit written to "));
        let failure = (!finished.success()).then(|| {
            let outcome = finished.outcome();
            format!("{outcome}\n{}", words(&finished.output))
        });
        Self {
            target: super::TARGETS
                .into_iter()
                .find(|one| *one == target)
                .unwrap_or("unknown"),
            failure,
            note: None,
            artifact: artifact.map(|(_, path)| path.trim().into()),
            inputs: inputs.unwrap_or(0),
            seconds: finished.took.as_secs().max(1),
            coverage: coverage.unwrap_or("0").to_owned(),
        }
    }

    /// The figures: how many inputs, how many a second, how many places of the program reached.
    pub(crate) fn figures(&self) -> String {
        format!(
            "{} inputs, {} a second, {} places reached",
            self.inputs,
            self.inputs / self.seconds,
            self.coverage
        )
    }
}

/// What the target said when it broke, without libFuzzer's progress and the inside of the stack.
fn words(output: &str) -> String {
    let from = output
        .find("panicked at")
        .or_else(|| output.find("ERROR:"))
        .map_or(0, |at| output[..at].rfind('\n').unwrap_or(0));
    let lines = output[from..].lines().filter(|line| !line.starts_with('#'));
    lines.take(40).collect::<Vec<_>>().join("\n")
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.failure.is_some() {
            "FAILED "
        } else {
            "ok     "
        };
        write!(f, "{word} fuzz::{} ({})", self.target, self.figures())?;
        for more in [&self.note, &self.failure].into_iter().flatten() {
            write!(f, "\n{more}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn finished(output: &str) -> Finished {
        Finished {
            status: None,
            output: output.to_owned(),
            took: Duration::from_secs(10),
        }
    }

    #[test]
    fn figures_are_read() {
        let output = "#2 INITED cov: 24 ft: 24 corp: 1/1b\n#9 DONE   cov: 28 ft: 30 corp: 8/45b\n\
            stat::number_of_executed_units: 900\n";
        let verdict = Verdict::read("spec", &finished(output));
        assert_eq!(
            verdict.figures(),
            "900 inputs, 90 a second, 28 places reached"
        );
    }

    #[test]
    fn a_crash_is_shown_with_its_words_and_its_input() {
        let output = "#2 INITED cov: 24\nthread panicked at src/x.rs:1:\nassertion\n#7 NEW cov: 1\n\
            artifact_prefix='./'; Test unit written to /t/crash-1\n";
        let verdict = Verdict::read("spec", &finished(output));
        assert_eq!(verdict.artifact, Some("/t/crash-1".into()));
        let failure = verdict.failure.expect("it did not end with 0");
        assert!(
            failure.contains("assertion") && !failure.contains("INITED"),
            "{failure}"
        );
    }
}

//! The step that fuzzes: each target counts as one test, `fuzz::NAME`.

use super::results::{Outcome, Results};
use crate::error::Error;
use crate::fuzz::{Fuzzer, SECONDS, TARGETS};

/// How much longer each target is fuzzed in the long profile.
const LONG: u64 = 5;

/// Fuzzes every target, or with a filter those whose name contains it. A word of other tests must not cost
/// minutes here, so it has to begin like the name: `fuzz`, `fuzz::spec`.
///
/// # Errors
/// When Cargo or a target cannot be run at all.
pub(super) fn run(filter: Option<&str>, long: bool, results: &mut Results) -> Result<(), Error> {
    let wanted = |target: &&str| {
        filter.is_none_or(|word| format!("fuzz::{target}").starts_with(word) && word.len() > 3)
    };
    let targets: Vec<&str> = TARGETS.into_iter().filter(wanted).collect();
    if targets.is_empty() {
        return Ok(());
    }
    let fuzzer = match Fuzzer::build() {
        Ok(fuzzer) => fuzzer,
        Err(error) => {
            let missing = matches!(error, Error::Missing { .. });
            for target in targets {
                let why = error.to_string();
                let outcome = if missing {
                    Outcome::Skipped(why)
                } else {
                    Outcome::Failed(why)
                };
                super::verdict(&format!("fuzz::{target}"), outcome, results);
            }
            return Ok(());
        }
    };
    let seconds = if long { SECONDS * LONG } else { SECONDS };
    fuzzer.run(&targets, seconds, &mut |verdict| {
        println!("{verdict}");
        let name = format!("fuzz::{}", verdict.target);
        let outcome = verdict.failure.map_or(Outcome::Passed, Outcome::Failed);
        results.add(&name, outcome);
    })
}

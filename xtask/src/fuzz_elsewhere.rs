//! Fuzzing elsewhere than on Linux: what is fuzzed is the Linux half.

use std::process::ExitCode;

use crate::error::Error;

/// Every target, by its name.
pub(crate) const TARGETS: [&str; 0] = [];
/// For how long each is fuzzed when nobody says, in seconds.
pub(crate) const SECONDS: u64 = 60;

/// `cargo xtask fuzz`.
///
/// # Errors
/// Always.
pub(crate) fn task(_: lexopt::Parser) -> Result<ExitCode, Error> {
    Fuzzer::build().map(|_| ExitCode::SUCCESS)
}

/// Nothing.
pub(crate) struct Fuzzer;

/// Never made.
pub(crate) struct Verdict {
    /// The target's name.
    pub(crate) target: &'static str,
    /// What broke.
    pub(crate) failure: Option<String>,
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.target)
    }
}

impl Fuzzer {
    /// # Errors
    /// Always.
    pub(crate) fn build() -> Result<Self, Error> {
        Err(Error::Missing {
            tool: "Linux".into(),
            why: "the targets of fuzz/ are its half of dhow".into(),
        })
    }

    /// # Errors
    /// Never: there are no targets.
    pub(crate) fn run(
        &self,
        _: &[&str],
        _: u64,
        _: &mut (dyn FnMut(Verdict) + Send),
    ) -> Result<(), Error> {
        Ok(())
    }
}

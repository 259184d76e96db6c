//! The benchmarks compare Linux container runtimes; on other systems there is nothing to measure.

use std::process::ExitCode;

use crate::error::Error;

/// Says that benchmarks need Linux.
///
/// # Errors
/// Always.
pub(crate) fn task(_arguments: lexopt::Parser) -> Result<ExitCode, Error> {
    Err(Error::Missing {
        tool: "Linux".into(),
        why: "the benchmarks compare Linux container runtimes".into(),
    })
}

//! The suite with AddressSanitizer elsewhere than on Linux: there are no containers to run.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::results::{Outcome, Results};
use crate::error::Error;
use crate::repository::Metadata;

/// Skips.
///
/// # Errors
/// Never.
pub(super) fn run(
    _: &Metadata,
    _: &BTreeMap<String, PathBuf>,
    _: Option<&str>,
    results: &mut Results,
) -> Result<(), Error> {
    let why = "containers run on Linux".to_owned();
    let mut run = Results::default();
    super::verdict(
        "suite with AddressSanitizer",
        Outcome::Skipped(why),
        &mut run,
    );
    results.extend(run.named("asan"));
    Ok(())
}

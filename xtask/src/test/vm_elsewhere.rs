//! The test VM is a Linux program.

use super::results::{Outcome, Results};
use super::suite::Suite;
use crate::error::Error;
use crate::repository::Metadata;

/// Counts the part as skipped.
///
/// # Errors
/// Never; the Linux half can fail.
#[allow(clippy::unnecessary_wraps)]
pub(super) fn run(
    _metadata: &Metadata,
    _suite: &Suite<'_>,
    results: &mut Results,
) -> Result<(), Error> {
    results.add(
        "test VM",
        Outcome::Skipped("the test VM needs a Linux host".into()),
    );
    Ok(())
}

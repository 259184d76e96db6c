//! Where there is nothing to read the walls from: systems other than Linux.

use crate::page::Fact;

/// What can be said without Linux's procfs.
pub(crate) fn facts() -> Vec<Fact> {
    vec![Fact::new(
        "system",
        format!(
            "{}: what isolates a process here cannot be read from inside",
            std::env::consts::OS
        ),
    )]
}

/// What to try next.
pub(crate) fn closing() -> Vec<(&'static str, &'static str)> {
    vec![("dhow doctor", "what this host offers")]
}

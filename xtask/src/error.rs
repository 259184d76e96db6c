//! What can go wrong in a developer task. A finding of a check is not an error: it is counted
//! and printed by the check itself.

use std::io;
use std::path::PathBuf;

/// Why a task could not do its work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The command line was wrong.
    #[error("{0} (see: cargo xtask help)")]
    Usage(#[from] lexopt::Error),
    /// There is no task of that name.
    #[error("there is no task {task:?} (see: cargo xtask help)")]
    UnknownTask {
        /// The name that was given.
        task: String,
    },
    /// A program could not be started or waited for.
    #[error("cannot run {program}")]
    Run {
        /// The program's name.
        program: String,
        /// What the system said.
        source: io::Error,
    },
    /// A program ran and failed.
    #[error("{program} failed ({outcome}):\n{output}")]
    Failed {
        /// The program and its arguments.
        program: String,
        /// Exit code, signal or time-out.
        outcome: String,
        /// The end of what it printed.
        output: String,
    },
    /// A file could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file could not be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Something that should be JSON was not.
    #[error("cannot understand {what}")]
    Json {
        /// Where the text came from.
        what: String,
        /// Where it stopped making sense.
        source: serde_json::Error,
    },
    /// A text we read does not have the form we agreed on.
    #[error("{what}: {why}")]
    Form {
        /// The document.
        what: String,
        /// What is missing or wrong, and how to mend it.
        why: String,
    },
    /// Something that the task cannot do without is not there.
    #[error("{tool} is needed: {why}")]
    Missing {
        /// The program or the right.
        tool: String,
        /// What for, and where it comes from.
        why: String,
    },
}

//! What the user sees when something fails, and the exit code that scripts see.

use crate::output::style::Style;
use crate::output::table::printable;
use std::io::Write;
use std::path::PathBuf;

/// A failed command.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The engine refused or failed.
    #[error(transparent)]
    Engine(#[from] dhow_engine::Error),
    /// An option that docker or podman has and dhow does not have yet.
    #[error("{what} is not in dhow yet")]
    NotYet {
        /// The option or command.
        what: String,
        /// What to do instead.
        instead: &'static str,
    },
    /// Options that cannot be had together, or a value of the wrong form.
    #[error("{what}: {reason}")]
    Usage {
        /// The option or argument.
        what: String,
        /// What is wrong with it, and which form is right.
        reason: String,
    },
    /// A file named on the command line cannot be read.
    #[error("cannot read {}", path.display())]
    ReadFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write to {}", path.display())]
    WriteFile {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A program of ours that must stand beside this one does not.
    #[error("cannot find {program}, which belongs beside dhow")]
    NoSibling {
        /// Its name.
        program: &'static str,
    },
    /// Standard output cannot be written, for instance to a full disk.
    #[error("cannot write the output")]
    Output(#[source] std::io::Error),
    /// An answer cannot be written as JSON.
    #[error("cannot write the answer as JSON")]
    Document(#[source] serde_json::Error),
    /// Some of several things failed; the others were done.
    #[error("{} of the names failed", .0.len())]
    Several(Vec<Error>),
}

/// What to do when an image is not in the store.
const NO_IMAGE: &str = "dhow fetches nothing from registries yet: `dhow images` lists what is here, and \
                        `docker save IMAGE | dhow load` (or podman save, or skopeo copy) brings one in";

impl Error {
    /// 126 and 127 for a program that cannot be executed or found in the container, else 125.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Engine(error) => error.exit_code(),
            _ => crate::FAILED,
        }
    }

    fn step(&self) -> Option<&str> {
        match self {
            Self::Engine(error) => error.step(),
            _ => None,
        }
    }

    fn causes(&self) -> Vec<String> {
        match self {
            Self::Engine(error) => error.causes(),
            error => std::error::Error::source(error)
                .map(ToString::to_string)
                .into_iter()
                .collect(),
        }
    }

    fn hint(&self) -> Option<&str> {
        match self {
            Self::Engine(error @ dhow_engine::Error::Image { doing, .. }) => {
                let looking = doing.starts_with("find the image");
                let missing = looking && error.kind() == dhow_engine::Kind::NotFound;
                error.hint().or_else(|| missing.then_some(NO_IMAGE))
            }
            Self::Engine(error) => error.hint(),
            Self::NotYet { instead, .. } => Some(instead),
            Self::NoSibling { .. } => Some("install all programs of dhow in one directory"),
            _ => None,
        }
    }
}

/// The message: what failed, in which step, why, and what helps. Control characters are shown, not
/// sent: parts of a message may come from an image.
pub(crate) fn layout(error: &Error, style: Style) -> String {
    if let Error::Several(errors) = error {
        return errors.iter().map(|error| layout(error, style)).collect();
    }
    let mut text = format!("{} {}\n", style.bad("error:"), indented(&error.to_string()));
    let mut line = |label: &str, content: &str| {
        text.push_str(&format!("  {label} {}\n", indented(content)));
    };
    if let Some(step) = error.step() {
        line("in step:", step);
    }
    let mut before = error.to_string();
    for cause in error.causes() {
        // Some errors already end with the words of the one underneath.
        if !before.contains(&cause) {
            line("caused by:", &cause);
        }
        before = cause;
    }
    if let Some(hint) = error.hint() {
        line(&style.hint("hint:"), hint);
    }
    text
}

/// The text with its further lines indented below the first, without the numbers that Rust adds to
/// the system's messages.
fn indented(text: &str) -> String {
    let plain = |line: &str| match line
        .strip_suffix(')')
        .and_then(|line| line.rsplit_once(" (os error "))
    {
        Some((words, number)) if number.bytes().all(|digit| digit.is_ascii_digit()) => {
            printable(words)
        }
        _ => printable(line),
    };
    let lines: Vec<String> = text.trim().lines().map(plain).collect();
    lines.join("\n    ")
}

/// Writes the message to standard error; if that is gone too, the exit code must do.
pub(crate) fn print(error: &Error) {
    let text = layout(error, Style::of_errors());
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layout_has_one_line_each_for_what_why_and_way_out() {
        let error = Error::NotYet {
            what: "--publish".into(),
            instead: "use --network host",
        };
        assert_eq!(
            layout(&error, Style::PLAIN),
            "error: --publish is not in dhow yet\n  hint: use --network host\n"
        );
        let error = Error::ReadFile {
            path: "/no/such".into(),
            source: std::io::Error::from_raw_os_error(2),
        };
        assert_eq!(
            layout(&error, Style::PLAIN),
            "error: cannot read /no/such\n  caused by: No such file or directory\n"
        );
    }

    #[test]
    fn several_failures_are_told_one_by_one() {
        let usage = |what: &str| Error::Usage {
            what: what.into(),
            reason: "no".into(),
        };
        let text = layout(&Error::Several(vec![usage("a"), usage("b")]), Style::PLAIN);
        assert_eq!(text, "error: a: no\nerror: b: no\n");
    }

    #[test]
    fn an_image_cannot_paint_the_terminal_through_a_message() {
        let error = Error::Usage {
            what: "x".into(),
            reason: "first\n\x1b]0;owned\x07".into(),
        };
        let text = layout(&error, Style::PLAIN);
        assert_eq!(text, "error: x: first\n    \\u{1b}]0;owned\\u{7}\n");
    }

    #[test]
    fn an_engine_error_keeps_its_exit_code() {
        let missing = dhow_engine::Error::NoSuchContainer { name: "x".into() };
        let error = Error::from(missing);
        assert_eq!(error.exit_code(), 125);
        assert!(layout(&error, Style::PLAIN).starts_with("error: no container has the name"));
    }
}

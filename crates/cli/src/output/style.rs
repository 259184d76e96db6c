//! Colour, where it is welcome: a terminal, and a user who has not asked for none.

use std::io::IsTerminal;

/// Whether and how text is painted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Style {
    colour: bool,
}

impl Style {
    /// Never any colour.
    #[cfg(test)]
    pub(crate) const PLAIN: Self = Self { colour: false };

    /// For standard output.
    pub(crate) fn of_output() -> Self {
        Self::of(std::io::stdout().is_terminal(), |name| {
            std::env::var(name).ok()
        })
    }

    /// For standard error.
    pub(crate) fn of_errors() -> Self {
        Self::of(std::io::stderr().is_terminal(), |name| {
            std::env::var(name).ok()
        })
    }

    /// The rule: `NO_COLOR` wins, then `CLICOLOR_FORCE`, then the terminal, unless it is a dumb one
    /// (<https://no-color.org>, <https://bixense.com/clicolors>).
    fn of(terminal: bool, variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name| variable(name).is_some_and(|value| !value.is_empty() && value != "0");
        let refused = variable("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = variable("TERM").is_some_and(|value| value == "dumb");
        Self {
            colour: !refused && (set("CLICOLOR_FORCE") || (terminal && !dumb)),
        }
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.colour {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    /// What stands out.
    pub(crate) fn strong(self, text: &str) -> String {
        self.paint("1", text)
    }

    /// What steps back.
    pub(crate) fn faint(self, text: &str) -> String {
        self.paint("2", text)
    }

    /// What went wrong.
    pub(crate) fn bad(self, text: &str) -> String {
        self.paint("1;31", text)
    }

    /// What deserves a second look.
    pub(crate) fn doubtful(self, text: &str) -> String {
        self.paint("33", text)
    }

    /// What is well.
    pub(crate) fn good(self, text: &str) -> String {
        self.paint("32", text)
    }

    /// What helps.
    pub(crate) fn hint(self, text: &str) -> String {
        self.paint("36", text)
    }
}

#[cfg(test)]
mod tests {
    use super::Style;

    fn style(terminal: bool, set: &[(&str, &str)]) -> bool {
        let find = |name: &str| {
            let found = set.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Style::of(terminal, find).colour
    }

    #[test]
    fn colour_needs_a_terminal_and_consent() {
        assert!(style(true, &[]));
        assert!(!style(false, &[]));
        assert!(!style(true, &[("NO_COLOR", "1")]));
        assert!(style(true, &[("NO_COLOR", "")]));
        assert!(!style(true, &[("TERM", "dumb")]));
        assert!(style(false, &[("CLICOLOR_FORCE", "1")]));
        assert!(!style(false, &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
    }
}

//! How the facts are laid out: a label and a sentence each, never wider than 80 characters.

/// The widest line, in characters: what every terminal has.
const WIDTH: usize = 80;
/// Where the sentences begin.
const COLUMN: usize = 16;

/// One wall, or its absence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fact {
    /// What it is about, in one or two words.
    pub(crate) label: &'static str,
    /// What is true of it.
    pub(crate) text: String,
}

impl Fact {
    /// A fact about `label`.
    pub(crate) fn new(label: &'static str, text: impl Into<String>) -> Self {
        Self {
            label,
            text: text.into(),
        }
    }
}

/// The whole page; with `colour` labels and commands stand out.
pub(crate) fn render(facts: &[Fact], closing: &[(&str, &str)], colour: bool) -> String {
    let paint = |code: &str, text: &str| {
        if colour {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    };
    let mut page = format!(
        "{}\n\nI am an ordinary process. This is what the kernel puts around me:\n\n",
        paint("1", "Hello from dhow.")
    );
    for fact in facts {
        let mut label = fact.label;
        for line in wrap(&fact.text, WIDTH - COLUMN) {
            let padded = format!("  {label:<0$}", COLUMN - 2);
            page.push_str(&paint("36", &padded));
            page.push_str(&line);
            page.push('\n');
            label = "";
        }
    }
    page.push_str("\nTo see more:\n");
    for (command, meaning) in closing {
        let padded = format!("{command:<30}");
        page.push_str(&format!("  {}  {meaning}\n", paint("32", &padded)));
    }
    page
}

/// Breaks at spaces so that no line is longer than `width`, unless one word is.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().filter(|line| {
            line.is_empty() || line.chars().count() + 1 + word.chars().count() <= width
        });
        match line {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) => {
                line.push(' ');
                line.push_str(word);
            }
            None => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(colour: bool) -> String {
        let long = "chown dac_override fowner fsetid kill net_bind_service setfcap setgid setpcap";
        let facts = [Fact::new("user", "root"), Fact::new("capabilities", long)];
        render(&facts, &[("dhow doctor", "what this host offers")], colour)
    }

    #[test]
    fn no_line_is_wider_than_a_terminal_and_continuations_are_aligned() {
        let page = page(false);
        assert!(
            page.lines().all(|line| line.chars().count() <= WIDTH),
            "{page}"
        );
        assert!(
            page.contains("\n                setgid setpcap\n"),
            "{page}"
        );
    }

    #[test]
    fn a_pipe_gets_no_escape_sequence_and_a_terminal_does() {
        assert!(!page(false).contains('\x1b'));
        assert!(page(true).contains("\x1b[36m"));
    }
}

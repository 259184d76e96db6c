//! `--explain`: the birth of a container, told step by step from the runtime's own plan.
//!
//! The narration goes to standard error, so that the container's own output stays clean; with
//! `--dry-run` there is no container, and it goes to standard output. It is the plan that is carried
//! out, not a description kept beside it.

use super::flags::Form;
use crate::error::Error;
use crate::output::style::Style;
use crate::output::table::printable;
use crate::output::{json, short};
use dhow_engine::Plan;
use serde::Deserialize;
use std::io::Write;

/// The part of the runtime's plan that is told.
#[derive(Debug, Deserialize)]
struct Told {
    steps: Vec<Step>,
}

/// One step.
#[derive(Debug, Deserialize)]
struct Step {
    /// What is done, with its particulars.
    what: String,
    /// Why.
    why: String,
    /// The man page or the clause of the specification.
    #[serde(default)]
    source: String,
}

/// Where the narration goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum To {
    /// Beside a container that will use standard output itself.
    Errors,
    /// There is nothing else to read.
    Output,
}

/// Tells a plan.
///
/// # Errors
/// A plan without steps (of another runtime), or a standard output that cannot take it.
pub(super) fn narrate(plan: &Plan, form: Form, to: To) -> Result<(), Error> {
    let style = match to {
        To::Errors => Style::of_errors(),
        To::Output => Style::of_output(),
    };
    let text = match form {
        Form::Json => json::document(&plan.0)?,
        Form::Text => tell(&Told::deserialize(&plan.0).map_err(Error::Document)?, style),
    };
    if to == To::Output {
        return crate::output::print(&text);
    }
    // A reader of the narration that went away does not stop the container.
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
    Ok(())
}

fn tell(told: &Told, style: Style) -> String {
    let mut text = String::new();
    for (number, step) in told.steps.iter().enumerate() {
        let (what, why) = (short_ids(&printable(&step.what)), printable(&step.why));
        let source = if step.source.is_empty() {
            String::new()
        } else {
            format!(" [{}]", printable(&step.source))
        };
        text.push_str(&format!(
            "{} {} — {why}{}\n",
            style.hint(&format!("{:>3}.", number + 1)),
            style.strong(&what),
            style.faint(&source),
        ));
    }
    text.push('\n');
    text
}

/// The text with container ids cut to the twelve digits that people use; the JSON form has them whole.
fn short_ids(text: &str) -> String {
    const LENGTH: usize = 64;
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_hexdigit).count();
        let (run, after) = rest.split_at(digits);
        shown.push_str(if digits == LENGTH { short(run) } else { run });
        let next = after.find(|character: char| character.is_ascii_hexdigit());
        let (between, after) = after.split_at(next.unwrap_or(after.len()));
        if digits == LENGTH {
            shown.push('…');
        }
        shown.push_str(between);
        rest = after;
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_short_and_other_digits_whole() {
        let id = "0123456789abcdef".repeat(4);
        assert_eq!(
            short_ids(&format!("/dhow/{id}/hosts at face 12")),
            "/dhow/0123456789ab…/hosts at face 12"
        );
        assert_eq!(short_ids(&format!("{id}0")), format!("{id}0"));
        assert_eq!(short_ids("plain — text"), "plain — text");
    }

    #[test]
    fn each_step_is_one_line_with_reason_and_source() {
        let plan = serde_json::json!({"ociVersion": "1.3.0", "steps": [
            {"step": "namespaces", "what": "new pid namespace", "why": "it sees its own processes only",
             "source": "pid_namespaces(7)", "data": {}},
            {"step": "exec", "what": "execute \x1b[2J", "why": "that is what was asked for"},
        ]});
        let told = Told::deserialize(&plan).unwrap();
        assert_eq!(
            tell(&told, Style::PLAIN),
            "  1. new pid namespace — it sees its own processes only [pid_namespaces(7)]\n\
             \x20 2. execute \\u{1b}[2J — that is what was asked for\n\n"
        );
    }
}

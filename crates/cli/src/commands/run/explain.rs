//! `--explain`: the birth of a container, told step by step from the runtime's own plan.
//!
//! The narration goes to standard error, so that the container's own output stays clean; with
//! `--dry-run` there is no container, and it goes to standard output. It is the plan that is carried
//! out, not a description kept beside it.

use super::flags::Form;
use crate::error::Error;
use crate::output::json;
use crate::output::style::Style;
use crate::output::table::printable;
use dhow_engine::{ContainerOptions, Engine};
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

/// Tells what would be done for these options.
///
/// # Errors
/// What the engine or the runtime refuses to plan.
pub(super) fn narrate(
    engine: &Engine,
    options: &ContainerOptions,
    form: Form,
    dry: bool,
) -> Result<(), Error> {
    let plan = engine.explain(options)?.0;
    let text = match form {
        Form::Json => json::document(&plan)?,
        Form::Text => {
            let told = Told::deserialize(&plan).map_err(Error::Document)?;
            let style = if dry {
                Style::of_output()
            } else {
                Style::of_errors()
            };
            tell(&told, style)
        }
    };
    if dry {
        return crate::output::print(&text);
    }
    // A reader of the narration that went away does not stop the container.
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
    Ok(())
}

fn tell(told: &Told, style: Style) -> String {
    let mut text = String::new();
    for (number, step) in told.steps.iter().enumerate() {
        let (what, why) = (printable(&step.what), printable(&step.why));
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

#[cfg(test)]
mod tests {
    use super::*;

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

//! `dhow inspect`: all that is known.

use crate::arguments::Global;
use crate::error::Error;
use crate::output::{json, print};
use serde_json::Value;

/// Flags of `dhow inspect`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Show all about containers or images, as one JSON list. A name is looked for among the \
                  containers first.\n\nExamples:\n  dhow inspect web\n  dhow inspect --type image hello"
)]
pub(crate) struct Arguments {
    /// Look among these only
    #[arg(long = "type", value_name = "TYPE", value_enum)]
    kind: Option<Kind>,
    /// Print as json (indented; there is no other form yet)
    #[arg(long, short, value_name = "FORMAT", value_parser = json_only)]
    format: Option<()>,
    /// Names or ids
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    Container,
    Image,
}

fn json_only(text: &str) -> Result<(), String> {
    match text {
        "json" => Ok(()),
        _ => Err("templates are not in dhow yet; use a JSON tool such as jq".into()),
    }
}

/// Prints one list of everything found.
///
/// # Errors
/// What was not found, after what was.
pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<u8, Error> {
    let engine = super::open(global)?;
    let container = |name: &str| -> Result<Value, Error> {
        serde_json::to_value(engine.inspect(name)?).map_err(Error::Document)
    };
    let image = |name: &str| -> Result<Value, Error> {
        serde_json::to_value(engine.image(name)?).map_err(Error::Document)
    };
    let (mut found, mut failed) = (Vec::new(), Vec::new());
    for name in &arguments.names {
        let result = match arguments.kind {
            Some(Kind::Container) => container(name),
            Some(Kind::Image) => image(name),
            None => container(name).or_else(|first| match first {
                Error::Engine(dhow_engine::Error::NoSuchContainer { .. }) => {
                    image(name).map_err(|_| Error::Usage {
                        what: name.clone(),
                        reason: "no container and no image has that name or id".into(),
                    })
                }
                first => Err(first),
            }),
        };
        match result {
            Ok(value) => found.push(value),
            Err(error) => failed.push(error),
        }
    }
    print(&json::document(&found)?)?;
    match failed.len() {
        0 => Ok(0),
        1 => Err(failed.remove(0)),
        _ => Err(Error::Several(failed)),
    }
}

//! `dhow inspect`: all that is known.

use crate::arguments::Global;
use crate::error::Error;
use crate::output::{json, print};
use dhow_engine::{Details, Engine, ImageSummary};
use serde::Serialize;

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

/// Something of that name, written as it is.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Found {
    Container(Box<Details>),
    Image(ImageSummary),
}

/// Prints one list of everything found.
///
/// # Errors
/// What was not found, after what was.
pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<u8, Error> {
    let engine = super::open(global)?;
    let (mut found, mut failed) = (Vec::new(), Vec::new());
    for name in &arguments.names {
        match look(&engine, name, arguments.kind) {
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

fn look(engine: &Engine, name: &str, kind: Option<Kind>) -> Result<Found, Error> {
    let container = || {
        engine
            .inspect(name)
            .map(|details| Found::Container(Box::new(details)))
    };
    let image = || engine.image(name).map(Found::Image);
    let neither = |error: dhow_engine::Error| match error.kind() {
        dhow_engine::Kind::NotFound => Error::Usage {
            what: name.to_owned(),
            reason: "no container and no image has that name or id".into(),
        },
        _ => Error::Engine(error),
    };
    match kind {
        Some(Kind::Container) => Ok(container()?),
        Some(Kind::Image) => Ok(image()?),
        None => match container() {
            Err(dhow_engine::Error::NoSuchContainer { .. }) => image().map_err(neither),
            result => Ok(result?),
        },
    }
}

//! `plan`: what would be done, without doing it.

use crate::bundle::Bundle;
use crate::cli::{Arguments, BUNDLE, CONFIG, Global, Usage, usage_error};
use crate::error::Result;
use crate::output;
use crate::plan::{Plan, narrative};
use crate::platform;
use serde::Serialize;
use std::ffi::OsString;
use std::path::Path;

/// The command line.
pub const USAGE: Usage = Usage {
    verb: "plan",
    arguments: "[OPTIONS]",
    summary: "Print what create and start would do with a bundle, as JSON",
    flags: &[BUNDLE, CONFIG],
    verbatim_after: None,
    example: "dhow-runtime plan --bundle /srv/web",
};

#[derive(Serialize)]
struct Document<'a> {
    steps: Vec<narrative::Step>,
    plan: &'a Plan,
}

/// Runs the verb.
///
/// # Errors
/// What `create` would refuse in the bundle.
pub fn run(_: &Global, arguments: Vec<OsString>) -> Result<u8> {
    let arguments = Arguments::read(&USAGE, arguments)?;
    if let Some(extra) = arguments.words.first() {
        return Err(usage_error(
            &USAGE,
            &format!("unexpected argument {extra:?}"),
        ));
    }
    let directory = Path::new(arguments.value("bundle").unwrap_or("."));
    let bundle = Bundle::open(directory, arguments.value("config").map(Path::new))?;
    let plan = Plan::new(&bundle.spec, &platform::host(&bundle.spec))?;
    let document = Document {
        steps: narrative::tell(&plan),
        plan: &plan,
    };
    let text = serde_json::to_string_pretty(&document).unwrap_or_default();
    output::print(&format!("{text}\n"))?;
    Ok(0)
}

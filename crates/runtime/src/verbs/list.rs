//! `list`: all containers below the root.

use super::state::Shown;
use crate::cli::{Arguments, Global, Usage, switch, usage_error, value};
use crate::error::{Error, Result};
use crate::linux::container::{Container, ids};
use crate::output;
use std::ffi::OsString;

/// The command line.
pub const USAGE: Usage = Usage {
    verb: "list",
    arguments: "[OPTIONS]",
    summary: "List containers",
    flags: &[
        value(
            "format",
            Some('f'),
            "FORMAT",
            "table or json [default: table]",
        ),
        switch("quiet", Some('q'), "print ids only"),
    ],
    verbatim_after: None,
    example: "dhow-runtime list --format json",
};

/// ENOTDIR
const NOT_A_DIRECTORY: i32 = 20;

/// Runs the verb: one container that cannot be read hides no other, but is told and makes the exit code 1.
///
/// # Errors
/// [`Error::Usage`], or the call that failed.
pub fn run(global: &Global, arguments: Vec<OsString>) -> Result<u8> {
    let arguments = Arguments::read(&USAGE, arguments)?;
    if let Some(extra) = arguments.words.first() {
        return Err(usage_error(
            &USAGE,
            &format!("unexpected argument {extra:?}"),
        ));
    }
    let mut shown = Vec::new();
    let mut code = 0;
    for id in ids(&global.root)? {
        let looked = Container::look(&global.root, &id)
            .and_then(|container| Shown::new(&container, container.record()?));
        match looked {
            Ok(one) => shown.push(one),
            // Deleted since the directory was read.
            Err(Error::NoContainer(_)) => {}
            // A file is no container.
            Err(Error::Step { source, .. }) if source.code() == NOT_A_DIRECTORY => {}
            Err(error) => {
                crate::logging::failed(global, "list", &error);
                code = 1;
            }
        }
    }
    let text = if arguments.is_on("quiet") {
        shown
            .iter()
            .map(|shown| format!("{}\n", shown.id))
            .collect()
    } else {
        match arguments.value("format").unwrap_or("table") {
            "table" => table(&shown),
            "json" => format!("{}\n", serde_json::to_string(&shown).unwrap_or_default()),
            other => {
                return Err(usage_error(
                    &USAGE,
                    &format!("--format: {other:?} is neither table nor json"),
                ));
            }
        }
    };
    output::print(&text)?;
    Ok(code)
}

fn table(shown: &[Shown]) -> String {
    let head = ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"].map(String::from);
    let row = |shown: &Shown| {
        let status = shown.status.to_owned();
        [
            shown.id.clone(),
            shown.pid.to_string(),
            status,
            shown.bundle.clone(),
            shown.created.clone(),
            shown.owner.clone(),
        ]
    };
    let rows: Vec<_> = std::iter::once(head).chain(shown.iter().map(row)).collect();
    let widths: [usize; 6] =
        std::array::from_fn(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or(0));
    let line = |row: &[String; 6]| {
        let cells: Vec<_> = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        format!("{}\n", cells.join("   ").trim_end())
    };
    rows.iter().map(line).collect()
}

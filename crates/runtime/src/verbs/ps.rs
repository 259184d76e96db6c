//! `ps`: the processes of a container.

use crate::cli::{Arguments, Global, Usage, usage_error, value};
use crate::error::{At, Error, Result};
use crate::linux::cgroup::cgroup_error;
use crate::linux::container::{Container, io};
use crate::output;
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

/// The command line.
pub const USAGE: Usage = Usage {
    verb: "ps",
    arguments: "[OPTIONS] ID [PS OPTIONS]",
    summary: "List the processes of a container",
    flags: &[value(
        "format",
        Some('f'),
        "FORMAT",
        "table or json [default: table]",
    )],
    verbatim_after: Some(1),
    example: "dhow-runtime ps web -o pid,comm",
};

/// Runs the verb.
///
/// # Errors
/// [`Error::NoContainer`], [`Error::Usage`], or what `ps` says.
pub fn run(global: &Global, arguments: Vec<OsString>) -> Result<u8> {
    let (arguments, options) = split(arguments)?;
    let id = arguments.id(&USAGE)?;
    let container = Container::look(&global.root, id)?;
    let record = container.finished("list the processes of")?;
    let mut pids = record
        .cgroup
        .as_ref()
        .map_or(Ok(Vec::new()), dhow_cgroup::Group::pids)
        .map_err(cgroup_error)?;
    if pids.is_empty() && record.process()?.is_some() {
        pids.push(record.pid);
    }
    let text = match arguments.value("format").unwrap_or("table") {
        "json" => format!("{}\n", serde_json::to_string(&pids).unwrap_or_default()),
        "table" => table(&pids, &options)?,
        other => {
            return Err(usage_error(
                &USAGE,
                &format!("--format: {other:?} is neither table nor json"),
            ));
        }
    };
    output::print(&text)?;
    Ok(0)
}

/// Our own flags and the id come first; everything after the id is for `ps`.
fn split(arguments: Vec<OsString>) -> Result<(Arguments, Vec<OsString>)> {
    let mut own = Vec::new();
    let mut rest = arguments.into_iter();
    while let Some(word) = rest.next() {
        let text = word.to_string_lossy().into_owned();
        own.push(word);
        if text == "-f" || text == "--format" {
            own.extend(rest.next());
        } else if !text.starts_with('-') {
            break;
        }
    }
    Ok((Arguments::read(&USAGE, own)?, rest.collect()))
}

/// The host's own `ps`, its lines about other processes left out. Nothing of the image is executed.
fn table(pids: &[u32], options: &[OsString]) -> Result<String> {
    let program = ["/usr/bin/ps", "/bin/ps"]
        .into_iter()
        .find(|path| Path::new(path).exists());
    let program = program
        .ok_or_else(|| Error::Unsupported("ps is not installed (Debian: package procps)".into()))?;
    let mut command = Command::new(program);
    if options.is_empty() {
        command.arg("-ef");
    }
    let output = command
        .args(options)
        .output()
        .map_err(|error| io("execve", Path::new(program), &error))
        .at("list processes")?;
    if !output.status.success() {
        return Err(Error::Unsupported(format!(
            "ps: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        )));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let mut lines = text.lines();
    let head = lines.next().unwrap_or_default();
    let column = head.split_whitespace().position(|title| title == "PID");
    let column = column
        .ok_or_else(|| Error::Usage("the options for ps must include its PID column".into()))?;
    let ours = |line: &&str| {
        let pid = line
            .split_whitespace()
            .nth(column)
            .and_then(|pid| pid.parse().ok());
        pid.is_some_and(|pid| pids.contains(&pid))
    };
    Ok(std::iter::once(head)
        .chain(lines.filter(ours))
        .map(|line| format!("{line}\n"))
        .collect())
}

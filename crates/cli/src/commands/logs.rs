//! `dhow logs`: what a container has written.

use crate::arguments::Global;
use crate::error::Error;
use crate::output::time::moment;
use dhow_engine::{LogLine, LogOptions, Moment, Stream};
use std::io::{ErrorKind, Write};
use std::ops::ControlFlow;

/// Flags of `dhow logs`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Show what a container has written: standard output goes to standard output, standard error to \
                  standard error.\n\nExamples:\n  dhow logs --follow --tail 20 web\n  dhow logs --since 10m --timestamps web"
)]
pub(crate) struct Arguments {
    /// Go on until the container ends
    #[arg(long, short)]
    follow: bool,
    /// Only the last lines: a number, or all
    #[arg(long, short = 'n', value_name = "LINES", default_value = "all", value_parser = tail)]
    tail: Tail,
    /// Put the time before each line
    #[arg(long, short)]
    timestamps: bool,
    /// Only what is younger: 10m, 2h, or a time such as 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<Moment>,
    /// Only what is older
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<Moment>,
    /// Name or id
    #[arg(value_name = "CONTAINER")]
    container: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Tail(Option<usize>);

fn tail(text: &str) -> Result<Tail, String> {
    match text {
        "all" | "-1" => Ok(Tail(None)),
        _ => text
            .parse()
            .map(|lines| Tail(Some(lines)))
            .map_err(|_| "it is a number, or all".into()),
    }
}

/// Copies the log to the standard streams.
///
/// # Errors
/// What the engine could not read, or a standard stream could not take.
pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<u8, Error> {
    let engine = super::open(global)?;
    let options = LogOptions {
        follow: arguments.follow,
        tail: arguments.tail.0,
        since: arguments.since,
        until: arguments.until,
    };
    let mut failed = None;
    engine.logs(
        &arguments.container,
        &options,
        &mut |line| match write(line, arguments.timestamps) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        },
    )?;
    match failed {
        // `dhow logs web | head` has what it wants.
        Some(error) if error.kind() != ErrorKind::BrokenPipe => Err(Error::Output(error)),
        _ => Ok(0),
    }
}

fn write(line: LogLine<'_>, timestamps: bool) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    if timestamps && line.line_start {
        bytes.extend_from_slice(line.time.as_bytes());
        bytes.push(b' ');
    }
    bytes.extend_from_slice(line.bytes);
    match line.stream {
        Stream::Stdout => {
            let mut out = std::io::stdout().lock();
            out.write_all(&bytes)?;
            out.flush()
        }
        Stream::Stderr => std::io::stderr().lock().write_all(&bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails_are_numbers_or_all() {
        assert_eq!(tail("all"), Ok(Tail(None)));
        assert_eq!(tail("20"), Ok(Tail(Some(20))));
        assert!(tail("-5").is_err());
        assert!(tail("many").is_err());
    }
}

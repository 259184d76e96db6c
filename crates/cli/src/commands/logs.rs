//! `dhow logs`: what a container has written.

use crate::arguments::Global;
use crate::error::Error;
use crate::output::time::moment;
use dhow_engine::{LogLine, LogOptions, Moment, Stream};
use std::io::{BufWriter, ErrorKind, StdoutLock, Write};
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
    let mut copy = Copy {
        out: BufWriter::with_capacity(BUFFER, std::io::stdout().lock()),
        timestamps: arguments.timestamps,
        at_once: arguments.follow,
    };
    let mut result = Ok(());
    engine.logs(&arguments.container, &options, &mut |line| {
        result = copy.write(line);
        if result.is_ok() {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    })?;
    match result.and_then(|()| copy.out.flush()) {
        // `dhow logs web | head` has what it wants.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Error::Output(error)),
        _ => Ok(0),
    }
}

/// How much of a finished log is gathered for one write, in bytes.
const BUFFER: usize = 64 * 1024;

/// Where the log goes.
struct Copy {
    out: BufWriter<StdoutLock<'static>>,
    timestamps: bool,
    /// Whether each line must be seen when it comes, because more may come much later.
    at_once: bool,
}

impl Copy {
    fn write(&mut self, line: LogLine<'_>) -> std::io::Result<()> {
        let time = if self.timestamps && line.line_start {
            line.time
        } else {
            ""
        };
        let space = if time.is_empty() { "" } else { " " };
        match line.stream {
            Stream::Stdout => {
                write!(self.out, "{time}{space}")?;
                self.out.write_all(line.bytes)?;
                if self.at_once {
                    self.out.flush()
                } else {
                    Ok(())
                }
            }
            Stream::Stderr => {
                // On one terminal, the order of the two streams is the log's.
                self.out.flush()?;
                let mut errors = std::io::stderr().lock();
                write!(errors, "{time}{space}")?;
                errors.write_all(line.bytes)
            }
        }
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

//! Running other programs: always with a time limit, never with our standard input, and with
//! all that they print kept in order.
//!
//! A task that waits for a child for ever would hang the checks of every change, so there is
//! no way here to run one without a limit. The child leads a process group of its own, so
//! that ending it ends what it started.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::io::{self, BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::Error;
#[cfg(unix)]
use unix::{end_group, lead_group};
#[cfg(windows)]
use windows::{end_group, lead_group};

#[cfg(unix)]
pub(crate) use unix::replace_with;
#[cfg(windows)]
pub(crate) use windows::replace_with;

/// How long to wait for a child that has closed its output, or for output after its end.
const GRACE: Duration = Duration::from_secs(3);

/// A program that has ended.
#[derive(Debug)]
pub(crate) struct Finished {
    /// The exit status; `None` when the time limit ended it.
    pub(crate) status: Option<ExitStatus>,
    /// Standard output and standard error, in the order they came.
    pub(crate) output: String,
    /// How long it took.
    pub(crate) took: Duration,
}

impl Finished {
    /// True when the program ended by itself with exit code 0.
    pub(crate) fn success(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }

    /// The end of the program in words: "exit status: 1", "time limit".
    pub(crate) fn outcome(&self) -> String {
        self.status.map_or_else(
            || format!("ended by the time limit after {} s", self.took.as_secs()),
            |status| status.to_string(),
        )
    }

    /// The last `count` lines of the output.
    pub(crate) fn tail(&self, count: usize) -> String {
        let lines: Vec<&str> = self.output.lines().collect();
        lines[lines.len().saturating_sub(count)..].join("\n")
    }
}

/// Runs `command` to its end or for at most `limit`, and hands each line to `each_line` as it comes.
///
/// # Errors
/// [`Error::Run`] when the program cannot be started. That it failed is not an error here.
pub(crate) fn run_watched(
    mut command: Command,
    limit: Duration,
    mut each_line: impl FnMut(&str),
) -> Result<Finished, Error> {
    let program = command.get_program().to_string_lossy().into_owned();
    let failed = |source| Error::Run {
        program: program.clone(),
        source,
    };
    let started = Instant::now();
    let (reader, writer) = io::pipe().map_err(failed)?;
    command
        .stdin(Stdio::null())
        .stderr(writer.try_clone().map_err(failed)?)
        .stdout(writer);
    lead_group(&mut command);
    let mut child = command.spawn().map_err(failed)?;
    // The command still holds the pipe's writing ends: without this the output never ends.
    drop(command);
    let lines = read_lines(reader);
    let mut output = String::new();
    let status = watch(&mut child, &lines, started + limit, |line| {
        each_line(line);
        output.push_str(line);
        output.push('\n');
    })
    .map_err(failed)?;
    Ok(Finished {
        status,
        output,
        took: started.elapsed(),
    })
}

/// Runs `command` to its end or for at most `limit`.
///
/// # Errors
/// [`Error::Run`] when the program cannot be started. That it failed is not an error here.
pub(crate) fn run(command: Command, limit: Duration) -> Result<Finished, Error> {
    run_watched(command, limit, |_| {})
}

/// Runs `command` and returns what it printed.
///
/// # Errors
/// [`Error::Run`] when it cannot be started, [`Error::Failed`] when it does not exit with 0.
pub(crate) fn output_of(command: Command, limit: Duration) -> Result<String, Error> {
    let program = shown(&command);
    let finished = run(command, limit)?;
    if finished.success() {
        return Ok(finished.output);
    }
    Err(Error::Failed {
        program,
        outcome: finished.outcome(),
        output: finished.tail(40),
    })
}

/// The command as one would type it, for messages.
pub(crate) fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join(" ")
}

fn read_lines(reader: io::PipeReader) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut reader = BufReader::new(reader);
        let mut bytes = Vec::new();
        while reader
            .read_until(b'\n', &mut bytes)
            .is_ok_and(|read| read > 0)
        {
            let line = String::from_utf8_lossy(&bytes);
            if sender
                .send(line.trim_end_matches(['\n', '\r']).to_owned())
                .is_err()
            {
                break;
            }
            bytes.clear();
        }
    });
    receiver
}

/// Waits for the child's end while its lines come; `None` when the deadline ended it.
fn watch(
    child: &mut Child,
    lines: &Receiver<String>,
    deadline: Instant,
    mut each_line: impl FnMut(&str),
) -> io::Result<Option<ExitStatus>> {
    let mut ended: Option<(ExitStatus, Instant)> = None;
    let mut open = true;
    loop {
        if open {
            match lines.recv_timeout(Duration::from_millis(50)) {
                Ok(line) => {
                    each_line(&line);
                    if Instant::now() < deadline {
                        continue;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => open = false,
            }
        } else {
            thread::sleep(Duration::from_millis(5));
        }
        if ended.is_none() {
            ended = child.try_wait()?.map(|status| (status, Instant::now()));
        }
        match ended {
            Some((status, _)) if !open => return Ok(Some(status)),
            // Something the child left behind holds its output open: that is not worth a wait.
            Some((status, at)) if at.elapsed() > GRACE => return Ok(Some(status)),
            None if Instant::now() >= deadline => {
                end_group(child);
                child.wait()?;
                return Ok(None);
            }
            _ => {}
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn command(program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments);
        command
    }

    #[test]
    fn output_and_status_are_kept() {
        let finished = run(command("printf", &["a\\nb\\n"]), Duration::from_secs(10)).unwrap();
        assert!(finished.success());
        assert_eq!(finished.output, "a\nb\n");
        assert_eq!(finished.tail(1), "b");
    }

    #[test]
    fn the_time_limit_ends_the_child_and_what_it_started() {
        let started = Instant::now();
        let slow = command("env", &["sleep", "60"]);
        let finished = run(slow, Duration::from_millis(200)).unwrap();
        assert!(!finished.success());
        assert!(
            finished.outcome().contains("time limit"),
            "{}",
            finished.outcome()
        );
        assert!(started.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn a_failing_program_is_named_with_its_words() {
        let failed = output_of(command("ls", &["/nowhere"]), Duration::from_secs(10)).unwrap_err();
        assert!(failed.to_string().contains("ls /nowhere"), "{failed}");
    }
}

//! Running hooks: programs of the caller, told the container's state on standard input.
//!
//! A hook is waited for by pidfd, never by the end of its output: a daemon that it left behind may
//! keep that open for ever. When it fails or its time is over its whole process group is ended; what
//! a hook that succeeds has left running is its own affair.
//!
//! Source: config.md (POSIX-platform Hooks), runtime.md (Lifecycle).

use crate::error::{Error, Result};
use crate::spec::{Hook, State};
use dhow_sys::fd::{self, Interest};
use dhow_sys::process::{self, Exit};
use dhow_sys::stream;
use std::io::PipeReader;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

/// As much of a failed hook's output as an error shows.
const SHOWN: usize = 4096;

/// Runs hooks one after the other, each told the `state`; the first failure ends it.
///
/// # Errors
/// [`Error::Hook`], naming the hook as `kind[index]`.
pub fn run(kind: &str, hooks: &[Hook], state: impl FnOnce() -> State) -> Result<()> {
    if hooks.is_empty() {
        return Ok(());
    }
    let state = serde_json::to_vec(&state()).unwrap_or_default();
    for (index, hook) in hooks.iter().enumerate() {
        one(hook, &state).map_err(|reason| Error::Hook {
            name: format!("{kind}[{index}] ({})", hook.path),
            reason,
        })?;
    }
    Ok(())
}

/// Runs hooks whose failure changes nothing any more; returns what went wrong, to be logged.
pub fn run_all(kind: &str, hooks: &[Hook], state: impl Fn() -> State) -> Vec<Error> {
    let single = |(index, hook): (usize, &Hook)| {
        run(
            &format!("{kind}#{index}"),
            std::slice::from_ref(hook),
            &state,
        )
        .err()
    };
    hooks.iter().enumerate().filter_map(single).collect()
}

fn one(hook: &Hook, state: &[u8]) -> std::result::Result<(), String> {
    let (output, write_end) =
        std::io::pipe().map_err(|error| format!("cannot make a pipe: {error}"))?;
    let second = write_end
        .try_clone()
        .map_err(|error| format!("cannot copy a pipe: {error}"))?;
    let mut command = Command::new(&hook.path);
    if let Some((name, rest)) = hook.args.split_first() {
        command.arg0(name).args(rest);
    }
    command
        .env_clear()
        .envs(hook.env.iter().filter_map(|entry| entry.split_once('=')));
    command
        .stdin(Stdio::piped())
        .stdout(write_end)
        .stderr(second)
        .process_group(0);
    let mut child = command
        .spawn()
        .map_err(|error| format!("cannot be executed: {error}"))?;
    drop(command);
    let mut streams = Streams {
        input: child.stdin.take(),
        untold: state,
        output: Some(output),
        said: Vec::new(),
    };
    let has_ended = streams.attend(child.id(), hook.timeout);
    if !matches!(has_ended, Ok(End::Success)) {
        // The group, not only its leader: what a hook has started must not outlive its failure. The leader
        // is not collected yet, so its number cannot have come to mean another group.
        let _ = process::signal_group(child.id(), 9);
        // It may have left the group.
        let _ = child.kill();
    }
    let status = child.wait().map_err(|error| error.to_string())?;
    match has_ended? {
        End::Success => Ok(()),
        End::Failure => Err(format!("failed ({status}); {}", streams.words())),
        End::TimeOver => Err(format!(
            "did not end within {} s; it was killed",
            hook.timeout.unwrap_or(0)
        )),
    }
}

/// What has become of a hook.
enum End {
    Success,
    Failure,
    TimeOver,
}

/// The pipes of a hook while it runs; neither is ever waited for alone.
struct Streams<'a> {
    input: Option<ChildStdin>,
    untold: &'a [u8],
    output: Option<PipeReader>,
    said: Vec<u8>,
}

impl Streams<'_> {
    /// Tells the hook the state and hears what it says, until it has ended or its time is over.
    fn attend(&mut self, pid: u32, seconds: Option<i64>) -> std::result::Result<End, String> {
        let limit = seconds.map(|seconds| Duration::from_secs(u64::try_from(seconds).unwrap_or(1)));
        let words = |error: dhow_sys::Error| error.to_string();
        let start = Instant::now();
        let pidfd = process::open(pid).map_err(words)?;
        for pipe in [
            self.input.as_ref().map(AsFd::as_fd),
            self.output.as_ref().map(AsFd::as_fd),
        ]
        .into_iter()
        .flatten()
        {
            stream::set_nonblocking(pipe).map_err(words)?;
        }
        loop {
            let left = limit.map(|limit| limit.saturating_sub(start.elapsed()));
            let millis = left.map(|left| u64::try_from(left.as_millis()).unwrap_or(u64::MAX));
            let mut watched = vec![(pidfd.as_fd(), Interest::Read)];
            if let Some(output) = &self.output {
                watched.push((output.as_fd(), Interest::Read));
            }
            if let Some(input) = &self.input {
                watched.push((input.as_fd(), Interest::Write));
            }
            let has_ended = fd::poll(&watched, millis).map_err(words)?[0];
            // Neither of them waits, and neither takes long: one that floods is still ended at its time.
            self.tell();
            self.hear();
            if has_ended {
                return match process::peek(pidfd.as_fd()).map_err(words)? {
                    Exit::Code(0) => Ok(End::Success),
                    _ => Ok(End::Failure),
                };
            }
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(End::TimeOver);
            }
        }
    }

    /// Writes as much of the state as there is room for.
    fn tell(&mut self) {
        let Some(input) = &self.input else { return };
        match stream::write(input.as_fd(), self.untold) {
            Ok(Some(count)) => self.untold = &self.untold[count..],
            Ok(None) => return,
            // A hook that does not care for the state may close its input; that is no failure.
            Err(_) => self.untold = &[],
        }
        if self.untold.is_empty() {
            self.input = None;
        }
    }

    /// Reads a piece of what the hook says, and keeps the beginning.
    fn hear(&mut self) {
        let Some(output) = &self.output else { return };
        let mut piece = [0; 16384];
        match stream::read(output.as_fd(), &mut piece) {
            Ok(Some(count @ 1..)) => {
                let room = SHOWN.saturating_sub(self.said.len());
                self.said.extend_from_slice(&piece[..count.min(room)]);
            }
            Ok(None) => {}
            Ok(Some(_)) | Err(_) => self.output = None,
        }
    }

    /// What it said, for an error.
    fn words(&self) -> String {
        match String::from_utf8_lossy(&self.said).trim() {
            "" => "it said nothing".into(),
            said => format!("it said: {said}"),
        }
    }
}

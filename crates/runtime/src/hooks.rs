//! Running hooks: programs of the caller, told the container's state on standard input.
//!
//! A hook is waited for by pidfd, never by the end of its output: a daemon that it left behind may
//! keep that open for ever. When its time is over its whole process group is ended.
//!
//! Source: config.md (POSIX-platform Hooks), runtime.md (Lifecycle).

use crate::error::{Error, Result};
use crate::spec::{Hook, State};
use dhow_sys::{fd, process};
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
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
    let (mut output, write_end) =
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
    let pidfd = process::open(child.id()).map_err(|error| error.to_string())?;
    if let Some(mut input) = child.stdin.take() {
        // A hook that does not care for the state may close its input; that is no failure.
        let _ = input.write_all(state);
    }
    let deadline = hook
        .timeout
        .map(|seconds| Duration::from_secs(u64::try_from(seconds).unwrap_or(1)));
    let mut said = Vec::new();
    if !wait(&pidfd, &mut output, deadline, &mut said)? {
        // The group, not only its leader: what the hook started must not outlive its time either.
        let _ = process::signal_group(child.id(), 9);
        let _ = child.wait();
        return Err(format!(
            "did not end within {} s; it was killed",
            hook.timeout.unwrap_or(0)
        ));
    }
    let status = child.wait().map_err(|error| error.to_string())?;
    if status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&said).trim().to_owned();
    let said = if said.is_empty() {
        "it said nothing".into()
    } else {
        format!("it said: {said}")
    };
    Err(format!("failed ({status}); {said}"))
}

/// Waits for the hook itself to end while reading what it says; false when the time is over.
fn wait(
    pidfd: &std::os::fd::OwnedFd,
    output: &mut std::io::PipeReader,
    limit: Option<Duration>,
    said: &mut Vec<u8>,
) -> std::result::Result<bool, String> {
    let start = Instant::now();
    let mut open = true;
    loop {
        let left = limit.map(|limit| limit.saturating_sub(start.elapsed()));
        let millis = left.map(|left| u64::try_from(left.as_millis()).unwrap_or(u64::MAX));
        let mut watched = vec![(pidfd.as_fd(), fd::Interest::Read)];
        if open {
            watched.push((output.as_fd(), fd::Interest::Read));
        }
        let ready = fd::poll(&watched, millis).map_err(|error| error.to_string())?;
        if ready.get(1).copied().unwrap_or(false) {
            let mut chunk = [0; 1024];
            let count = output.read(&mut chunk).unwrap_or(0);
            open = count > 0;
            said.extend_from_slice(&chunk[..count.min(SHOWN.saturating_sub(said.len()))]);
            continue;
        }
        if ready[0] {
            return Ok(true);
        }
        if left.is_some_and(|left| left.is_zero()) {
            return Ok(false);
        }
    }
}

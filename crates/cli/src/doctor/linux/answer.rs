//! What a short-lived program answers, never waiting longer than it may take.

use dhow_sys::fd::{Interest, poll, read_all};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// As long as any of these programs could reasonably take.
const LIMIT: Duration = Duration::from_secs(5);
/// As much as is read of an answer, in bytes; more fails.
const LONGEST: usize = 64 * 1024;

/// What a program said before it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    /// Whether it ended with success.
    pub(super) success: bool,
    /// What it wrote to standard output.
    pub(super) text: String,
}

/// Runs a program and returns its answer, or why there is none: it does not start, or takes too long.
pub(super) fn ask(program: &Path, arguments: &[&str]) -> Result<Answer, String> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| error.to_string())?;
    let text = listen(&mut child);
    if text.is_err() {
        // It may have ended by itself in between; either way it is collected below.
        let _ = child.kill();
    }
    let status = child.wait().map_err(|error| error.to_string())?;
    Ok(Answer {
        success: status.success(),
        text: text?,
    })
}

fn listen(child: &mut Child) -> Result<String, String> {
    let Some(output) = child.stdout.take() else {
        return Ok(String::new());
    };
    let milliseconds = u64::try_from(LIMIT.as_millis()).unwrap_or(u64::MAX);
    let ready = poll(&[(output.as_fd(), Interest::Read)], Some(milliseconds));
    if !ready.map_err(|error| error.to_string())?.contains(&true) {
        return Err(format!("no answer within {} s", LIMIT.as_secs()));
    }
    let bytes = read_all(output.as_fd(), LONGEST).map_err(|error| error.to_string())?;
    Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Answer, ask};
    use std::path::Path;

    #[test]
    fn success_failure_and_absence_are_told_apart() {
        let shell = Path::new("/bin/sh");
        let answer = |success, text: &str| {
            Ok(Answer {
                success,
                text: text.into(),
            })
        };
        assert_eq!(ask(shell, &["-c", "echo yes"]), answer(true, "yes"));
        assert_eq!(ask(shell, &["-c", "echo no; exit 3"]), answer(false, "no"));
        let error = ask(Path::new("/nonexistent"), &[]).unwrap_err();
        assert!(error.contains("No such file"), "{error}");
    }
}

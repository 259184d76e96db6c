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

/// Runs a program and returns what it wrote to standard output: `Ok` when it succeeded, `Err`
/// when it failed, with what it wrote or why it could not answer.
pub(super) fn ask(program: &Path, arguments: &[&str]) -> Result<String, String> {
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
    let text = text?;
    if status.success() {
        Ok(text)
    } else if text.is_empty() {
        Err(status.to_string())
    } else {
        Err(text)
    }
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
    use super::ask;
    use std::path::Path;

    #[test]
    fn success_failure_and_absence_are_told_apart() {
        let shell = Path::new("/bin/sh");
        assert_eq!(ask(shell, &["-c", "echo yes"]), Ok("yes".into()));
        assert_eq!(ask(shell, &["-c", "echo no; exit 3"]), Err("no".into()));
        assert!(ask(shell, &["-c", "exit 3"]).unwrap_err().contains('3'));
        assert!(
            ask(Path::new("/nonexistent"), &[])
                .unwrap_err()
                .contains("No such file")
        );
    }
}

//! Runtimes, known by the OCI command line only, so that runc, crun or kata can stand in for ours.

use crate::error::{Error, ProgramFault, Result, RuntimeFailure};
use serde::Deserialize;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// What an engine asks of a runtime. `run` is not here: the monitor does it, with [`Runtime::words`].
pub(crate) trait Runtime: std::fmt::Debug {
    /// The program and its global options, in front of every verb.
    fn words(&self) -> Vec<OsString>;

    /// Whether it can mount the root filesystem itself, as the bundle's first mount over `/`.
    fn mounts_root(&self) -> bool;

    /// Sends a signal to the container's first process.
    fn kill(&self, id: &str, signal: u8) -> Result<()>;

    /// Removes what it knows of a container, killing it first; nothing to remove is no error.
    fn delete(&self, id: &str) -> Result<()>;

    /// The command that runs a further process, described in `process`, in the container; standard
    /// streams are the caller's to set. Its own failures go to `log`, too.
    fn exec(&self, id: &str, process: &Path, log: &Path, detach: bool) -> Command;

    /// What it would do for a bundle, as a document.
    fn plan(&self, bundle: &Path) -> Result<serde_json::Value>;
}

/// The runtime at a path. Its name says whether it is ours.
pub(crate) fn for_program(program: PathBuf, root: &Path, systemd: bool) -> Box<dyn Runtime> {
    let ours = program.file_name() == Some(OsStr::new("dhow-runtime"));
    Box::new(OciCommand {
        program,
        root: root.to_path_buf(),
        systemd,
        ours,
    })
}

/// The directories in which a sibling program is looked for: beside our own, then in its `libexec/dhow`.
fn sibling_directories() -> Vec<PathBuf> {
    let own = std::env::current_exe().unwrap_or_default();
    let beside = own.parent().unwrap_or(Path::new("/")).to_path_buf();
    let libexec = beside.join("../libexec/dhow");
    vec![beside, libexec]
}

/// Finds a program of ours: a path is taken as it is, a bare name is looked for beside our own
/// program; `PATH` is not searched, because whoever sets it would choose what root runs.
pub(crate) fn find(program: &Path) -> Result<PathBuf> {
    if program.components().count() > 1 {
        return std::path::absolute(program).map_err(|source| Error::Spawn {
            program: program.to_path_buf(),
            source,
        });
    }
    let directories = sibling_directories();
    let found = directories.iter().map(|directory| directory.join(program));
    let found = found.into_iter().find(|path| path.exists());
    found.ok_or_else(|| Error::NoSibling {
        program: program.display().to_string(),
        looked: directories
            .iter()
            .map(|directory| directory.display().to_string())
            .collect::<Vec<_>>()
            .join(", "),
    })
}

/// Finds the runtime that a user named: a path, a sibling of ours, or one of the usual places.
pub(crate) fn find_runtime(program: &Path) -> Result<PathBuf> {
    find(program).or_else(|error| {
        ["/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"]
            .iter()
            .map(|directory| Path::new(directory).join(program))
            .find(|path| path.exists())
            .ok_or(error)
    })
}

/// A runtime that follows runc's command line.
#[derive(Debug)]
struct OciCommand {
    program: PathBuf,
    root: PathBuf,
    systemd: bool,
    ours: bool,
}

impl OciCommand {
    fn command(&self) -> Command {
        let words = self.words();
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        command
    }

    fn output(&self, command: &mut Command) -> Result<Output> {
        command
            .stdin(Stdio::null())
            .output()
            .map_err(|source| Error::Spawn {
                program: self.program.clone(),
                source,
            })
    }

    fn check(&self, verb: &'static str, command: &mut Command) -> Result<Vec<u8>> {
        let output = self.output(command)?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let failure = parse_failure(&String::from_utf8_lossy(&output.stderr));
        Err(Error::Runtime { verb, failure })
    }
}

impl Runtime for OciCommand {
    fn words(&self) -> Vec<OsString> {
        let mut words: Vec<OsString> = vec![self.program.clone().into(), "--root".into()];
        words.push(self.root.clone().into());
        if self.systemd {
            words.push("--systemd-cgroup".into());
        }
        words
    }

    fn mounts_root(&self) -> bool {
        self.ours
    }

    fn kill(&self, id: &str, signal: u8) -> Result<()> {
        let mut command = self.command();
        self.check("kill", command.arg("kill").arg(id).arg(signal.to_string()))
            .map(drop)
    }

    fn delete(&self, id: &str) -> Result<()> {
        let mut command = self.command();
        self.check("delete", command.args(["delete", "--force"]).arg(id))
            .map(drop)
    }

    fn exec(&self, id: &str, process: &Path, log: &Path, detach: bool) -> Command {
        let mut command = self.command();
        command.arg("--log").arg(log).args(["--log-format", "json"]);
        command.arg("exec").arg("--process").arg(process);
        if detach {
            command.arg("--detach");
        }
        command.arg(id);
        command
    }

    fn plan(&self, bundle: &Path) -> Result<serde_json::Value> {
        if !self.ours {
            return Err(Error::unsupported(
                format!("a plan by {}", self.program.display()),
                "only dhow-runtime can say what it would do",
            ));
        }
        let mut command = self.command();
        let bytes = self.check("plan", command.args(["plan", "--bundle"]).arg(bundle))?;
        serde_json::from_slice(&bytes).map_err(|error| Error::BadState {
            path: self.program.clone(),
            reason: format!("its plan is no document: {error}"),
        })
    }
}

/// One line of a runtime's JSON log.
#[derive(Deserialize)]
struct LogLine {
    level: String,
    msg: String,
}

/// Makes sense of what a runtime wrote, as JSON log or plain text: the last error, its step and error
/// number, and whether the container's own program was the cause.
pub(crate) fn parse_failure(text: &str) -> RuntimeFailure {
    let parsed = text.lines().rev().find_map(|line| {
        serde_json::from_str::<LogLine>(line)
            .ok()
            .filter(|line| matches!(line.level.as_str(), "error" | "fatal"))
            .map(|line| line.msg)
    });
    let plain = || {
        let last = text.lines().rev().find(|line| !line.trim().is_empty());
        last.unwrap_or("it said nothing").trim().to_owned()
    };
    let message = parsed.unwrap_or_else(plain);
    let (step, message) = split_step(message);
    let program = program_fault(&message);
    RuntimeFailure {
        errno: errno_in(&message),
        step,
        message,
        program,
    }
}

/// Takes the label of a step off the front: `mount the root filesystem: mount("overlay", …) = EPERM (…)`.
fn split_step(message: String) -> (Option<String>, String) {
    if let Some((step, call)) = message.split_once(": ")
        && !step.contains(['"', '(', '/'])
        && call.contains(") = ")
    {
        return (Some(step.to_owned()), call.to_owned());
    }
    (None, message)
}

fn errno_in(message: &str) -> Option<String> {
    if let Some((_, after)) = message.rsplit_once(") = ") {
        let name: String = after
            .chars()
            .take_while(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
            .collect();
        if name.len() > 2 {
            return Some(name);
        }
    }
    [
        ("operation not permitted", "EPERM"),
        ("permission denied", "EACCES"),
        ("no space left", "ENOSPC"),
    ]
    .iter()
    .find(|(words, _)| message.to_lowercase().contains(words))
    .map(|(_, name)| (*name).to_owned())
}

/// All runtimes word these like the Go library does, ours among them.
fn program_fault(message: &str) -> ProgramFault {
    let lower = message.to_lowercase();
    if !lower.contains("exec") {
        return ProgramFault::None;
    }
    if lower.contains("executable file not found")
        || lower.contains("no such file or directory") && lower.contains("exec:")
        || lower.contains("executable file `") && lower.contains("not found")
    {
        return ProgramFault::NotFound;
    }
    let refused = [
        "permission denied",
        "is a directory",
        "exec format error",
        "not an executable",
    ];
    if refused.iter().any(|words| lower.contains(words)) {
        return ProgramFault::NotExecutable;
    }
    ProgramFault::None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_labelled_step() {
        let line = r#"{"level":"error","msg":"mount the root filesystem: fsconfig(overlay, CREATE) = EPERM (Operation not permitted)","time":"x"}"#;
        let failure = parse_failure(line);
        assert_eq!(failure.step.as_deref(), Some("mount the root filesystem"));
        assert_eq!(failure.errno.as_deref(), Some("EPERM"));
        assert!(failure.message.starts_with("fsconfig("));
    }

    #[test]
    fn programs_at_fault() {
        let fault = |text: &str| parse_failure(text).program;
        let runc = r#"{"level":"error","msg":"runc run failed: unable to start container process: exec: \"nope\": executable file not found in $PATH","time":"x"}"#;
        assert_eq!(fault(runc), ProgramFault::NotFound);
        assert_eq!(
            fault("exec: \"/etc\": permission denied"),
            ProgramFault::NotExecutable
        );
        assert_eq!(
            fault("executable file `x` not found in $PATH"),
            ProgramFault::NotFound
        );
        assert_eq!(fault("rootfs: permission denied"), ProgramFault::None);
        assert_eq!(parse_failure("").message, "it said nothing");
    }

    #[test]
    fn plain_text_and_json_mixed() {
        let text =
            "{\"level\":\"warning\",\"msg\":\"a\"}\n{\"level\":\"error\",\"msg\":\"b\"}\nplain\n";
        assert_eq!(parse_failure(text).message, "b");
        assert_eq!(parse_failure("one\ntwo\n\n").message, "two");
    }
}

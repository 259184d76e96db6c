//! The runtime, known by the OCI command line only.

use crate::arguments::Arguments;
use dhow_sys::path::read_beneath;
use dhow_sys::{fd, pty, socket, stream};
use std::ffi::OsString;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::process::{Command, Stdio};

/// The streams of a container that has just been started, the monitor's ends.
#[derive(Debug)]
pub(crate) struct Streams {
    /// Standard input: the writing end of a pipe, or the terminal.
    pub(crate) input: Option<OwnedFd>,
    /// Standard output and error by name; a terminal is standard output alone.
    pub(crate) outputs: Vec<(&'static str, OwnedFd)>,
    /// The controlling side of the terminal, if there is one.
    pub(crate) terminal: Option<OwnedFd>,
}

/// Why there is no container.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The runtime's exit code; 255 when it was not even started.
    pub(crate) code: u8,
    /// Its log, then what it wrote to standard error.
    pub(crate) text: String,
}

impl From<dhow_sys::Error> for Failure {
    fn from(error: dhow_sys::Error) -> Self {
        Self {
            code: 255,
            text: error.to_string(),
        }
    }
}

/// The name of the runtime's log in the volatile directory.
const RUNTIME_LOG: &str = "runtime.log";
/// As much of a runtime's words as is passed on.
const WORDS: usize = 16 * 1024;

/// Runs `RUNTIME run --detach` and returns the container's process id and streams.
pub(crate) fn start(arguments: &Arguments, run: &OwnedFd) -> Result<(u32, Streams), Failure> {
    let (input_far, input) = pipe_if(arguments.stdin && arguments.tty.is_none())?;
    let listener = match arguments.tty {
        Some(_) => Some(socket::listen_stream(run.as_fd(), "console")?),
        None => None,
    };
    let ((output, output_far), (error, error_far)) = (fd::pipe()?, fd::pipe()?);
    let mut command = command(arguments);
    command.args(["run", "--detach", "--bundle"]);
    command.arg(&arguments.container);
    command.arg("--pid-file").arg(arguments.run.join("pid"));
    if listener.is_some() {
        // By descriptor, because a socket's path may be 107 bytes long at most.
        let console = format!(
            "/proc/{}/fd/{}/console",
            std::process::id(),
            run.as_raw_fd()
        );
        command.arg("--console-socket").arg(console);
    }
    command
        .arg(&arguments.id)
        .stdin(input_far.map_or_else(Stdio::null, Stdio::from))
        .stdout(output_far)
        .stderr(error_far);
    let status = command.status().map_err(|error| Failure {
        code: 255,
        text: format!("cannot start {}: {error}", arguments.runtime[0].display()),
    })?;
    // The command holds the far ends of the pipes; without it, end of file can be seen.
    drop(command);
    if !status.success() {
        let code = status.code().and_then(|code| u8::try_from(code).ok());
        return Err(failure(code.unwrap_or(255), run, &error));
    }
    let pid = pid(run)?;
    let Some(listener) = listener else {
        let outputs = vec![("stdout", output), ("stderr", error)];
        return Ok((
            pid,
            Streams {
                input,
                outputs,
                terminal: None,
            },
        ));
    };
    let terminal = receive_terminal(&listener, run, arguments.tty)?;
    Ok((
        pid,
        Streams {
            input: Some(fd::duplicate_from(terminal.as_fd(), 3)?),
            outputs: vec![("stdout", fd::duplicate_from(terminal.as_fd(), 3)?)],
            terminal: Some(terminal),
        },
    ))
}

/// Runs `RUNTIME delete`, whose failure nobody here can mend: the engine deletes again when it must.
pub(crate) fn delete(arguments: &Arguments) {
    let mut command = command(arguments);
    command.args(["delete", "--force"]).arg(&arguments.id);
    let quiet = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    drop(quiet.status());
}

/// The runtime with its global options, and a log of its own.
fn command(arguments: &Arguments) -> Command {
    let mut command = Command::new(&arguments.runtime[0]);
    command.args(&arguments.runtime[1..]);
    command.arg("--log").arg(arguments.run.join(RUNTIME_LOG));
    let format: [OsString; 2] = ["--log-format".into(), "json".into()];
    command.args(format);
    command
}

type Pipe = (Option<OwnedFd>, Option<OwnedFd>);

fn pipe_if(wanted: bool) -> dhow_sys::Result<Pipe> {
    if !wanted {
        return Ok((None, None));
    }
    fd::pipe().map(|(reader, writer)| (Some(reader), Some(writer)))
}

/// What the runtime said: its log, then its standard error, both as far as they go.
fn failure(code: u8, run: &OwnedFd, error: &OwnedFd) -> Failure {
    let mut words = read_beneath(run.as_fd(), RUNTIME_LOG, WORDS).unwrap_or_default();
    let mut buffer = vec![0; WORDS];
    if stream::set_nonblocking(error.as_fd()).is_ok()
        && let Ok(Some(count)) = stream::read(error.as_fd(), &mut buffer)
    {
        words.extend_from_slice(&buffer[..count]);
    }
    Failure {
        code,
        text: String::from_utf8_lossy(&words).into_owned(),
    }
}

fn pid(run: &OwnedFd) -> Result<u32, Failure> {
    let text = read_beneath(run.as_fd(), "pid", 32)?;
    let text = String::from_utf8_lossy(&text);
    text.trim().parse().map_err(|_| Failure {
        code: 255,
        text: format!("the runtime wrote {text:?} as process id"),
    })
}

/// Takes the terminal that the runtime sent; it was sent before the runtime ended.
fn receive_terminal(
    listener: &OwnedFd,
    run: &OwnedFd,
    size: Option<(u16, u16)>,
) -> Result<OwnedFd, Failure> {
    let missing = || Failure {
        code: 255,
        text: "the runtime sent no terminal".into(),
    };
    stream::set_nonblocking(listener.as_fd())?;
    let connection = socket::accept(listener.as_fd()).map_err(|_| missing())?;
    let mut name = [0; 256];
    let (_, mut descriptors) = socket::receive(connection.as_fd(), &mut name)?;
    let terminal = descriptors.pop().ok_or_else(missing)?;
    dhow_sys::tree::remove_file(run.as_fd(), "console".as_ref())?;
    if let Some((columns, rows)) = size {
        pty::set_size(terminal.as_fd(), columns, rows)?;
    }
    Ok(terminal)
}

//! Commands that cannot hang, and asserts that print everything useful.
//!
//! Output goes to files, not pipes: a detached container inherits them, and waiting for the end
//! of a pipe would wait for the container. The deadline is kept by a pidfd; when it passes, the
//! command, all its descendants and everything carrying the test's mark are ended.

use crate::{processes, program::Kind};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::OwnedFd;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long a command may take unless the test says otherwise.
pub const LIMIT: Duration = Duration::from_secs(20);

/// The environment variable that carries the mark of a test to all it starts.
pub const MARK: &str = "DHOW_TEST_MARK";

/// A command to be run, with all it needs.
#[derive(Debug)]
pub struct Cmd {
    command: Command,
    words: Vec<OsString>,
    directory: PathBuf,
    mark: String,
    limit: Duration,
    kind: Option<Kind>,
}

impl Cmd {
    /// A command whose output files lie in `directory`.
    #[must_use]
    pub fn new(directory: &Path, mark: &str, words: &[OsString]) -> Self {
        let (program, arguments) = words.split_first().expect("a command has a program");
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env(MARK, mark)
            .current_dir(directory)
            .stdin(Stdio::null())
            .process_group(0);
        Self {
            command,
            words: words.to_vec(),
            directory: directory.to_owned(),
            mark: mark.to_owned(),
            limit: LIMIT,
            kind: None,
        }
    }

    /// Says which runtime this is, for asserts whose text differs.
    #[must_use]
    pub fn of(mut self, kind: Kind) -> Self {
        self.kind = Some(kind);
        self
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, word: impl AsRef<OsStr>) -> Self {
        self.words.push(word.as_ref().to_owned());
        self.command.arg(word);
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<W: AsRef<OsStr>>(self, words: impl IntoIterator<Item = W>) -> Self {
        words.into_iter().fold(self, Self::arg)
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs it in this directory.
    #[must_use]
    pub fn cwd(mut self, path: &Path) -> Self {
        self.command.current_dir(path);
        self
    }

    /// Gives it these bytes on standard input.
    #[must_use]
    pub fn stdin(mut self, bytes: &[u8]) -> Self {
        let path = self.file("stdin");
        fs::write(&path, bytes).expect("write the standard input");
        self.command
            .stdin(File::open(&path).expect("open the standard input"));
        self
    }

    /// Gives it this descriptor as standard input.
    #[must_use]
    pub fn stdin_from(mut self, source: impl Into<Stdio>) -> Self {
        self.command.stdin(source);
        self
    }

    /// Lets it take this long.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// When it cannot be started or passes its limit.
    pub fn run(self) -> Output {
        self.spawn().wait()
    }

    /// Runs it to its end without a word: for what is done thousands of times.
    ///
    /// # Panics
    /// When it cannot be started or passes its limit.
    pub fn run_quietly(self) -> Output {
        let mut running = self.spawn();
        running.is_quiet = true;
        running.wait()
    }

    /// The same, expecting success and without keeping its output.
    ///
    /// # Panics
    /// When it fails or passes its limit, with everything it wrote.
    pub fn run_silently(self) {
        let output = self.run_quietly().ok();
        for file in &output.files {
            let _ = fs::remove_file(file);
        }
    }

    /// Starts it.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn spawn(self) -> Running {
        let (stdout, stderr) = (self.file("stdout"), self.file("stderr"));
        let mut command = self.command;
        command
            .stdout(File::create(&stdout).expect("create the output file"))
            .stderr(File::create(&stderr).expect("create the error file"));
        Running::start(
            command,
            self.words,
            self.mark,
            self.limit,
            self.kind,
            [stdout, stderr],
        )
    }

    /// Starts it with the three standard descriptors being one terminal.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn spawn_on(self, terminal: &OwnedFd) -> Running {
        let files = [self.file("stdout"), self.file("stderr")];
        let mut command = self.command;
        let copy = || Stdio::from(terminal.try_clone().expect("duplicate the terminal"));
        command.stdin(copy()).stdout(copy()).stderr(copy());
        Running::start(command, self.words, self.mark, self.limit, self.kind, files)
    }

    fn file(&self, what: &str) -> PathBuf {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        self.directory.join(format!("{number}.{what}"))
    }
}

/// A command that runs. Dropped without [`wait`](Self::wait), it is ended.
#[derive(Debug)]
pub struct Running {
    child: Child,
    pidfd: OwnedFd,
    words: Vec<OsString>,
    mark: String,
    deadline: Instant,
    started: Instant,
    kind: Option<Kind>,
    files: [PathBuf; 2],
    is_quiet: bool,
    done: bool,
}

impl Running {
    fn start(
        mut command: Command,
        words: Vec<OsString>,
        mark: String,
        limit: Duration,
        kind: Option<Kind>,
        files: [PathBuf; 2],
    ) -> Self {
        let started = Instant::now();
        let child = command
            .spawn()
            .unwrap_or_else(|error| panic!("cannot run {words:?}: {error}"));
        let pid = Pid::from_child(&child);
        Self {
            pidfd: pidfd_open(pid, PidfdFlags::empty()).expect("our own child has a pidfd"),
            child,
            words,
            mark,
            deadline: started + limit,
            started,
            kind,
            files,
            is_quiet: false,
            done: false,
        }
    }

    /// The number of the process.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.child.id().cast_signed()
    }

    /// Sends it a signal.
    ///
    /// # Panics
    /// When it is gone.
    pub fn signal(&self, signal: Signal) {
        pidfd_send_signal(&self.pidfd, signal).expect("signal a running command");
    }

    /// What it has written to standard output up to now.
    #[must_use]
    pub fn stdout(&self) -> String {
        read(&self.files[0])
    }

    /// Whether it has ended.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.wait_until(Instant::now())
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it passes its limit; then it and all its descendants are ended first.
    pub fn wait(mut self) -> Output {
        if !self.wait_until(self.deadline) {
            let story = self.story();
            self.end();
            panic!("passed its limit: {:?}\n{story}", self.words);
        }
        let status = self.child.wait().expect("wait for our own child");
        self.done = true;
        let output = Output {
            words: std::mem::take(&mut self.words),
            code: status.code(),
            signal: status.signal(),
            files: self.files.clone(),
            elapsed: self.started.elapsed(),
            kind: self.kind,
        };
        if !self.is_quiet {
            eprint!("{output}");
        }
        output
    }

    fn wait_until(&self, deadline: Instant) -> bool {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let mut set = [PollFd::new(&self.pidfd, PollFlags::IN)];
            match poll(&mut set, Some(&processes::timespec(left))) {
                Ok(count) => return count > 0,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => panic!("poll a pidfd: {error}"),
            }
        }
    }

    /// Where each process of the tree stands, for the message after a hang.
    fn story(&self) -> String {
        let mut story = format!(
            "stdout: {}\nstderr: {}\n",
            self.stdout(),
            read(&self.files[1])
        );
        for pid in processes::tree(self.pid()) {
            let place = |file| read(Path::new(&format!("/proc/{pid}/{file}")));
            let _ = writeln!(
                story,
                "{:?} wchan {} syscall {}",
                processes::describe(pid),
                place("wchan"),
                place("syscall").trim()
            );
        }
        story
    }

    fn end(&mut self) {
        processes::end(&processes::tree(self.pid()));
        processes::end_marked(&self.mark);
        let _ = self.child.wait();
        self.done = true;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.done {
            self.end();
        }
    }
}

/// How a command ended and what it wrote.
#[derive(Clone, Debug)]
pub struct Output {
    words: Vec<OsString>,
    /// The exit code, if it was not ended by a signal.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Wall time.
    pub elapsed: Duration,
    files: [PathBuf; 2],
    kind: Option<Kind>,
}

impl Output {
    /// Standard output as it is now (a detached container may still write).
    #[must_use]
    pub fn stdout(&self) -> String {
        read(&self.files[0])
    }

    /// Standard error as it is now.
    #[must_use]
    pub fn stderr(&self) -> String {
        read(&self.files[1])
    }

    /// Standard output as JSON.
    ///
    /// # Panics
    /// When it is not JSON.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout())
            .unwrap_or_else(|error| panic!("not JSON: {error}\n{self}"))
    }

    /// Asserts exit code 0.
    ///
    /// # Panics
    /// With everything the command wrote.
    #[track_caller]
    pub fn ok(self) -> Self {
        self.code_is(0)
    }

    /// Asserts the exit code.
    ///
    /// # Panics
    /// With everything the command wrote.
    #[track_caller]
    pub fn code_is(self, code: i32) -> Self {
        assert!(self.code == Some(code), "expected exit code {code}\n{self}");
        self
    }

    /// Asserts a failure whose message holds `text`, letter case aside.
    ///
    /// # Panics
    /// When it succeeded, died by a signal, or says something else.
    #[track_caller]
    pub fn fails(self, text: &str) -> Self {
        assert!(
            self.code.is_some_and(|code| code != 0),
            "expected a failure that says {text:?}\n{self}"
        );
        assert!(
            self.stderr().to_lowercase().contains(&text.to_lowercase()),
            "expected {text:?} in the message\n{self}"
        );
        self
    }

    /// Asserts a failure; the message differs per runtime: ours, runc's, crun's.
    ///
    /// # Panics
    /// As [`fails`](Self::fails).
    #[track_caller]
    pub fn refuses(self, [ours, runc, crun]: [&str; 3]) -> Self {
        let text = match self.kind {
            Some(Kind::Runc) => runc,
            Some(Kind::Crun) => crun,
            Some(Kind::Dhow) | None => ours,
        };
        self.fails(text)
    }
}

impl std::fmt::Display for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let words: Vec<_> = self
            .words
            .iter()
            .map(|word| word.to_string_lossy())
            .collect();
        writeln!(f, "$ {}", words.join(" "))?;
        for (name, text) in [("out", self.stdout()), ("err", self.stderr())] {
            for line in text.lines().take(200) {
                writeln!(f, "  {name}| {line}")?;
            }
        }
        let millis = self.elapsed.as_millis();
        match (self.code, self.signal) {
            (Some(code), _) => writeln!(f, "  → exit code {code} after {millis} ms"),
            (None, signal) => writeln!(f, "  → ended by signal {signal:?} after {millis} ms"),
        }
    }
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}

//! Between this process's standard streams and a container's monitor.

use crate::detach_keys::DetachKeys;
use crate::doing::Doing;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::monitor::{self, Connection, MESSAGE, Said};
use crate::status;
use crate::view::{Attach, Ended, State};
use dhow_sys::fd::{Interest, poll};
use dhow_sys::pty::{self, RawMode};
use dhow_sys::signal::{self, Set, SignalFd};
use dhow_sys::stream;
use std::io::{stderr, stdin, stdout};
use std::os::fd::{AsFd, BorrowedFd};

/// Signals that a foreground container gets in this process's place: HUP, INT, QUIT, USR1, USR2,
/// ALRM, TERM.
const FORWARDED: [u8; 7] = [1, 2, 3, 10, 12, 14, 15];
/// `SIGWINCH`
const WINDOW: u8 = 28;

/// Columns and rows of this process's own terminal, if it has one.
pub(crate) fn own_size() -> Option<(u16, u16)> {
    [stdout().as_fd(), stdin().as_fd()]
        .iter()
        .find_map(|fd| pty::size(*fd).ok())
        .filter(|(columns, rows)| *columns > 0 && *rows > 0)
}

/// This process's side, prepared: signals held, terminal raw.
#[derive(Debug)]
pub(crate) struct Session {
    stdin: bool,
    tty: bool,
    keys: DetachKeys,
    signals: Option<SignalFd>,
    mask_before: Option<Set>,
    raw: Option<RawMode>,
}

impl Session {
    /// Prepares this process for a container with these properties.
    pub(crate) fn begin(attach: &Attach, tty: bool, interactive: bool) -> Result<Self> {
        let stdin_used = attach.stdin && interactive;
        let mut keys = DetachKeys::parse(&attach.detach_keys)?;
        if !(tty && pty::is_terminal(stdin().as_fd())) {
            // Nobody presses keys: in a stream of data the same bytes mean nothing.
            keys = DetachKeys::default();
        }
        let mut set: Set = 0;
        if attach.forward_signals {
            set = FORWARDED
                .iter()
                .fold(0, |set, number| set | 1 << (number - 1));
        }
        if tty {
            set |= 1 << (WINDOW - 1);
        }
        let (mut signals, mut mask_before) = (None, None);
        if set != 0 {
            mask_before = Some(signal::block(set).doing(|| "hold signals".into())?);
            signals = Some(SignalFd::new(set).doing(|| "hold signals".into())?);
        }
        let session = Self {
            stdin: stdin_used,
            tty,
            keys,
            signals,
            mask_before,
            raw: None,
        };
        Ok(session)
    }

    /// The size of the terminal that shows the container's, if there is one.
    pub(crate) fn size(&self) -> Option<(u16, u16)> {
        if self.tty { own_size() } else { None }
    }

    /// Passes everything on until the container ends or the user detaches. `kill` sends a signal.
    pub(crate) fn relay(
        mut self,
        connection: &Connection,
        kill: &dyn Fn(u8) -> bool,
    ) -> Result<Ended> {
        if self.tty && self.stdin && pty::is_terminal(stdin().as_fd()) {
            self.raw =
                Some(RawMode::enter(stdin().as_fd()).doing(|| "make the terminal raw".into())?);
        }
        let mut relay = Relay {
            connection,
            input: if self.stdin {
                Input::Open
            } else {
                Input::Ended
            },
            pending: Vec::new(),
            closed: [false; 2],
            resize: self.tty,
        };
        let mut buffer = vec![0; MESSAGE];
        loop {
            let ready = relay.wait(self.signals.as_ref())?;
            if ready.signal {
                self.pass_signals(&mut relay, kill)?;
            }
            if relay.resize {
                relay.send_size(self.size())?;
            }
            if ready.writable {
                relay.flush()?;
            }
            if ready.message
                && let Some(ended) = relay.output(&mut buffer)?
            {
                return Ok(ended);
            }
            if ready.input && relay.read_input(&mut buffer, &mut self.keys)? {
                return Ok(Ended::Detached);
            }
        }
    }

    fn pass_signals(&self, relay: &mut Relay<'_>, kill: &dyn Fn(u8) -> bool) -> Result<()> {
        let Some(signals) = &self.signals else {
            return Ok(());
        };
        while let Some(number) = signals.next().doing(|| "read a signal".into())? {
            if number == WINDOW {
                relay.resize = true;
            } else {
                // A container that has just ended needs it no more.
                kill(number);
            }
        }
        Ok(())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.raw = None;
        if let Some(mask) = self.mask_before {
            // Pending ones strike now, as they would have without us.
            let _ = signal::block(mask);
        }
    }
}

/// What becomes of standard input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Input {
    /// More may come.
    Open,
    /// It has ended, and the monitor is still to be told.
    Ending,
    /// Nothing comes any more.
    Ended,
}

struct Relay<'a> {
    connection: &'a Connection,
    input: Input,
    /// Input that found no room: the container does not read it now.
    pending: Vec<u8>,
    /// Whether our standard output, standard error can take no more.
    closed: [bool; 2],
    resize: bool,
}

struct Ready {
    signal: bool,
    message: bool,
    writable: bool,
    input: bool,
}

impl Relay<'_> {
    fn wait(&self, signals: Option<&SignalFd>) -> Result<Ready> {
        let stdin = stdin();
        let mut fds: Vec<(BorrowedFd<'_>, Interest)> =
            vec![(self.connection.as_fd(), Interest::Read)];
        fds.extend(signals.map(|signals| (signals.as_fd(), Interest::Read)));
        let waits = !self.pending.is_empty() || self.input == Input::Ending;
        if waits {
            fds.push((self.connection.as_fd(), Interest::Write));
        }
        let reads = self.input == Input::Open && self.pending.is_empty();
        if reads {
            fds.push((stdin.as_fd(), Interest::Read));
        }
        let ready = poll(&fds, if self.resize { Some(0) } else { None })
            .doing(|| "wait for the container".into())?;
        let mut ready = ready.into_iter();
        let mut next = |present: bool| present && ready.next().unwrap_or(false);
        Ok(Ready {
            message: next(true),
            signal: next(signals.is_some()),
            writable: next(waits),
            input: next(reads),
        })
    }

    fn send_size(&mut self, size: Option<(u16, u16)>) -> Result<()> {
        self.resize = false;
        if let Some((columns, rows)) = size {
            let words = [columns.to_le_bytes(), rows.to_le_bytes()].concat();
            // A full socket means that the next size will do as well.
            self.connection.say(&[b"W", &words])?;
        }
        Ok(())
    }

    /// Sends the input that had to wait, then its end.
    fn flush(&mut self) -> Result<()> {
        if !self.pending.is_empty() && self.connection.say(&[b"0", &self.pending])? {
            self.pending.clear();
        }
        if self.pending.is_empty() && self.input == Input::Ending && self.connection.say(&[b"E"])? {
            self.input = Input::Ended;
        }
        Ok(())
    }

    /// Reads standard input once; true when the user detaches.
    fn read_input(&mut self, buffer: &mut [u8], keys: &mut DetachKeys) -> Result<bool> {
        let length = match stream::read(stdin().as_fd(), &mut buffer[..MESSAGE - 1]) {
            Ok(None) => return Ok(false),
            // A terminal that has gone away reads as EIO.
            Ok(Some(0)) | Err(_) => {
                self.input = Input::Ending;
                self.flush()?;
                return Ok(false);
            }
            Ok(Some(length)) => length,
        };
        let detach = keys.filter(&buffer[..length], &mut self.pending);
        self.flush()?;
        Ok(detach)
    }

    /// Takes one message; the end when it was that.
    fn output(&mut self, buffer: &mut [u8]) -> Result<Option<Ended>> {
        match self.connection.listen(buffer) {
            Said::Nothing => Ok(None),
            Said::Gone => Err(Error::MonitorLost),
            Said::Exited(code, signal, oom) => {
                Ok(Some(Ended::Exited(monitor::told(code, signal, oom))))
            }
            Said::Output(number, length) => {
                self.print(number, &buffer[1..=length])?;
                Ok(None)
            }
        }
    }

    fn print(&mut self, number: u8, data: &[u8]) -> Result<()> {
        let index = usize::from(number == 2);
        if self.closed[index] {
            return Ok(());
        }
        let written = if index == 0 {
            stream::write_all(stdout().as_fd(), data)
        } else {
            stream::write_all(stderr().as_fd(), data)
        };
        if written.is_err() {
            // Whoever read it has gone. The container learns it as in any pipeline: its own end breaks.
            self.closed[index] = true;
            self.connection.say(&[b"C", &[number]])?;
        }
        Ok(())
    }
}

/// `attach`
pub(crate) fn attach(engine: &Engine, name: &str, attach: &Attach) -> Result<Ended> {
    let (directory, record) = engine.open_container(name)?;
    let state = status::state(engine.store(), &directory)?;
    let living = engine.store().living(&record.id);
    let connection = match (&state, living) {
        (State::Running { .. }, Some(living)) => Connection::open(&living, true)?,
        _ => None,
    };
    let Some(connection) = connection else {
        return Err(Error::WrongState {
            verb: "attach to",
            name: record.name,
            state: state.word(),
        });
    };
    let session = Session::begin(attach, record.options.tty, record.options.interactive)?;
    let runtime = engine.runtime(&record.runtime);
    session.relay(&connection, &|signal| {
        runtime.kill(&record.id, signal).is_ok()
    })
}

//! From the start of a container to its end, and the loop in between.
//!
//! ```text
//!  lock ─▶ RUNTIME run --detach ─▶ `started` ─▶ say R ─▶ loop ─▶ `exit` ─▶ RUNTIME delete ─▶ say X
//! ```
//!
//! The order matters: the lock is taken before anything else, so that whoever finds it free and no
//! `exit` knows that this process died; orphans become our children before the runtime is started,
//! so that the container's first process is ours to collect and its status cannot be lost; the
//! status is written before anything that may fail or take time.

use crate::arguments::Arguments;
use crate::attach::{Client, Said};
use crate::clock;
use crate::exit::{Ended, OutOfMemory};
use crate::input::Input;
use crate::log::Log;
use crate::runtime::{self, Failure, Streams};
use dhow_sys::fd::{Interest, poll};
use dhow_sys::process::{self, Cloned, Exit};
use dhow_sys::procfs::{ProcessStatus, Procfs};
use dhow_sys::signal::{self, SignalFd};
use dhow_sys::{fd, file, lock, path, pty, socket, stream};
use std::ffi::{CString, OsStr, OsString};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;

/// Bytes taken from the container in one read; messages are this long and one byte.
const PIECE: usize = 32 * 1024;
/// `SIGCHLD`
const CHILD: u8 = 17;
/// Engines that may be connected at once.
const CLIENTS: usize = 64;

/// The whole life of the monitor.
pub(crate) fn run(words: impl Iterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::parse(words) {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("dhow-monitor: {error}");
            return ExitCode::from(125);
        }
    };
    // The engine may live for ever: it must not have to collect us, so our parent leaves at once.
    match process::clone(0, None) {
        Ok(Cloned::Parent(_)) => return ExitCode::SUCCESS,
        Ok(Cloned::Child) => {}
        Err(error) => {
            eprintln!("dhow-monitor: {error}");
            return ExitCode::from(125);
        }
    }
    let Ok(engine) = detach() else {
        return ExitCode::from(125);
    };
    let mut keeper = match Keeper::start(arguments) {
        Ok(keeper) => keeper,
        Err(failure) => {
            let text = failure.text.as_bytes();
            // An engine that has gone away does not want to know.
            let _ = socket::send(
                engine.as_fd(),
                &[b"F", &[failure.code][..], text].concat(),
                &[],
            );
            return ExitCode::from(1);
        }
    };
    keeper.greet(engine);
    keeper.watch();
    keeper.finish()
}

/// Leaves the engine's session and takes its socket off standard input.
fn detach() -> dhow_sys::Result<OwnedFd> {
    let engine = fd::duplicate_from(std::io::stdin().as_fd(), 3)?;
    let null = path::open_host(OsStr::new("/dev/null").as_ref())?;
    let null = path::reopen(null.as_fd(), dhow_sys::OFlags::RDWR)?;
    fd::become_standard(null.as_fd(), 0)?;
    process::new_session()?;
    process::set_umask(0o022);
    process::set_child_subreaper(true)?;
    signal::block(1 << (CHILD - 1))?;
    Ok(engine)
}

struct Keeper {
    arguments: Arguments,
    container: OwnedFd,
    run: OwnedFd,
    /// Held until this process ends.
    _lock: OwnedFd,
    signals: SignalFd,
    pid: u32,
    pidfd: OwnedFd,
    /// How the first process ended, once it has.
    exit: Option<Option<Exit>>,
    outputs: Vec<(&'static str, OwnedFd)>,
    input: Input,
    terminal: Option<OwnedFd>,
    listener: OwnedFd,
    clients: Vec<Client>,
    log: Log,
    oom: OutOfMemory,
}

impl Keeper {
    /// Takes the lock, starts the container and writes down that it runs.
    fn start(arguments: Arguments) -> Result<Self, Failure> {
        let container = path::open_directory(&arguments.container)?;
        let run = path::open_directory(&arguments.run)?;
        let held = file::lockable(run.as_fd(), OsStr::new("monitor"))?;
        // A former monitor may still be at its farewell: the new container comes after it.
        lock::exclusive(held.as_fd())?;
        let signals = SignalFd::new(1 << (CHILD - 1))?;
        let log = Log::open(&container, arguments.log_max)?;
        let listener = listen(&run)?;
        let (pid, streams) = runtime::start(&arguments, &run)?;
        let oom = OutOfMemory::watch(arguments.oom.as_deref());
        let started = Self::keep(pid, &container, &streams);
        let (pidfd, input) = match started {
            Ok(kept) => kept,
            Err(error) => {
                // Without a record nobody would ever stop it.
                runtime::delete(&arguments);
                return Err(error.into());
            }
        };
        let (outputs, terminal) = (streams.outputs, streams.terminal);
        Ok(Self {
            arguments,
            container,
            run,
            _lock: held,
            signals,
            pid,
            pidfd,
            exit: None,
            outputs,
            input: Input::new(input)?,
            terminal,
            listener,
            clients: Vec::new(),
            log,
            oom,
        })
    }

    /// Holds the first process and records its identity: number, start time and boot.
    fn keep(
        pid: u32,
        container: &OwnedFd,
        streams: &Streams,
    ) -> dhow_sys::Result<(OwnedFd, Option<OwnedFd>)> {
        // Its number cannot come to mean another: nobody but us can collect it.
        let pidfd = process::open(pid)?;
        let procfs = Procfs::open_host()?;
        let status = ProcessStatus::of(&procfs, pid)?;
        let boot = procfs.read("sys/kernel/random/boot_id")?;
        let text = format!(
            "{{\"boot_id\":\"{}\",\"pid\":{pid},\"start_time\":{},\"started\":\"{}\"}}\n",
            String::from_utf8_lossy(&boot).trim(),
            status.start_time,
            clock::now()
        );
        let name = OsStr::new("started");
        file::replace(container.as_fd(), name, text.as_bytes(), 0o600, false)?;
        for (_, output) in &streams.outputs {
            stream::set_nonblocking(output.as_fd())?;
        }
        let input = match &streams.input {
            Some(input) => Some(fd::duplicate_from(input.as_fd(), 3)?),
            None => None,
        };
        Ok((pidfd, input))
    }

    /// Tells the engine that the container runs; it stays as the owner or is let go.
    fn greet(&mut self, engine: OwnedFd) {
        let message = [b"R", &self.pid.to_le_bytes()[..]].concat();
        let heard = socket::send(engine.as_fd(), &message, &[]).is_ok();
        if heard && self.arguments.attached {
            self.clients.push(Client::owner(engine));
        }
    }

    /// The loop: until the first process has ended.
    fn watch(&mut self) {
        let mut buffer = vec![0; PIECE + 1];
        while self.exit.is_none() {
            let ready = self.wait();
            if ready.signal {
                self.reap();
            }
            if ready.oom {
                self.oom.look();
            }
            if ready.input {
                self.input.flush();
            }
            if ready.listener {
                self.accept();
            }
            // Highest first, and before the engines, who may close one: numbers stay true.
            for index in (0..ready.outputs.len()).rev() {
                if ready.outputs[index] {
                    self.take_output(index, &mut buffer);
                }
            }
            self.hear(&ready.clients, &mut buffer);
        }
    }

    /// Waits for anything; what must wait for the owner or for room is left out.
    fn wait(&self) -> Ready {
        let behind = self.clients.iter().any(Client::is_behind);
        let mut fds = vec![
            (self.signals.as_fd(), Interest::Read),
            (self.pidfd.as_fd(), Interest::Read),
            (self.listener.as_fd(), Interest::Read),
        ];
        let changes = self.oom.changes();
        fds.extend(changes.map(|fd| (fd, Interest::Changed)));
        let input = self.input.waiting();
        fds.extend(input.map(|fd| (fd, Interest::Write)));
        let outputs = if behind { 0 } else { self.outputs.len() };
        fds.extend(
            self.outputs[..outputs]
                .iter()
                .map(|(_, fd)| (fd.as_fd(), Interest::Read)),
        );
        fds.extend(self.clients.iter().map(|client| {
            let interest = if client.is_behind() {
                Interest::Write
            } else {
                Interest::Read
            };
            (client.socket(), interest)
        }));
        // While input finds no room, engines are not asked for more, only whether they can be sent to.
        if input.is_some() {
            let first = fds.len() - self.clients.len();
            let mut index = 0;
            fds.retain(|(_, interest)| {
                index += 1;
                index <= first || *interest == Interest::Write
            });
        }
        let mut ready = match poll(&fds, None) {
            Ok(ready) => ready.into_iter(),
            // Out of memory for the call itself: look at everything.
            Err(_) => vec![true; fds.len()].into_iter(),
        };
        let signal = ready.next().unwrap_or(false) | ready.next().unwrap_or(false);
        let listener = ready.next().unwrap_or(false);
        let oom = changes.is_some() && ready.next().unwrap_or(false);
        let writable = input.is_some() && ready.next().unwrap_or(false);
        Ready {
            signal,
            listener,
            oom,
            input: writable,
            outputs: ready.by_ref().take(outputs).collect(),
            clients: if input.is_some() {
                self.clients.iter().map(Client::is_behind).collect()
            } else {
                ready.collect()
            },
        }
    }

    /// Collects every child that has ended.
    fn reap(&mut self) {
        while let Ok(Some(_)) = self.signals.next() {}
        while let Ok(Some((pid, exit))) = process::reap_any() {
            if pid == self.pid {
                self.exit = Some(Some(exit));
            }
        }
        // A runtime may have kept the process as another's child: then only its end can be seen.
        let ended = || poll(&[(self.pidfd.as_fd(), Interest::Read)], Some(0));
        if self.exit.is_none() && ended().is_ok_and(|ready| ready[0]) {
            self.exit = Some(process::try_wait(self.pidfd.as_fd()).unwrap_or(None));
        }
    }

    fn accept(&mut self) {
        if let Ok(socket) = socket::accept(self.listener.as_fd())
            && self.clients.len() < CLIENTS
        {
            self.clients.push(Client::fresh(socket));
        }
    }

    /// Lets the engines that are ready speak, or catch up.
    fn hear(&mut self, ready: &[bool], buffer: &mut [u8]) {
        for index in (0..ready.len()).rev() {
            if !ready[index] {
                continue;
            }
            // Some may have been cut off since the wait; nobody waits in vain, the next one tells again.
            let Some(client) = self.clients.get_mut(index) else {
                continue;
            };
            if client.is_behind() {
                if !client.catch_up() {
                    self.clients.remove(index);
                }
                continue;
            }
            match client.listen(buffer) {
                Said::Nothing => {}
                Said::Gone => drop(self.clients.remove(index)),
                Said::Input(length) => self.input.give(&buffer[1..=length]),
                Said::EndOfInput => self.input.end(self.terminal.is_some()),
                Said::Closed(number) if self.terminal.is_none() => {
                    let name = if number == 2 { "stderr" } else { "stdout" };
                    self.outputs.retain(|(other, _)| *other != name);
                }
                Said::Closed(_) => {}
                Said::Size(columns, rows) => {
                    if let Some(terminal) = &self.terminal {
                        // A terminal that cannot be resized is no reason to end.
                        let _ = pty::set_size(terminal.as_fd(), columns, rows);
                    }
                }
            }
        }
    }

    /// Takes one piece of output to the log and the engines; false when there is none now.
    fn take_output(&mut self, index: usize, buffer: &mut [u8]) -> bool {
        let (name, output) = &self.outputs[index];
        let length = match stream::read(output.as_fd(), &mut buffer[..PIECE]) {
            Ok(None) => return false,
            // End of file; or EIO: nobody has the terminal open any more.
            Ok(Some(0)) | Err(_) => {
                self.outputs.remove(index);
                return false;
            }
            Ok(Some(length)) => length,
        };
        let kind = if *name == "stdout" { b'1' } else { b'2' };
        let data = &buffer[..length];
        self.log.append(&self.container, name, data);
        self.clients.retain_mut(|client| client.output(kind, data));
        true
    }

    /// After the end: the status first, then the rest of the output, then the runtime's leftovers,
    /// then the farewell.
    fn finish(mut self) -> ExitCode {
        self.oom.look();
        let ended = Ended::new(self.exit.flatten(), self.oom.happened());
        let recorded = ended.record(&self.container);
        self.drain();
        runtime::delete(&self.arguments);
        // Observers learn the end by the connection's; nobody new may come.
        drop(self.listener);
        let _ = dhow_sys::tree::remove_file(self.run.as_fd(), OsStr::new("attach"));
        let owned = farewell(std::mem::take(&mut self.clients), ended);
        if recorded.is_err() {
            // The disk was full: once more, now that the container's own files may have gone.
            let _ = ended.record(&self.container);
        }
        if !owned && !self.arguments.at_exit.is_empty() {
            become_command(&self.arguments.at_exit);
        }
        ExitCode::SUCCESS
    }

    /// Takes what the container has left in its pipes, at most a mebibyte each: with the host's pid
    /// namespace another process may go on writing for ever.
    fn drain(&mut self) {
        let mut buffer = vec![0; PIECE];
        for index in (0..self.outputs.len()).rev() {
            for _ in 0..(1 << 20) / PIECE {
                if !self.take_output(index, &mut buffer) {
                    break;
                }
            }
        }
    }
}

/// What the wait found ready.
struct Ready {
    signal: bool,
    listener: bool,
    oom: bool,
    input: bool,
    outputs: Vec<bool>,
    clients: Vec<bool>,
}

/// Opens the socket for engines, in the place of one that a killed monitor left.
fn listen(run: &OwnedFd) -> dhow_sys::Result<OwnedFd> {
    let _ = dhow_sys::tree::remove_file(run.as_fd(), OsStr::new("attach"));
    let listener = socket::listen(run.as_fd(), "attach")?;
    stream::set_nonblocking(listener.as_fd())?;
    Ok(listener)
}

/// Sends everybody the end, the owner after all that it has not read yet; whether there was an owner to hear it.
fn farewell(clients: Vec<Client>, ended: Ended) -> bool {
    let mut heard = false;
    let (owners, others): (Vec<_>, Vec<_>) = clients.into_iter().partition(Client::is_owner);
    for client in others {
        // One that does not keep up sees the end of the connection.
        let _ = client.finish(ended);
    }
    for mut client in owners {
        let mut alive = true;
        while alive && client.is_behind() {
            alive = poll(&[(client.socket(), Interest::Write)], None).is_ok() && client.catch_up();
        }
        while alive {
            match client.finish(ended) {
                Ok(true) => {
                    heard = true;
                    break;
                }
                Ok(false) => {
                    alive = poll(&[(client.socket(), Interest::Write)], None).is_ok();
                }
                Err(_) => alive = false,
            }
        }
    }
    heard
}

/// Replaces this process by the engine's clean-up; the lock goes with it.
fn become_command(words: &[OsString]) {
    let strings: Option<Vec<CString>> = words
        .iter()
        .map(|word| CString::new(word.as_bytes()).ok())
        .collect();
    let environment: Option<Vec<CString>> = std::env::vars_os()
        .map(|(key, value)| CString::new([key.as_bytes(), b"=", value.as_bytes()].concat()).ok())
        .collect();
    if signal::block(0).is_ok()
        && let (Some(strings), Some(environment)) = (strings, environment)
    {
        // It returns only when it failed, and then the next engine cleans up.
        let _ = process::exec(&strings[0], &strings, &environment);
    }
}

//! Staying with a process until its end: signals forwarded, its terminal shown on ours.
//!
//! The wait is on the pidfd that the clone gave, and all signals are blocked since before the clone:
//! a process that ends before we look is found ended, not missed.

use crate::error::{At, Result};
use dhow_sys::fd::{self, Interest};
use dhow_sys::process::{self, Child, Exit};
use dhow_sys::pty::{self, RawMode};
use dhow_sys::signal::{self, SignalFd};
use dhow_sys::socket;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

const SIGCHLD: u8 = 17;
const SIGURG: u8 = 23;
const SIGWINCH: u8 = 28;

/// Our side of the process's terminal.
#[derive(Debug)]
pub struct Terminal {
    receiver: OwnedFd,
    controller: Option<File>,
    raw: Option<RawMode>,
    input_open: bool,
}

impl Terminal {
    /// The terminal will arrive on this socket.
    #[must_use]
    pub fn new(receiver: OwnedFd) -> Self {
        Self {
            receiver,
            controller: None,
            raw: None,
            input_open: true,
        }
    }

    /// Takes the controlling side, gives it the size of our terminal, and puts ours into raw mode.
    ///
    /// # Errors
    /// The call; EPROTO when nothing came.
    pub fn receive(&mut self) -> Result<()> {
        let step = "receive the terminal";
        let mut packet = [0; 64];
        let (_, mut descriptors) = socket::receive(self.receiver.as_fd(), &mut packet).at(step)?;
        let missing = || dhow_sys::Error::new("recvmsg", "no descriptor", 71);
        let controller = descriptors.pop().ok_or_else(missing).at(step)?;
        let stdin = std::io::stdin();
        if pty::is_terminal(stdin.as_fd()) {
            copy_size(controller.as_fd());
            self.raw = Some(RawMode::enter(stdin.as_fd()).at("put the terminal into raw mode")?);
        }
        self.controller = Some(File::from(controller));
        Ok(())
    }

    /// Copies what the program wrote; false once it has closed its terminal.
    fn show(&mut self) -> bool {
        let Some(controller) = &mut self.controller else {
            return false;
        };
        let mut buffer = [0; 8192];
        match controller.read(&mut buffer) {
            Ok(count) if count > 0 => std::io::stdout()
                .write_all(&buffer[..count])
                .and_then(|()| std::io::stdout().flush())
                .is_ok(),
            _ => false,
        }
    }

    /// Copies what was typed; at the end of our input the program gets end of file.
    fn type_in(&mut self) {
        let mut buffer = [0; 4096];
        let count = std::io::stdin().lock().read(&mut buffer).unwrap_or(0);
        let Some(controller) = &mut self.controller else {
            return;
        };
        let end_of_file = [4];
        let typed = if count == 0 {
            &end_of_file[..]
        } else {
            &buffer[..count]
        };
        self.input_open = count > 0 && controller.write_all(typed).is_ok();
        if count == 0 {
            let _ = controller.write_all(typed);
        }
    }
}

fn copy_size(controller: BorrowedFd<'_>) {
    if let Ok((columns, rows)) = pty::size(std::io::stdin().as_fd()) {
        // A terminal without a size has none to pass on.
        let _ = pty::set_size(controller, columns, rows);
    }
}

/// Waits for the process's end.
///
/// # Errors
/// The call.
pub fn wait(child: &Child, mut terminal: Option<Terminal>) -> Result<Exit> {
    let signals = SignalFd::new(signal::ALL).at("read signals")?;
    let stdin = std::io::stdin();
    loop {
        let mut watched = vec![
            (child.pidfd.as_fd(), Interest::Read),
            (signals.as_fd(), Interest::Read),
        ];
        let (mut output_at, mut input_at) = (None, None);
        if let Some(Terminal {
            controller: Some(controller),
            input_open,
            ..
        }) = &terminal
        {
            output_at = Some(watched.len());
            watched.push((controller.as_fd(), Interest::Read));
            if *input_open {
                input_at = Some(watched.len());
                watched.push((stdin.as_fd(), Interest::Read));
            }
        }
        let ready = fd::poll(&watched, None).at("wait for the program")?;
        let is_ready = |at: Option<usize>| at.is_some_and(|at| ready[at]);
        let (output, input) = (is_ready(output_at), is_ready(input_at));
        if ready[1] {
            forward(child, &signals, terminal.as_ref())?;
        }
        if let Some(shown) = &mut terminal {
            if input {
                shown.type_in();
            }
            if output && !shown.show() {
                shown.controller = None;
            }
        }
        // What it wrote before it ended is shown first.
        if ready[0] && !output {
            return process::wait(child.pidfd.as_fd()).at("collect the program");
        }
    }
}

fn forward(child: &Child, signals: &SignalFd, terminal: Option<&Terminal>) -> Result<()> {
    while let Some(signal) = signals.next().at("read signals")? {
        match (
            signal,
            terminal.and_then(|terminal| terminal.controller.as_ref()),
        ) {
            (SIGCHLD | SIGURG, _) => {}
            (SIGWINCH, Some(controller)) => copy_size(controller.as_fd()),
            // A process that ended meanwhile is found by the pidfd.
            (signal, _) => drop(process::signal(child.pidfd.as_fd(), signal)),
        }
    }
    Ok(())
}

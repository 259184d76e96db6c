//! Start one program, pass signals on, collect orphans, end as it did.

use dhow_sys::fd::{Interest, poll};
use dhow_sys::process::{self, Exit};
use dhow_sys::signal::{self, SignalFd};
use std::ffi::OsString;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

/// `SIGCHLD`
const CHILD: u8 = 17;
/// `SIGTTIN` and `SIGTTOU`: about this process's own use of the terminal.
const OWN: [u8; 2] = [21, 22];

/// Runs the program in `words` (our own name first, then perhaps `--`).
pub(crate) fn run(words: impl Iterator<Item = OsString>) -> ExitCode {
    let mut words = words.skip(1).peekable();
    if words.peek().is_some_and(|word| word == "--") {
        words.next();
    }
    let Some(program) = words.next() else {
        eprintln!("dhow-init: no program was named");
        return ExitCode::from(125);
    };
    // Blocked before the program starts, so that its end cannot be missed.
    let held =
        signal::block(signal::ALL).and_then(|before| Ok((before, SignalFd::new(signal::ALL)?)));
    let (before, signals) = match held {
        Ok(held) => held,
        Err(error) => {
            eprintln!("dhow-init: {error}");
            return ExitCode::from(125);
        }
    };
    let mut command = Command::new(&program);
    command.args(words).process_group(0);
    // Else the program would hear nothing of what is passed on.
    signal::mask_in_child(&mut command, before);
    let child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            eprintln!("dhow-init: cannot run {}: {error}", program.display());
            let missing = error.kind() == std::io::ErrorKind::NotFound;
            return ExitCode::from(if missing { 127 } else { 126 });
        }
    };
    foreground(child.id());
    loop {
        if poll(&[(signals.as_fd(), Interest::Read)], None).is_err() {
            continue;
        }
        while let Ok(Some(number)) = signals.next() {
            if number != CHILD && !OWN.contains(&number) {
                // A program that has just ended needs no signal any more.
                let _ = process::signal_group(child.id(), number);
            }
        }
        let mut ended = None;
        while let Ok(Some((pid, exit))) = process::reap_any() {
            if pid == child.id() {
                ended = Some(exit);
            }
        }
        if let Some(exit) = ended {
            return leave(exit);
        }
    }
}

/// Gives the program the terminal, if there is one, so that its keys reach it.
fn foreground(group: u32) {
    // Not a terminal, or not ours: then there is nothing to give.
    let _ = dhow_sys::pty::set_foreground(std::io::stdin().as_fd(), group);
}

/// The first process of a pid namespace cannot end by a signal of its own; the code says it.
fn leave(exit: Exit) -> ExitCode {
    ExitCode::from(exit.code())
}

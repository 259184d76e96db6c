//! CRIU, which freezes a tree of processes into files and thaws it from them.
//!
//! It is a program of its own, found where the caller says or in `PATH`. It is talked to over a socket
//! in its own protocol (`criu swrk`, <https://criu.org/RPC>): only so does it tell when a restored
//! process exists but does not run yet, and hand over a terminal. Nothing of the container, no file in
//! its image and no annotation, sets an option.

pub mod external;
pub mod images;
pub mod options;
pub mod wire;

use super::handshake::{Channel, Said};
use super::platform::is_host_root;
use crate::error::{At, Error, Result};
use dhow_sys::process::{self, Child, Cloned};
use dhow_sys::{fd, signal, socket};
use std::ffi::{CString, OsStr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use wire::{Message, Value, field};

/// Numbers of CRIU's `rpc.proto`: the types of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// Write the images, then end the processes or let them run.
    Dump = 1,
    /// Make the processes of the images.
    Restore = 2,
    /// Write their memory, while they run.
    PreDump = 4,
    /// The answer to a notice.
    Notify = 6,
}

/// What CRIU says.
#[derive(Debug)]
pub enum Word {
    /// It has come to a stage, and waits for [`Criu::go_on`].
    Stage {
        /// The stage's name.
        name: String,
        /// The first process, where there is one.
        pid: Option<u32>,
        /// The controlling side of a terminal.
        terminal: Option<OwnedFd>,
    },
    /// It has done what it was asked for.
    Done {
        /// The restored process.
        pid: Option<u32>,
    },
    /// It could not.
    Failed {
        /// In its words, if it has some.
        reason: String,
    },
}

/// A CRIU at work for one request.
#[derive(Debug)]
pub struct Criu {
    child: Child,
    socket: OwnedFd,
}

impl Criu {
    /// Starts it. `prepare` is done in its process first; `attend` by this one meanwhile, after which
    /// the other goes on.
    ///
    /// # Errors
    /// The step that failed.
    pub fn start(
        program: &Path,
        flags: u64,
        cgroup: Option<BorrowedFd<'_>>,
        prepare: impl FnOnce(&Channel) -> Result<()>,
        attend: impl FnOnce(u32, &Channel) -> Result<()>,
    ) -> Result<Self> {
        let step = "start criu";
        let (mine, theirs) = socket::pair().at(step)?;
        let (parent, child_end) = Channel::pair().at(step)?;
        let child = match process::clone(flags, cgroup).at(step)? {
            Cloned::Parent(child) => child,
            Cloned::Child => {
                drop((parent, mine));
                super::birth::leave(child_end, |channel| {
                    let failed = prepare(&channel).and_then(|()| execute(program, &theirs));
                    (channel, failed)
                });
            }
        };
        drop((theirs, child_end));
        let begun = attend(child.pid, &parent).and_then(|()| match parent.hear().at(step)? {
            Said::Failed(failure) => Err(Error::Birth(failure)),
            _ => Ok(()),
        });
        match begun {
            Ok(()) => Ok(Self {
                child,
                socket: mine,
            }),
            Err(error) => {
                child.end();
                Err(parent.cause(error))
            }
        }
    }

    /// Asks for something.
    ///
    /// # Errors
    /// `sendmsg`: EPIPE when it has ended.
    pub fn ask(&self, request: Request, options: &Message) -> Result<()> {
        const OPTIONS: u64 = 2;
        let mut message = Message::default();
        message.number(1, request as u64).message(OPTIONS, options);
        socket::send(self.socket.as_fd(), message.as_bytes(), &[]).at("ask criu")
    }

    /// Lets it go on after a stage.
    ///
    /// # Errors
    /// `sendmsg`: EPIPE when it has ended.
    pub fn go_on(&self) -> Result<()> {
        const SUCCESS: u64 = 3;
        let mut message = Message::default();
        message
            .number(1, Request::Notify as u64)
            .truth(SUCCESS, true);
        socket::send(self.socket.as_fd(), message.as_bytes(), &[]).at("let criu go on")
    }

    /// Waits for what it says next.
    ///
    /// # Errors
    /// `recvmsg`.
    pub fn hear(&self) -> Result<Word> {
        let mut packet = [0; 8192];
        let (length, mut descriptors) =
            socket::receive(self.socket.as_fd(), &mut packet).at("wait for criu")?;
        if length == 0 {
            let exit = process::wait(self.child.pidfd.as_fd()).at("wait for criu")?;
            let reason = format!(
                "it ended ({exit:?}) before it answered; `criu check` may say what it lacks here"
            );
            return Ok(Word::Failed { reason });
        }
        Ok(read(&packet[..length], || descriptors.pop()))
    }

    /// Ends it, whatever it does.
    pub fn end(self) {
        self.child.end();
    }

    /// Waits for its end, when nothing is asked any more.
    pub fn finish(self) {
        drop(self.socket);
        let _ = process::wait(self.child.pidfd.as_fd());
    }
}

/// Reads one of CRIU's answers.
fn read(packet: &[u8], terminal: impl FnOnce() -> Option<OwnedFd>) -> Word {
    const TYPE: u64 = 1;
    const SUCCESS: u64 = 2;
    const RESTORE: u64 = 4;
    const NOTIFY: u64 = 5;
    const ERRNO: u64 = 7;
    const ERROR: u64 = 9;
    let number = |value: Value<'_>| value.as_number();
    let truth = |wanted| field(packet, wanted).and_then(number) == Some(1);
    let inner = |wanted| field(packet, wanted).and_then(Value::as_bytes);
    let pid = |message: &[u8], wanted| {
        field(message, wanted)
            .and_then(Value::as_number)
            .and_then(|pid| u32::try_from(pid).ok())
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if field(packet, TYPE).and_then(number) == Some(Request::Notify as u64) {
        let notice = inner(NOTIFY).unwrap_or_default();
        let name = field(notice, 1).and_then(Value::as_bytes).map(text);
        return Word::Stage {
            name: name.unwrap_or_default(),
            pid: pid(notice, 2),
            terminal: terminal(),
        };
    }
    if truth(SUCCESS) {
        return Word::Done {
            pid: inner(RESTORE).and_then(|restored| pid(restored, 1)),
        };
    }
    let reason = inner(ERROR).map(text).unwrap_or_default();
    let code = field(packet, ERRNO)
        .and_then(number)
        .filter(|code| *code != 0);
    let code = code
        .map(|code| format!(" (error {code})"))
        .unwrap_or_default();
    Word::Failed {
        reason: format!("{}{code}", reason.trim()),
    }
}

/// CRIU acts on processes as only the host's root may.
///
/// # Errors
/// [`Error::Unsupported`]
pub fn needs_root(verb: &str) -> Result<()> {
    if is_host_root() {
        return Ok(());
    }
    let reason = format!("{verb} needs root: CRIU cannot make another user's processes anew");
    Err(Error::Unsupported(reason))
}

/// The program, by the caller's path or in `PATH`.
///
/// # Errors
/// [`Error::Unsupported`] when there is none.
pub fn find(asked: Option<&str>) -> Result<PathBuf> {
    let asked = asked.unwrap_or("criu");
    let found = if asked.contains('/') {
        Some(PathBuf::from(asked)).filter(|path| path.is_file())
    } else {
        installed(asked)
    };
    found.ok_or_else(|| {
        Error::Unsupported(format!(
            "{asked}: no such program; checkpoint and restore need CRIU (Debian: criu), or give --criu"
        ))
    })
}

/// A program of the host, in `PATH` or where administrators' programs are.
fn installed(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .map(|directory| directory.join(name))
        .find(|candidate| candidate.is_file())
}

/// Becomes CRIU; comes back only with an error.
fn execute(program: &Path, socket: &OwnedFd) -> Result<std::convert::Infallible> {
    let step = "execute criu";
    // The verb may have blocked them all; CRIU counts on its own.
    signal::block(0).at(step)?;
    fd::cloexec_from(3).at(step)?;
    fd::set_cloexec(socket.as_fd(), false).at(step)?;
    let number = fd::number(socket).to_string();
    let word = |text: &OsStr| CString::new(text.as_bytes()).unwrap_or_default();
    let arguments = [
        word(program.as_os_str()),
        c"swrk".into(),
        word(OsStr::new(&number)),
    ];
    let environment: Vec<_> = std::env::vars_os()
        .map(|(name, value)| {
            let mut entry = name;
            entry.push("=");
            entry.push(value);
            word(&entry)
        })
        .collect();
    Err(process::exec(&arguments[0], &arguments, &environment)).at(step)
}

/// What a log of CRIU's says went wrong: its last errors, without those that it says of every run. Its own
/// answer names only the first that it came across.
#[must_use]
pub fn complaints(log: &Path) -> Option<String> {
    const SHOWN: usize = 3;
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let errors: Vec<&str> = text
        .lines()
        .filter_map(|line| line.split_once("Error (").map(|(_, error)| error))
        .filter_map(|error| error.split_once("): ").map(|(_, said)| said))
        .filter(|said| !said.starts_with("rlimit:") && !said.ends_with("FAILED."))
        .collect();
    (!errors.is_empty()).then(|| errors[errors.len().saturating_sub(SHOWN)..].join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_is_read_with_its_process() {
        let mut notice = Message::default();
        notice.text(1, "post-restore").number(2, 77_u64);
        let mut answer = Message::default();
        answer.number(1, 6_u64).truth(2, true).message(5, &notice);
        let word = read(answer.as_bytes(), || None);
        let Word::Stage {
            name,
            pid,
            terminal,
        } = word
        else {
            panic!("{word:?}");
        };
        assert_eq!((name.as_str(), pid), ("post-restore", Some(77)));
        assert!(terminal.is_none());
    }

    #[test]
    fn success_and_failure_are_told_apart() {
        let mut restored = Message::default();
        restored.number(1, 99_u64);
        let mut answer = Message::default();
        answer.number(1, 2_u64).truth(2, true).message(4, &restored);
        assert!(matches!(
            read(answer.as_bytes(), || None),
            Word::Done { pid: Some(99) }
        ));
        let mut answer = Message::default();
        answer
            .number(1, 1_u64)
            .truth(2, false)
            .number(7, 52_u64)
            .text(9, "no\n");
        let Word::Failed { reason } = read(answer.as_bytes(), || None) else {
            panic!("it did not fail");
        };
        assert_eq!(reason, "no (error 52)");
        // Broken answers are failures too.
        assert!(matches!(read(&[0xff], || None), Word::Failed { .. }));
    }
}

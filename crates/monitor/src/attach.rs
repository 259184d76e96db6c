//! The engines that watch this container: message sockets on which output goes out and input,
//! terminal sizes and signals come in.
//!
//! Every message begins with one byte that says what it is:
//!
//! ```text
//!  to the engine                         from the engine
//!   R pid:u32     it runs                 A             send me the output
//!   F code:u8 …   it could not start      O             tell me the end only
//!   1 …           standard output         0 …           standard input
//!   2 …           standard error          E             end of standard input
//!   X code signal oom   it has ended      W cols rows   terminal size, two u16
//!                                         C 1|2         I can take no more of this output
//! ```
//!
//! The engine that started the container, if it stays, is the owner: its output is never lost, so
//! when it reads slowly the container waits as it would for a full pipe. Others may never slow the
//! container: when they do not keep up they are cut off.

use dhow_sys::{Result, stream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// What an engine wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// It has not said yet.
    Fresh,
    /// The end only.
    Observer,
    /// The output, as long as it keeps up.
    Viewer,
    /// The output, all of it.
    Owner,
}

/// One connected engine.
#[derive(Debug)]
pub(crate) struct Client {
    socket: OwnedFd,
    role: Role,
    /// Messages that the owner had no room for yet.
    pending: Vec<(u8, Vec<u8>)>,
}

/// What an engine said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// Nothing new.
    Nothing,
    /// It is gone.
    Gone,
    /// Bytes for standard input: the message without its first byte is in the buffer, this long.
    Input(usize),
    /// Standard input has ended.
    EndOfInput,
    /// The terminal has this many columns and rows.
    Size(u16, u16),
    /// The owner's own standard output (1) or error (2) is closed.
    Closed(u8),
}

impl Client {
    /// The engine that started this container and stays for its output.
    pub(crate) fn owner(socket: OwnedFd) -> Self {
        Self {
            socket,
            role: Role::Owner,
            pending: Vec::new(),
        }
    }

    /// An engine that has just connected.
    pub(crate) fn fresh(socket: OwnedFd) -> Self {
        Self {
            socket,
            role: Role::Fresh,
            pending: Vec::new(),
        }
    }

    pub(crate) fn is_owner(&self) -> bool {
        self.role == Role::Owner
    }

    /// Whether output must wait for this engine.
    pub(crate) fn is_behind(&self) -> bool {
        !self.pending.is_empty()
    }

    pub(crate) fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Takes the next message; `buffer` gets it, first byte included.
    pub(crate) fn listen(&mut self, buffer: &mut [u8]) -> Said {
        let length = match stream::receive(self.socket(), buffer) {
            Ok(None) => return Said::Nothing,
            Ok(Some(0)) | Err(_) => return Said::Gone,
            Ok(Some(length)) => length,
        };
        let number = |at: usize| u16::from_le_bytes([buffer[at], buffer[at + 1]]);
        match buffer[0] {
            b'A' if self.role == Role::Fresh => self.role = Role::Viewer,
            b'O' if self.role == Role::Fresh => self.role = Role::Observer,
            b'0' => return Said::Input(length - 1),
            b'E' => return Said::EndOfInput,
            b'C' if length == 2 && self.is_owner() => return Said::Closed(buffer[1]),
            b'W' if length == 5 => return Said::Size(number(1), number(3)),
            // A younger engine may say what this monitor does not know.
            _ => {}
        }
        Said::Nothing
    }

    /// Sends a piece of output; false when this engine is to be cut off.
    pub(crate) fn output(&mut self, kind: u8, data: &[u8]) -> bool {
        match self.role {
            Role::Fresh | Role::Observer => true,
            Role::Viewer => matches!(
                stream::send(self.socket.as_fd(), &[&[kind], data]),
                Ok(true)
            ),
            Role::Owner if self.is_behind() => {
                self.pending.push((kind, data.to_vec()));
                true
            }
            Role::Owner => match stream::send(self.socket.as_fd(), &[&[kind], data]) {
                Ok(true) => true,
                Ok(false) => {
                    self.pending.push((kind, data.to_vec()));
                    true
                }
                Err(_) => false,
            },
        }
    }

    /// Sends what had to wait; false when this engine is gone.
    pub(crate) fn catch_up(&mut self) -> bool {
        while let Some((kind, data)) = self.pending.first() {
            match stream::send(self.socket.as_fd(), &[&[*kind], data]) {
                Ok(true) => drop(self.pending.remove(0)),
                Ok(false) => return true,
                Err(_) => return false,
            }
        }
        true
    }

    /// Says that the container has ended.
    pub(crate) fn finish(&self, exit: crate::exit::Ended) -> Result<bool> {
        let signal = exit.signal.unwrap_or(0);
        let words = [exit.code, signal, u8::from(exit.oom_killed)];
        stream::send(self.socket(), &[b"X", &words])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dhow_sys::socket::pair;

    #[test]
    fn an_owner_loses_nothing_and_a_viewer_is_cut_off() {
        let (near, far) = pair().expect("pair");
        let mut owner = Client::owner(near);
        let block = vec![7; 30_000];
        for _ in 0..100 {
            assert!(owner.output(b'1', &block));
        }
        assert!(owner.is_behind());
        let mut buffer = vec![0; 32 * 1024];
        let mut count = 0;
        while count < 100 {
            assert!(owner.catch_up());
            while let Some(length) = stream::receive(far.as_fd(), &mut buffer).expect("receive") {
                assert_eq!((length, buffer[0]), (30_001, b'1'));
                count += 1;
            }
        }
        assert!(!owner.is_behind());

        let (near, far) = pair().expect("pair");
        let mut viewer = Client::fresh(near);
        assert!(stream::send(far.as_fd(), &[b"A"]).expect("send"));
        assert_eq!(viewer.listen(&mut buffer), Said::Nothing);
        assert!((0..100).any(|_| !viewer.output(b'1', &block)));
    }

    #[test]
    fn sizes_and_strangers() {
        let (near, far) = pair().expect("pair");
        let mut client = Client::owner(near);
        let mut buffer = vec![0; 64];
        let say = |message: &[u8]| assert!(stream::send(far.as_fd(), &[message]).expect("send"));
        say(&[b'W', 80, 0, 1, 1]);
        assert_eq!(client.listen(&mut buffer), Said::Size(80, 257));
        say(b"W1");
        say(b"?what");
        assert_eq!(client.listen(&mut buffer), Said::Nothing);
        assert_eq!(client.listen(&mut buffer), Said::Nothing);
        say(b"0abc");
        assert_eq!(client.listen(&mut buffer), Said::Input(3));
    }
}

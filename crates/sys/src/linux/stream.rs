//! Pieces of byte streams and messages, without ever waiting: what an event loop needs.

use super::raw::check;
use crate::Result;
use rustix::fd::{AsRawFd, BorrowedFd};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags};
use std::io::IoSlice;

/// Makes reads and writes through this open file description fail instead of waiting.
///
/// # Errors
/// `fcntl`.
pub fn set_nonblocking(fd: BorrowedFd<'_>) -> Result<()> {
    let shown = || format!("{}, F_SETFL, O_NONBLOCK", fd.as_raw_fd());
    let flags = check("fcntl", rustix::fs::fcntl_getfl(fd), shown)?;
    check(
        "fcntl",
        rustix::fs::fcntl_setfl(fd, flags | super::OFlags::NONBLOCK),
        shown,
    )
}

/// Reads once: the number of bytes, 0 at end of file; `None` when nothing is there yet.
///
/// # Errors
/// `read`: EIO on the controlling side of a terminal that nobody has open any more.
pub fn read(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<Option<usize>> {
    match rustix::io::retry_on_intr(|| rustix::io::read(fd, &mut *buffer)) {
        Err(Errno::AGAIN) => Ok(None),
        result => check("read", result, || {
            format!("{}, {} bytes", fd.as_raw_fd(), buffer.len())
        })
        .map(Some),
    }
}

/// Writes once: the number of bytes taken; `None` when there is no room.
///
/// # Errors
/// `write`: EPIPE, ENOSPC, EIO.
pub fn write(fd: BorrowedFd<'_>, data: &[u8]) -> Result<Option<usize>> {
    match rustix::io::retry_on_intr(|| rustix::io::write(fd, data)) {
        Err(Errno::AGAIN) => Ok(None),
        result => check("write", result, || {
            format!("{}, {} bytes", fd.as_raw_fd(), data.len())
        })
        .map(Some),
    }
}

/// Writes everything, waiting for room when the descriptor is non-blocking.
///
/// # Errors
/// `write`, `poll`.
pub fn write_all(fd: BorrowedFd<'_>, mut data: &[u8]) -> Result<()> {
    while !data.is_empty() {
        match write(fd, data)? {
            Some(count) => data = &data[count..],
            None => {
                super::fd::poll(&[(fd, super::fd::Interest::Write)], None)?;
            }
        }
    }
    Ok(())
}

/// Sends one message made of `parts`; false when there is no room for it now.
///
/// # Errors
/// `sendmsg`: EPIPE, ECONNRESET when the other end is gone; EMSGSIZE.
pub fn send(socket: BorrowedFd<'_>, parts: &[&[u8]]) -> Result<bool> {
    let slices: Vec<IoSlice<'_>> = parts.iter().map(|part| IoSlice::new(part)).collect();
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    let result = rustix::io::retry_on_intr(|| {
        rustix::net::sendmsg(socket, &slices, &mut SendAncillaryBuffer::default(), flags)
    });
    match result {
        Err(Errno::AGAIN) => Ok(false),
        result => check("sendmsg", result, || {
            format!("{}, DONTWAIT", socket.as_raw_fd())
        })
        .map(|_| true),
    }
}

/// Receives one message: its length, 0 when the other end is gone; `None` when there is none.
///
/// # Errors
/// `recv`: ECONNRESET, once, when the other end was closed with messages unread; what it had sent
/// before can still be received afterwards.
pub fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<Option<usize>> {
    let result =
        rustix::io::retry_on_intr(|| rustix::net::recv(socket, &mut *buffer, RecvFlags::DONTWAIT));
    match result {
        Err(Errno::AGAIN) => Ok(None),
        result => check("recv", result, || {
            format!("{}, DONTWAIT", socket.as_raw_fd())
        })
        .map(|(_, length)| Some(length)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fd::AsFd;

    #[test]
    fn messages_keep_their_boundaries_and_never_wait() {
        let (a, b) = super::super::socket::pair().expect("pair");
        let mut buffer = [0; 64];
        assert_eq!(receive(b.as_fd(), &mut buffer).expect("empty"), None);
        assert!(send(a.as_fd(), &[b"x", b"yz"]).expect("send"));
        assert_eq!(receive(b.as_fd(), &mut buffer).expect("one"), Some(3));
        assert_eq!(&buffer[..3], b"xyz");
        let big = vec![0; 32 * 1024];
        let sent = (0..1000)
            .take_while(|_| send(a.as_fd(), &[&big]).expect("send"))
            .count();
        assert!(sent > 0 && sent < 1000, "{sent}");
        // It closes with messages unread, which the kernel reports once before the plain EPIPE.
        drop(b);
        let code = send(a.as_fd(), &[b"x"]).expect_err("gone").code();
        assert_eq!(code, libc::ECONNRESET);
        let code = send(a.as_fd(), &[b"x"]).expect_err("gone").code();
        assert_eq!(code, libc::EPIPE);
    }

    #[test]
    fn a_full_pipe_is_no_error() {
        let (reader, writer) = super::super::fd::pipe().expect("pipe");
        set_nonblocking(writer.as_fd()).expect("flags");
        let block = [0; 4096];
        while write(writer.as_fd(), &block).expect("write").is_some() {}
        let mut buffer = vec![0; 8192];
        assert_eq!(read(reader.as_fd(), &mut buffer).expect("read"), Some(8192));
        assert!(write(writer.as_fd(), &block).expect("room").is_some());
    }
}

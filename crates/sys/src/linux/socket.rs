//! Unix sockets that carry messages and descriptors.

use super::raw::check;
use crate::{Error, Result};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType,
};
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::path::{Path, PathBuf};

/// A connected pair of sockets that keep message boundaries (`SOCK_SEQPACKET`).
///
/// # Errors
/// `socketpair`: EMFILE.
pub fn pair() -> Result<(OwnedFd, OwnedFd)> {
    let result = rustix::net::socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    );
    check("socketpair", result, || "AF_UNIX, SOCK_SEQPACKET".into())
}

fn new(kind: SocketType) -> Result<OwnedFd> {
    let result = rustix::net::socket_with(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None);
    check("socket", result, || format!("AF_UNIX, {kind:?}"))
}

/// A name for `name` inside an open directory that is short enough for a socket address,
/// whatever the length of the directory's own path.
fn short(directory: BorrowedFd<'_>, name: &str) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}/{name}", directory.as_raw_fd()))
}

fn address(call: &'static str, path: &Path) -> Result<SocketAddrUnix> {
    check(call, SocketAddrUnix::new(path), || {
        path.display().to_string()
    })
}

/// Listens for message connections at `name` inside an open directory.
///
/// # Errors
/// `bind`: EADDRINUSE, EROFS, ENOSPC.
pub fn listen(directory: BorrowedFd<'_>, name: &str) -> Result<OwnedFd> {
    listen_as(SocketType::SEQPACKET, directory, name)
}

/// Listens for stream connections at `name` inside an open directory.
///
/// # Errors
/// `bind`: EADDRINUSE, EROFS, ENOSPC.
pub fn listen_stream(directory: BorrowedFd<'_>, name: &str) -> Result<OwnedFd> {
    listen_as(SocketType::STREAM, directory, name)
}

fn listen_as(kind: SocketType, directory: BorrowedFd<'_>, name: &str) -> Result<OwnedFd> {
    let socket = new(kind)?;
    let path = short(directory, name);
    let shown = || format!("{name:?}");
    check(
        "bind",
        rustix::net::bind(&socket, &address("bind", &path)?),
        shown,
    )?;
    check("listen", rustix::net::listen(&socket, 16), shown)?;
    Ok(socket)
}

/// Connects to a message socket at `name` inside an open directory.
///
/// # Errors
/// `connect`: ENOENT, ECONNREFUSED when nobody listens any more.
pub fn connect(directory: BorrowedFd<'_>, name: &str) -> Result<OwnedFd> {
    let socket = new(SocketType::SEQPACKET)?;
    let path = short(directory, name);
    check(
        "connect",
        rustix::net::connect(&socket, &address("connect", &path)?),
        || format!("{name:?}"),
    )?;
    Ok(socket)
}

/// Connects to a stream socket by a host path that the caller of the program gave.
///
/// # Errors
/// `connect`: ENOENT, ECONNREFUSED, ENAMETOOLONG.
pub fn connect_stream(path: &Path) -> Result<OwnedFd> {
    let socket = new(SocketType::STREAM)?;
    let target = address("connect", path)?;
    check("connect", rustix::net::connect(&socket, &target), || {
        path.display().to_string()
    })?;
    Ok(socket)
}

/// Accepts one connection.
///
/// # Errors
/// `accept4`.
pub fn accept(listener: BorrowedFd<'_>) -> Result<OwnedFd> {
    let result =
        rustix::io::retry_on_intr(|| rustix::net::accept_with(listener, SocketFlags::CLOEXEC));
    check("accept4", result, || listener.as_raw_fd().to_string())
}

/// Sends one message, with descriptors beside it (at most 8).
///
/// # Errors
/// `sendmsg`: EPIPE when the other end is gone (no signal is raised).
pub fn send(socket: BorrowedFd<'_>, message: &[u8], descriptors: &[BorrowedFd<'_>]) -> Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(Error::new(
            "sendmsg",
            "more than 8 descriptors",
            libc::E2BIG,
        ));
    }
    let result = rustix::io::retry_on_intr(|| {
        rustix::net::sendmsg(
            socket,
            &[IoSlice::new(message)],
            &mut ancillary,
            SendFlags::NOSIGNAL,
        )
    });
    check("sendmsg", result, || {
        format!("{}, {} bytes", socket.as_raw_fd(), message.len())
    })
    .map(drop)
}

/// Receives one message into `buffer`; returns its length (0 at end of file) and the descriptors
/// that came with it, close-on-exec.
///
/// # Errors
/// `recvmsg`.
pub fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<(usize, Vec<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let result = rustix::io::retry_on_intr(|| {
        rustix::net::recvmsg(
            socket,
            &mut [IoSliceMut::new(buffer)],
            &mut ancillary,
            RecvFlags::CMSG_CLOEXEC,
        )
    });
    let message = check("recvmsg", result, || socket.as_raw_fd().to_string())?;
    let mut descriptors = Vec::new();
    for part in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = part {
            descriptors.extend(rights);
        }
    }
    Ok((message.bytes, descriptors))
}

/// Says that nothing more will be sent; the other end reads end of file.
///
/// # Errors
/// `shutdown`.
pub fn finish(socket: impl AsFd) -> Result<()> {
    let socket = socket.as_fd();
    check(
        "shutdown",
        rustix::net::shutdown(socket, rustix::net::Shutdown::Write),
        || format!("{}, SHUT_WR", socket.as_raw_fd()),
    )
}

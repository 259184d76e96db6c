//! Netlink messages to the kernel and its answers (`netlink(7)`).

use super::raw::check;
use crate::{Error, Result};
use rustix::fd::OwnedFd;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

/// `struct nlmsghdr`: length, type, flags, sequence, port.
const HEADER: usize = 16;
/// `NLM_F_REQUEST`
const REQUEST: u16 = 0x1;
/// `NLM_F_ACK`
const ACKNOWLEDGE: u16 = 0x4;
/// `NLM_F_ROOT | NLM_F_MATCH`
const DUMP: u16 = 0x300;
/// `NLMSG_ERROR`, which with 0 is the acknowledgement.
const ERROR: u16 = 2;
/// `NLMSG_DONE`
const DONE: u16 = 3;
/// As much as the kernel puts into one answer of a dump (`NLMSG_GOODSIZE`, at most 32 KiB).
const BUFFER: usize = 32 << 10;

/// A request that is being written: its fixed part, then attributes.
#[derive(Debug)]
pub struct Message(Vec<u8>);

impl Message {
    /// Begins a request of a type (`RTM_…`) with the fixed part that this type has.
    #[must_use]
    pub fn new(kind: u16, fixed: &[u8]) -> Self {
        let mut bytes = vec![0; HEADER];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes.extend_from_slice(fixed);
        Self(bytes).padded()
    }

    /// Appends an attribute; its length is that of the value, never what a value says of itself.
    ///
    /// # Errors
    /// EMSGSIZE for a value that the attribute's length cannot say.
    pub fn attribute(mut self, kind: u16, value: &[u8]) -> Result<Self> {
        let length = u16::try_from(value.len() + 4)
            .map_err(|_| Error::new("sendto", format!("netlink attribute {kind}"), 90))?;
        self.0.extend_from_slice(&length.to_ne_bytes());
        self.0.extend_from_slice(&kind.to_ne_bytes());
        self.0.extend_from_slice(value);
        Ok(self.padded())
    }

    fn padded(mut self) -> Self {
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    fn finished(mut self, flags: u16) -> Vec<u8> {
        let length = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        self.0[..4].copy_from_slice(&length.to_ne_bytes());
        self.0[6..8].copy_from_slice(&flags.to_ne_bytes());
        self.0
    }
}

/// One answer, without its header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer(Vec<u8>);

impl Answer {
    /// The fixed part, when the answer has as much.
    ///
    /// # Errors
    /// EBADMSG when it is shorter.
    pub fn fixed<const LENGTH: usize>(&self) -> Result<[u8; LENGTH]> {
        let part = self.0.get(..LENGTH).and_then(|part| part.try_into().ok());
        part.ok_or_else(|| Error::new("recvfrom", "a short netlink answer", 74))
    }

    /// The attributes after a fixed part of this length.
    pub fn attributes(&self, fixed: usize) -> impl Iterator<Item = (u16, &[u8])> {
        attributes(self.0.get(fixed.next_multiple_of(4)..).unwrap_or_default())
    }
}

/// The attributes in a piece of an answer (also inside a nested attribute).
pub fn attributes(mut rest: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    /// `NLA_F_NESTED | NLA_F_NET_BYTEORDER`
    const FLAGS: u16 = 0xc000;
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_ne_bytes(rest.get(..2)?.try_into().ok()?));
        let kind = u16::from_ne_bytes(rest.get(2..4)?.try_into().ok()?);
        let value = rest.get(4..length)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind & !FLAGS, value))
    })
}

/// A socket to the kernel's routing tables, in the network namespace in which it was opened.
#[derive(Debug)]
pub struct Socket(OwnedFd);

impl Socket {
    /// Opens one in the calling thread's network namespace. It is connected to the kernel, so that no
    /// other process can answer.
    ///
    /// # Errors
    /// `socket`: EPROTONOSUPPORT without netlink; `connect`.
    pub fn route() -> Result<Self> {
        let shown = || "AF_NETLINK, SOCK_RAW, NETLINK_ROUTE".to_owned();
        let socket = rustix::net::socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            None,
        );
        let socket = check("socket", socket, shown)?;
        let kernel = SocketAddrNetlink::new(0, 0);
        check("connect", rustix::net::connect(&socket, &kernel), || {
            "the kernel, by netlink".into()
        })?;
        Ok(Self(socket))
    }

    /// Sends a request and waits for the kernel's word that it is done. `shown` says what was asked.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn request(&self, message: Message, shown: &str) -> Result<()> {
        self.exchange(message, ACKNOWLEDGE, shown).map(drop)
    }

    /// Sends a question that has one answer.
    ///
    /// # Errors
    /// What the kernel answers; ENODATA when it answers nothing.
    pub fn one(&self, message: Message, shown: &str) -> Result<Answer> {
        let mut answers = self.exchange(message, ACKNOWLEDGE, shown)?;
        answers
            .pop()
            .ok_or_else(|| Error::new("recvfrom", shown, 61))
    }

    /// Sends a question that has any number of answers.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn all(&self, message: Message, shown: &str) -> Result<Vec<Answer>> {
        self.exchange(message, DUMP, shown)
    }

    fn exchange(&self, message: Message, flags: u16, shown: &str) -> Result<Vec<Answer>> {
        let bytes = message.finished(REQUEST | flags);
        let sent =
            rustix::io::retry_on_intr(|| rustix::net::send(&self.0, &bytes, SendFlags::empty()));
        check("sendto", sent, || shown.to_owned())?;
        let mut answers = Vec::new();
        let mut buffer = vec![0; BUFFER];
        loop {
            let received = rustix::io::retry_on_intr(|| {
                rustix::net::recv(&self.0, &mut buffer[..], RecvFlags::TRUNC)
            });
            let (_, length) = check("recvfrom", received, || shown.to_owned())?;
            let Some(whole) = buffer.get(..length) else {
                return Err(Error::new("recvfrom", shown, 90));
            };
            if take(whole, &mut answers, shown)? {
                return Ok(answers);
            }
        }
    }
}

/// Takes the messages of one datagram apart; true when the last one has come.
fn take(mut datagram: &[u8], answers: &mut Vec<Answer>, shown: &str) -> Result<bool> {
    let broken = || Error::new("recvfrom", format!("{shown}: a broken netlink answer"), 74);
    while !datagram.is_empty() {
        let header = datagram.get(..HEADER).ok_or_else(broken)?;
        let length = u32::from_ne_bytes(header[..4].try_into().map_err(|_| broken())?);
        let kind = u16::from_ne_bytes([header[4], header[5]]);
        let length = usize::try_from(length).map_err(|_| broken())?;
        let payload = datagram.get(HEADER..length).ok_or_else(broken)?;
        match kind {
            ERROR | DONE => {
                let code = payload
                    .first_chunk()
                    .map_or(0, |code| i32::from_ne_bytes(*code));
                if code != 0 {
                    return Err(Error::new("netlink", shown, -code));
                }
                return Ok(true);
            }
            _ => answers.push(Answer(payload.to_vec())),
        }
        datagram = datagram
            .get(length.next_multiple_of(4)..)
            .unwrap_or_default();
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attribute_is_as_long_as_its_value() {
        let message = Message::new(16, &[1; 3])
            .attribute(3, b"abcde")
            .expect("fits");
        let bytes = message.finished(REQUEST);
        assert_eq!(bytes.len(), HEADER + 4 + 12);
        assert_eq!(bytes[..4], 32_u32.to_ne_bytes());
        let found: Vec<_> = attributes(&bytes[HEADER + 4..]).collect();
        assert_eq!(found, [(3, &b"abcde"[..])]);
    }

    #[test]
    fn a_value_beyond_the_length_field_is_refused() {
        let error = Message::new(16, &[]).attribute(3, &vec![0; 65_532]);
        assert_eq!(error.expect_err("too long").code(), 90);
    }

    #[test]
    fn broken_answers_are_errors() {
        for datagram in [&[1_u8; 7][..], &[0xff; 16], &[0; 16]] {
            let taken = take(datagram, &mut Vec::new(), "a test");
            assert_eq!(taken.expect_err("broken").code(), 74, "{datagram:?}");
        }
        assert_eq!(attributes(&[200, 0, 1, 0, 9]).count(), 0);
        assert_eq!(attributes(&[0, 0, 1, 0, 9]).count(), 0);
    }
}

//! D-Bus messages as bytes: as much of the protocol as talking to systemd needs.
//!
//! Source: D-Bus specification 0.43, "Message Protocol" and "Marshaling". Everything is little-endian,
//! as on every machine that we are built for; what arrives is read with bounds checked.

use serde::{Deserialize, Serialize};

/// The largest message that we read; systemd's are below a few kilobytes.
const MOST: usize = 1 << 20;

/// A value of a property.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Value {
    /// `b`
    Bool(bool),
    /// `i`
    Integer(i32),
    /// `t`
    Long(u64),
    /// `s`
    Text(String),
    /// `as`
    Texts(Vec<String>),
    /// `au`
    Numbers(Vec<u32>),
    /// `ay`
    Bytes(Vec<u8>),
}

impl Value {
    fn signature(&self) -> &'static str {
        match self {
            Self::Bool(_) => "b",
            Self::Integer(_) => "i",
            Self::Long(_) => "t",
            Self::Text(_) => "s",
            Self::Texts(_) => "as",
            Self::Numbers(_) => "au",
            Self::Bytes(_) => "ay",
        }
    }
}

/// Bytes being written; positions count from the start, which must be one of a message or its body.
#[derive(Debug, Default)]
pub(super) struct Writer(pub(super) Vec<u8>);

impl Writer {
    pub(super) fn align(&mut self, to: usize) {
        self.0.resize(self.0.len().next_multiple_of(to), 0);
    }

    pub(super) fn byte(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(super) fn number(&mut self, value: u32) {
        self.align(4);
        self.0.extend(value.to_le_bytes());
    }

    pub(super) fn text(&mut self, text: &str) {
        self.number(length(text.len()));
        self.0.extend(text.as_bytes());
        self.byte(0);
    }

    pub(super) fn signature(&mut self, signature: &str) {
        self.byte(u8::try_from(signature.len()).expect("our signatures are short"));
        self.0.extend(signature.as_bytes());
        self.byte(0);
    }

    /// An array whose elements are aligned to `to`; its length does not count the padding before them.
    pub(super) fn array(&mut self, to: usize, elements: impl FnOnce(&mut Self)) {
        self.number(0);
        let at = self.0.len() - 4;
        self.align(to);
        let start = self.0.len();
        elements(self);
        let size = length(self.0.len() - start);
        self.0[at..at + 4].copy_from_slice(&size.to_le_bytes());
    }

    pub(super) fn variant(&mut self, value: &Value) {
        self.signature(value.signature());
        match value {
            Value::Bool(value) => self.number(u32::from(*value)),
            Value::Integer(value) => self.number(value.cast_unsigned()),
            Value::Long(value) => {
                self.align(8);
                self.0.extend(value.to_le_bytes());
            }
            Value::Text(text) => self.text(text),
            Value::Texts(texts) => {
                self.array(4, |array| texts.iter().for_each(|text| array.text(text)));
            }
            Value::Numbers(numbers) => self.array(4, |array| {
                numbers.iter().for_each(|number| array.number(*number));
            }),
            Value::Bytes(bytes) => self.array(1, |array| array.0.extend(bytes)),
        }
    }

    /// `a(sv)`
    pub(super) fn properties(&mut self, properties: &[(String, Value)]) {
        self.array(8, |array| {
            for (name, value) in properties {
                array.align(8);
                array.text(name);
                array.variant(value);
            }
        });
    }
}

fn length(length: usize) -> u32 {
    u32::try_from(length).expect("our messages are far below 4 GiB")
}

/// A method call.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) destination: &'a str,
    pub(super) path: &'a str,
    pub(super) interface: &'a str,
    pub(super) member: &'a str,
    pub(super) signature: &'a str,
    pub(super) body: Writer,
}

impl Call<'_> {
    /// The whole message; `direct` leaves the destination out, which has no meaning without a bus.
    pub(super) fn encode(&self, serial: u32, direct: bool) -> Vec<u8> {
        let mut out = Writer(vec![b'l', 1, 0, 1]);
        out.number(length(self.body.0.len()));
        out.number(serial);
        out.array(8, |fields| {
            let mut field = |code: u8, signature: &str, text: &str| {
                fields.align(8);
                fields.byte(code);
                fields.signature(signature);
                fields.text(text);
            };
            field(1, "o", self.path);
            field(2, "s", self.interface);
            field(3, "s", self.member);
            if !direct {
                field(6, "s", self.destination);
            }
            if !self.signature.is_empty() {
                fields.align(8);
                fields.byte(8);
                fields.signature("g");
                fields.signature(self.signature);
            }
        });
        out.align(8);
        out.0.extend(&self.body.0);
        out.0
    }
}

/// What kind of message arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Return,
    Error,
    Signal,
    Other,
}

/// A message that arrived.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) kind: Kind,
    /// The serial number of the call that this answers.
    pub(super) answers: Option<u32>,
    pub(super) member: String,
    /// The name of an error.
    pub(super) error: String,
    pub(super) signature: String,
    pub(super) body: Vec<u8>,
}

/// Bytes being read.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self { data, at: 0 }
    }

    fn align(&mut self, to: usize) {
        self.at = self.at.next_multiple_of(to);
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let taken = self.data.get(self.at..self.at.checked_add(count)?)?;
        self.at += count;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    pub(super) fn number(&mut self) -> Option<u32> {
        self.align(4);
        self.take(4)?.try_into().ok().map(u32::from_le_bytes)
    }

    pub(super) fn text(&mut self) -> Option<String> {
        let count = usize::try_from(self.number()?).ok()?;
        self.terminated(count)
    }

    pub(super) fn signature(&mut self) -> Option<String> {
        let count = usize::from(self.byte()?);
        self.terminated(count)
    }

    fn terminated(&mut self, count: usize) -> Option<String> {
        let bytes = self.take(count)?;
        (self.byte()? == 0).then_some(())?;
        String::from_utf8(bytes.to_vec()).ok()
    }
}

/// How many bytes the message has whose first sixteen these are; `None` for what cannot be one.
pub(super) fn size(head: &[u8; 16]) -> Option<usize> {
    if head[0] != b'l' || head[3] != 1 {
        return None;
    }
    let number =
        |at: usize| usize::try_from(u32::from_le_bytes(head[at..at + 4].try_into().ok()?)).ok();
    let (body, fields) = (number(4)?, number(12)?);
    let total = 16usize
        .checked_add(fields)?
        .checked_next_multiple_of(8)?
        .checked_add(body)?;
    (total <= MOST).then_some(total)
}

/// Reads a whole message.
pub(super) fn decode(data: &[u8]) -> Option<Message> {
    let head: &[u8; 16] = data.get(..16)?.try_into().ok()?;
    (size(head)? == data.len()).then_some(())?;
    let mut message = Message {
        kind: match head[1] {
            2 => Kind::Return,
            3 => Kind::Error,
            4 => Kind::Signal,
            _ => Kind::Other,
        },
        answers: None,
        member: String::new(),
        error: String::new(),
        signature: String::new(),
        body: Vec::new(),
    };
    let fields = usize::try_from(u32::from_le_bytes(head[12..16].try_into().ok()?)).ok()?;
    let mut reader = Reader {
        data: data.get(..16 + fields)?,
        at: 16,
    };
    while reader.at < 16 + fields {
        reader.align(8);
        let code = reader.byte()?;
        match (code, reader.signature()?.as_str()) {
            (5, "u") => message.answers = Some(reader.number()?),
            (3, "s") => message.member = reader.text()?,
            (4, "s") => message.error = reader.text()?,
            (8, "g") => message.signature = reader.signature()?,
            (_, "s" | "o") => drop(reader.text()?),
            (_, "u") => drop(reader.number()?),
            (_, "g") => drop(reader.signature()?),
            _ => return None,
        }
    }
    message.body = data.get((16 + fields).next_multiple_of(8)..)?.to_vec();
    Some(message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hello() -> Vec<u8> {
        let mut body = Writer::default();
        body.text("x.scope");
        body.properties(&[
            ("Delegate".into(), Value::Bool(true)),
            ("MemoryMax".into(), Value::Long(7)),
        ]);
        let call = Call {
            destination: "org.freedesktop.systemd1",
            path: "/org/freedesktop/systemd1",
            interface: "org.freedesktop.systemd1.Manager",
            member: "Test",
            signature: "sa(sv)",
            body,
        };
        call.encode(3, false)
    }

    #[test]
    fn what_is_written_can_be_read() {
        let bytes = hello();
        let message = decode(&bytes).unwrap();
        assert_eq!(
            (message.member.as_str(), message.signature.as_str()),
            ("Test", "sa(sv)")
        );
        let mut body = Reader::new(&message.body);
        assert_eq!(body.text().unwrap(), "x.scope");
        // Array of 8-aligned structs: length, then "Delegate" at a multiple of eight.
        let size = body.number().unwrap();
        assert_eq!(usize::try_from(size).unwrap(), message.body.len() - 16);
    }

    #[test]
    fn truncated_messages_are_refused() {
        let bytes = hello();
        for end in 0..bytes.len() {
            assert_eq!(decode(&bytes[..end]), None, "{end}");
        }
    }

    proptest! {
        #[test]
        fn nothing_that_arrives_breaks_the_reader(at in 0usize..150, byte: u8, tail in prop::collection::vec(any::<u8>(), 0..40)) {
            let mut bytes = hello();
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
            let _ = decode(&bytes);
            bytes.extend(tail);
            let _ = decode(&bytes);
        }
    }
}

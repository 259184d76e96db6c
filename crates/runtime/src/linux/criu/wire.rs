//! Protocol Buffers as far as CRIU's messages need them: numbers and pieces of bytes, by field number.
//!
//! Source: protobuf.dev, "Encoding". Why not a crate: `docs/adr/0012-checkpoints-by-criu.md`.

/// A message that is being written.
#[derive(Debug, Default)]
pub struct Message(Vec<u8>);

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// A number, an enumeration's, or a truth (0 or 1).
    Number(u64),
    /// A text or a message.
    Bytes(&'a [u8]),
}

/// Wire types.
const VARINT: u64 = 0;
const FIXED_64: u64 = 1;
const LENGTH_DELIMITED: u64 = 2;
const FIXED_32: u64 = 5;

impl Message {
    /// Appends a number.
    pub fn number(&mut self, field: u64, value: impl Into<u64>) -> &mut Self {
        self.varint(field << 3 | VARINT);
        self.varint(value.into());
        self
    }

    /// Appends a truth.
    pub fn truth(&mut self, field: u64, value: bool) -> &mut Self {
        self.number(field, u64::from(value))
    }

    /// Appends a text.
    pub fn text(&mut self, field: u64, value: &str) -> &mut Self {
        self.bytes(field, value.as_bytes())
    }

    /// Appends a message.
    pub fn message(&mut self, field: u64, value: &Self) -> &mut Self {
        self.bytes(field, &value.0)
    }

    fn bytes(&mut self, field: u64, value: &[u8]) -> &mut Self {
        self.varint(field << 3 | LENGTH_DELIMITED);
        self.varint(value.len() as u64);
        self.0.extend_from_slice(value);
        self
    }

    /// Seven bits a byte, the lowest first; the high bit says that more follow.
    fn varint(&mut self, mut value: u64) {
        loop {
            let low = (value & 0x7f) as u8;
            value >>= 7;
            if value == 0 {
                self.0.push(low);
                return;
            }
            self.0.push(low | 0x80);
        }
    }

    /// What goes over the wire.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The fields of a message in their order, up to the first that is broken.
pub fn fields(mut rest: &[u8]) -> impl Iterator<Item = (u64, Value<'_>)> {
    std::iter::from_fn(move || {
        let key = varint(&mut rest)?;
        let value = match key & 7 {
            VARINT => Value::Number(varint(&mut rest)?),
            FIXED_64 => Value::Bytes(take(&mut rest, 8)?),
            FIXED_32 => Value::Bytes(take(&mut rest, 4)?),
            LENGTH_DELIMITED => {
                let length = usize::try_from(varint(&mut rest)?).ok()?;
                Value::Bytes(take(&mut rest, length)?)
            }
            _ => return None,
        };
        Some((key >> 3, value))
    })
}

/// The last value of a field, as the encoding wants it.
#[must_use]
pub fn field(message: &[u8], wanted: u64) -> Option<Value<'_>> {
    fields(message)
        .filter(|(number, _)| *number == wanted)
        .map(|(_, value)| value)
        .last()
}

impl<'a> Value<'a> {
    /// The number, if it is one.
    #[must_use]
    pub fn as_number(self) -> Option<u64> {
        match self {
            Self::Number(number) => Some(number),
            Self::Bytes(_) => None,
        }
    }

    /// The bytes, if it is some.
    #[must_use]
    pub fn as_bytes(self) -> Option<&'a [u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::Number(_) => None,
        }
    }
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(length)?;
    *rest = left;
    Some(taken)
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(rest, 1)?[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of the encoding's description.
    #[test]
    fn numbers_and_texts_are_written_as_the_description_has_them() {
        let mut message = Message::default();
        message.number(1, 150_u64).text(2, "testing");
        assert_eq!(
            message.as_bytes(),
            [
                0x08, 0x96, 0x01, 0x12, 0x07, b't', b'e', b's', b't', b'i', b'n', b'g'
            ]
        );
    }

    #[test]
    fn what_is_written_is_read() {
        let mut inner = Message::default();
        inner.truth(3, true);
        let mut message = Message::default();
        message.number(68, u64::MAX).message(2, &inner);
        let read: Vec<_> = fields(message.as_bytes()).collect();
        assert_eq!(
            read,
            [(68, Value::Number(u64::MAX)), (2, Value::Bytes(&[0x18, 1]))]
        );
        assert_eq!(field(message.as_bytes(), 3), None);
    }

    #[test]
    fn broken_messages_end_early() {
        for bytes in [
            &[0x08_u8][..],
            &[0x12, 5, 1],
            &[0xff; 20],
            &[0x0b, 1],
            &[0x09, 1, 2],
        ] {
            assert_eq!(fields(bytes).count(), 0, "{bytes:?}");
        }
    }
}

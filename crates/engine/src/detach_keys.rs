//! The keys with which a user leaves a terminal without ending what runs in it.

use crate::error::{Error, Result};

/// A sequence of keys, and how much of it has been pressed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct DetachKeys {
    keys: Vec<u8>,
    pressed: usize,
}

impl DetachKeys {
    /// Parses `ctrl-p,ctrl-q` or single characters; empty for none.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let wrong = || {
            Error::invalid(
                "--detach-keys",
                text,
                "is not a list such as ctrl-p,ctrl-q (letters, or ctrl- with a letter or @ [ \\ ] ^ _)",
            )
        };
        let key = |word: &str| match word.strip_prefix("ctrl-").map(str::as_bytes) {
            Some([letter @ b'a'..=b'z']) => Ok(letter - b'a' + 1),
            Some(b"@") => Ok(0),
            Some([sign @ b'['..=b'_']) => Ok(sign - b'@'),
            Some(_) => Err(wrong()),
            None => match word.as_bytes() {
                [byte] if byte.is_ascii_graphic() => Ok(*byte),
                _ => Err(wrong()),
            },
        };
        let words = text.split(',').filter(|_| !text.is_empty());
        let keys = words.map(key).collect::<Result<Vec<u8>>>()?;
        Ok(Self { keys, pressed: 0 })
    }

    /// Adds what was typed to `out`, without a beginning of the sequence, which is held back until it
    /// is known not to be one; true when the whole sequence was pressed.
    pub(crate) fn filter(&mut self, typed: &[u8], out: &mut Vec<u8>) -> bool {
        if self.keys.is_empty() {
            out.extend_from_slice(typed);
            return false;
        }
        for byte in typed {
            if *byte == self.keys[self.pressed] {
                self.pressed += 1;
                if self.pressed == self.keys.len() {
                    self.pressed = 0;
                    return true;
                }
                continue;
            }
            out.extend_from_slice(&self.keys[..self.pressed]);
            self.pressed = usize::from(*byte == self.keys[0]);
            if self.pressed == 0 {
                out.push(*byte);
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;

    #[test]
    fn forms() {
        let keys = |text: &str| DetachKeys::parse(text).map(|keys| keys.keys).ok();
        assert_eq!(keys("ctrl-p,ctrl-q"), Some(vec![16, 17]));
        assert_eq!(keys("a,ctrl-["), Some(vec![b'a', 27]));
        assert_eq!(keys(""), Some(vec![]));
        for bad in [",", "ctrl-", "ctrl-P", "ab", "ctrl-ab", "a,,b"] {
            let error = DetachKeys::parse(bad).expect_err(bad);
            assert_eq!(error.kind(), Kind::InvalidInput, "{bad}");
        }
    }

    #[test]
    fn across_reads_and_false_starts() {
        let mut keys = DetachKeys::parse("ctrl-p,ctrl-q").expect("keys");
        let mut out = Vec::new();
        assert!(!keys.filter(b"ab\x10", &mut out));
        assert_eq!(out, b"ab");
        assert!(!keys.filter(b"c", &mut out));
        assert_eq!(out, b"ab\x10c");
        assert!(!keys.filter(b"\x10\x10", &mut out));
        assert_eq!(out, b"ab\x10c\x10");
        assert!(keys.filter(b"\x11rest", &mut out));
        assert_eq!(out, b"ab\x10c\x10");
    }
}

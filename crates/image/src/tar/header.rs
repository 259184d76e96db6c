//! One 512-byte header block.

use super::{BLOCK, Kind, Moment};
use std::ops::Range;

/// Why a block is refused.
pub(super) type Reason = String;

/// The fields of a header block before any extension.
pub(super) struct Header {
    pub(super) name: Vec<u8>,
    pub(super) link: Vec<u8>,
    pub(super) typeflag: u8,
    pub(super) mode: u32,
    pub(super) uid: u64,
    pub(super) gid: u64,
    pub(super) size: u64,
    pub(super) time: Moment,
    pub(super) device: (u32, u32),
}

const NAME: Range<usize> = 0..100;
const MODE: Range<usize> = 100..108;
const UID: Range<usize> = 108..116;
const GID: Range<usize> = 116..124;
const SIZE: Range<usize> = 124..136;
const MTIME: Range<usize> = 136..148;
const CHECKSUM: Range<usize> = 148..156;
const TYPEFLAG: usize = 156;
const LINK: Range<usize> = 157..257;
const MAGIC: Range<usize> = 257..265;
const MAJOR: Range<usize> = 329..337;
const MINOR: Range<usize> = 337..345;
const PREFIX: Range<usize> = 345..500;
/// A star archive keeps times in the last part of the prefix.
const STAR_PREFIX: Range<usize> = 345..476;
const STAR_TRAILER: Range<usize> = 508..512;

pub(super) fn parse(block: &[u8; BLOCK]) -> Result<Header, Reason> {
    check_sum(block)?;
    let posix = &block[MAGIC][..6] == b"ustar\0";
    let mut name = until_nul(&block[NAME]).to_vec();
    if posix {
        let prefix = if &block[STAR_TRAILER] == b"tar\0" {
            STAR_PREFIX
        } else {
            PREFIX
        };
        let prefix = until_nul(&block[prefix]);
        if !prefix.is_empty() {
            name = [prefix, b"/", &name].concat();
        }
    }
    let typeflag = block[TYPEFLAG];
    let device = if matches!(typeflag, b'3' | b'4') {
        (
            device_number(&block[MAJOR], 12, "major")?,
            device_number(&block[MINOR], 20, "minor")?,
        )
    } else {
        (0, 0)
    };
    let mode = number(&block[MODE], "mode")? & 0o7777;
    Ok(Header {
        name,
        link: until_nul(&block[LINK]).to_vec(),
        typeflag,
        mode: u32::try_from(mode).map_err(|_| "its mode is too large")?,
        uid: number(&block[UID], "uid")?,
        gid: number(&block[GID], "gid")?,
        size: number(&block[SIZE], "size")?,
        time: Moment {
            seconds: signed_number(&block[MTIME], "mtime")?,
            nanoseconds: 0,
        },
        device,
    })
}

/// What the type flag means. GNU tar takes any name with a trailing slash for a directory and Go
/// only that of an ancient header, so such a name on anything else is refused.
pub(super) fn kind(typeflag: u8, name: &[u8]) -> Result<Kind, Reason> {
    let slash = name.ends_with(b"/");
    let kind = match typeflag {
        0 if slash => Kind::Directory,
        0 | b'0' | b'7' | b'S' => Kind::Regular,
        b'1' => Kind::HardLink,
        b'2' => Kind::Symlink,
        b'3' => Kind::Character,
        b'4' => Kind::Block,
        b'5' => Kind::Directory,
        b'6' => Kind::Fifo,
        other => return Err(format!("unknown entry type {:?}", char::from(other))),
    };
    if slash && kind != Kind::Directory {
        return Err("its name ends with a slash although it is no directory".to_owned());
    }
    Ok(kind)
}

fn check_sum(block: &[u8; BLOCK]) -> Result<(), Reason> {
    let stored = number(&block[CHECKSUM], "checksum")?;
    let blanked = block
        .iter()
        .enumerate()
        .map(|(at, byte)| if CHECKSUM.contains(&at) { b' ' } else { *byte });
    let unsigned: u64 = blanked.clone().map(u64::from).sum();
    // Some old tars added signed bytes; readers accept both sums.
    let signed: i64 = blanked.map(|byte| i64::from(byte.cast_signed())).sum();
    if stored == unsigned || i64::try_from(stored) == Ok(signed) {
        Ok(())
    } else {
        Err("the checksum of the header that follows is wrong".to_owned())
    }
}

fn device_number(field: &[u8], bits: u32, what: &str) -> Result<u32, Reason> {
    match u32::try_from(number(field, what)?) {
        Ok(value) if value < 1 << bits => Ok(value),
        _ => Err(format!("its {what} device number is too large")),
    }
}

/// The bytes before the first NUL.
pub(super) fn until_nul(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// A numeric field that must not be negative.
pub(super) fn number(field: &[u8], what: &str) -> Result<u64, Reason> {
    u64::try_from(signed_number(field, what)?).map_err(|_| format!("its {what} is negative"))
}

/// A numeric field: octal digits, or two's complement after a first byte with its high bit set.
fn signed_number(field: &[u8], what: &str) -> Result<i64, Reason> {
    let first = field.first().copied().unwrap_or(0);
    if first & 0x80 != 0 {
        return base_256(field).ok_or_else(|| format!("its {what} does not fit 63 bits"));
    }
    let text = field.trim_ascii_start();
    let end = text
        .iter()
        .position(|byte| matches!(byte, 0 | b' '))
        .unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    if rest.iter().any(|byte| !matches!(byte, 0 | b' ')) {
        return Err(format!("its {what} is not a number"));
    }
    let mut value: i64 = 0;
    for digit in digits {
        if !(b'0'..=b'7').contains(digit) {
            return Err(format!("its {what} is not a number"));
        }
        value = value
            .checked_mul(8)
            .and_then(|value| value.checked_add(i64::from(digit - b'0')))
            .ok_or_else(|| format!("its {what} does not fit 63 bits"))?;
    }
    Ok(value)
}

fn base_256(field: &[u8]) -> Option<i64> {
    let negative = field[0] & 0x40 != 0;
    let mut value: i128 = if negative { -1 } else { 0 };
    for (at, byte) in field.iter().enumerate() {
        // The top bit only marks the form; the sign is the next one.
        let byte = match (at, negative) {
            (0, true) => *byte,
            (0, false) => *byte & 0x7f,
            _ => *byte,
        };
        value = value.checked_shl(8)? | i128::from(byte);
        if value > i128::from(i64::MAX) || value < i128::from(i64::MIN) {
            return None;
        }
    }
    i64::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_octal_or_base_256() {
        assert_eq!(number(b"0000644\0", "mode"), Ok(0o644));
        assert_eq!(number(b"   644 \0", "mode"), Ok(0o644));
        assert_eq!(number(b"\0\0\0\0\0\0\0\0", "mode"), Ok(0));
        assert_eq!(number(b"\x80\0\0\0\0\0\x01\0", "size"), Ok(256));
        assert_eq!(
            signed_number(b"\xff\xff\xff\xff\xff\xff\xff\xff", "mtime"),
            Ok(-1)
        );
        for bad in [
            &b"\xff\xff\xff\xff"[..],
            b"64x",
            b"8",
            b"6 4",
            b"-1",
            b"0x10",
            b"\x80\xff\xff\xff\xff\xff\xff\xff\xff",
        ] {
            assert!(number(bad, "size").is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_slash_makes_a_directory_only_in_ancient_headers() {
        assert_eq!(kind(0, b"a/"), Ok(Kind::Directory));
        assert_eq!(kind(b'5', b"a/"), Ok(Kind::Directory));
        assert!(kind(b'0', b"a/").unwrap_err().contains("slash"));
        assert!(kind(b'2', b"a/").unwrap_err().contains("slash"));
        assert!(kind(b'V', b"a").unwrap_err().contains("unknown entry type"));
    }
}

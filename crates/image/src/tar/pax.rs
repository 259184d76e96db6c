//! PAX extended headers: `LENGTH KEY=VALUE\n` records before an entry.

use super::Moment;
use super::header::Reason;
use super::sparse::PaxSparse;

/// The records that mean something to us.
#[derive(Default)]
pub(super) struct Records {
    pub(super) path: Option<Vec<u8>>,
    pub(super) link: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) uid: Option<u64>,
    pub(super) gid: Option<u64>,
    pub(super) mtime: Option<Moment>,
    pub(super) xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    pub(super) sparse: PaxSparse,
}

/// The namespace in which GNU tar, star, docker and podman keep extended attributes.
const XATTR: &[u8] = b"SCHILY.xattr.";

pub(super) fn parse(text: &[u8]) -> Result<Records, Reason> {
    let mut records = Records::default();
    for record in split(text) {
        let (key, value) = record?;
        // An empty value takes a global record back; global records that count are refused.
        if value.is_empty() && !key.starts_with(XATTR) {
            continue;
        }
        match key {
            b"path" => records.path = Some(text_value(key, value)?),
            b"linkpath" => records.link = Some(text_value(key, value)?),
            b"size" => records.size = Some(decimal(key, value)?),
            b"uid" => records.uid = Some(decimal(key, value)?),
            b"gid" => records.gid = Some(decimal(key, value)?),
            b"mtime" => records.mtime = Some(moment(value)?),
            _ if key.starts_with(XATTR) => {
                let name = text_value(key, &key[XATTR.len()..])?;
                records.xattrs.retain(|(known, _)| *known != name);
                records.xattrs.push((name, value.to_vec()));
            }
            _ if key.starts_with(b"GNU.sparse.") => {
                records.sparse.record(&key[b"GNU.sparse.".len()..], value)?;
            }
            _ => {}
        }
    }
    Ok(records)
}

/// A global header applies to all that follows for GNU tar and to nothing for Go: only records
/// without effect are accepted, such as git's comment.
pub(super) fn check_global(text: &[u8]) -> Result<(), Reason> {
    for record in split(text) {
        let (key, _) = record?;
        if !matches!(
            key,
            b"comment" | b"charset" | b"hdrcharset" | b"atime" | b"ctime"
        ) {
            return Err(format!(
                "a global PAX header that sets {:?} for all entries",
                String::from_utf8_lossy(key)
            ));
        }
    }
    Ok(())
}

type Record<'a> = (&'a [u8], &'a [u8]);

/// Splits the text into its records; a malformed one ends the iteration with an error.
fn split(mut text: &[u8]) -> impl Iterator<Item = Result<Record<'_>, Reason>> {
    std::iter::from_fn(move || {
        if text.is_empty() {
            return None;
        }
        let Some((record, rest)) = first(text) else {
            text = &[];
            return Some(Err("a malformed PAX header".to_owned()));
        };
        text = rest;
        Some(Ok(record))
    })
}

fn first(text: &[u8]) -> Option<(Record<'_>, &[u8])> {
    let space = text.iter().position(|byte| *byte == b' ')?;
    // Twenty digits hold any length.
    if space == 0 || space > 20 {
        return None;
    }
    let length = usize::try_from(digits(&text[..space])?).ok()?;
    if length > text.len() || length < space + 3 || text[length - 1] != b'\n' {
        return None;
    }
    let record = &text[space + 1..length - 1];
    let equals = record.iter().position(|byte| *byte == b'=')?;
    (equals > 0).then_some(((&record[..equals], &record[equals + 1..]), &text[length..]))
}

fn text_value(key: &[u8], value: &[u8]) -> Result<Vec<u8>, Reason> {
    if value.contains(&0) {
        return Err(format!(
            "a NUL byte in the PAX record {:?}",
            String::from_utf8_lossy(key)
        ));
    }
    Ok(value.to_vec())
}

fn digits(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u64, |value, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        value.checked_mul(10)?.checked_add(digit)
    })
}

pub(super) fn decimal(key: &[u8], value: &[u8]) -> Result<u64, Reason> {
    digits(value)
        .filter(|value| i64::try_from(*value).is_ok())
        .ok_or_else(|| {
            format!(
                "the PAX record {:?} is not a number in range",
                String::from_utf8_lossy(key)
            )
        })
}

/// Seconds with an optional fraction and sign; what does not fit 64 bits becomes the nearest that does.
fn moment(value: &[u8]) -> Result<Moment, Reason> {
    let bad = || "the PAX record \"mtime\" is not a time".to_owned();
    let (negative, value) = match value.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, value),
    };
    let mut parts = value.splitn(2, |byte| *byte == b'.');
    let (whole, fraction) = (
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or(b"0"),
    );
    if whole.is_empty()
        || !value
            .iter()
            .all(|byte| byte.is_ascii_digit() || *byte == b'.')
        || fraction.contains(&b'.')
    {
        return Err(bad());
    }
    let seconds = digits(whole)
        .and_then(|value| i64::try_from(value).ok())
        .unwrap_or(i64::MAX);
    let mut nanoseconds = 0_u32;
    for at in 0..9 {
        let digit = fraction.get(at).map_or(0, |digit| u32::from(digit - b'0'));
        nanoseconds = nanoseconds * 10 + digit;
    }
    Ok(match (negative, nanoseconds) {
        (false, _) => Moment {
            seconds,
            nanoseconds,
        },
        (true, 0) => Moment {
            seconds: -seconds,
            nanoseconds,
        },
        (true, _) => Moment {
            seconds: (-seconds).saturating_sub(1),
            nanoseconds: 1_000_000_000 - nanoseconds,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_records() {
        let records =
            parse(b"11 path=a/b\n20 mtime=1.000000002\n26 SCHILY.xattr.user.a=b\n\n\n").err();
        assert!(records.is_some(), "lengths must be exact");
        let records =
            parse(b"12 path=a/b\n21 mtime=1.000000002\n25 SCHILY.xattr.user.a=b\n").unwrap();
        assert_eq!(records.path.as_deref(), Some(&b"a/b"[..]));
        assert_eq!(
            records.mtime,
            Some(Moment {
                seconds: 1,
                nanoseconds: 2
            })
        );
        assert_eq!(records.xattrs, [(b"user.a".to_vec(), b"b".to_vec())]);
    }

    #[test]
    fn refuses_malformed_records() {
        for bad in [
            &b"12 path=a/b"[..],
            b"path=a\n",
            b"3 a\n",
            b"0 \n",
            b"99999999999999999999999 a=b\n",
            b"-9 path=a\n",
            b"9 path=a\nx",
            b"6 =ab\n",
            b"9 size=-1\n",
            b"11 path=a\0b\n",
            b"30 size=99999999999999999999\n",
        ] {
            assert!(parse(bad).is_err(), "{:?}", String::from_utf8_lossy(bad));
        }
    }

    #[test]
    fn a_negative_time_counts_down() {
        assert_eq!(
            moment(b"-1.25"),
            Ok(Moment {
                seconds: -2,
                nanoseconds: 750_000_000
            })
        );
        assert_eq!(
            moment(b"9223372036854775808"),
            Ok(Moment {
                seconds: i64::MAX,
                nanoseconds: 0
            })
        );
        assert!(moment(b"1.2.3").is_err());
        assert!(moment(b"").is_err());
    }

    #[test]
    fn a_global_header_may_only_comment() {
        assert_eq!(check_global(b"13 comment=a\n"), Ok(()));
        assert!(check_global(b"11 path=ab\n").unwrap_err().contains("path"));
    }
}

//! Sizes and durations as engines write them on the command line.

use std::time::Duration;

/// Bytes: a number with an optional fraction and a suffix of powers of 1024 (`512m`, `1.5GiB`, `64 kb`);
/// `-1` is unlimited.
#[must_use]
pub fn bytes(text: &str) -> Option<i64> {
    if text == "-1" {
        return Some(-1);
    }
    let end =
        text.rfind(|letter: char| letter.is_ascii_digit() || letter == '.' || letter == ' ')?;
    let (number, suffix) = text.split_at(end + 1);
    let number = number.strip_suffix(' ').unwrap_or(number);
    let suffix = suffix.to_ascii_lowercase();
    let power = match suffix.as_bytes() {
        [] | [b'b'] => 0,
        [letter] | [letter, b'b'] | [letter, b'i', b'b'] => {
            b"kmgtp".iter().position(|known| known == letter)? + 1
        }
        _ => return None,
    };
    let unit = 1u128 << (10 * power);
    i64::try_from(decimal(number, unit)?).ok()
}

/// A duration: numbers with optional fractions and units, one after the other (`5s`, `1m30s`, `1.5s`, `100ms`).
#[must_use]
pub fn duration(text: &str) -> Option<Duration> {
    const UNITS: [(&str, u128); 8] = [
        ("ns", 1),
        ("us", 1_000),
        ("µs", 1_000),
        ("μs", 1_000),
        ("ms", 1_000_000),
        ("s", 1_000_000_000),
        ("m", 60_000_000_000),
        ("h", 3_600_000_000_000),
    ];
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut nanoseconds = 0u128;
    while !rest.is_empty() {
        let end = rest.find(|letter: char| !(letter.is_ascii_digit() || letter == '.'))?;
        let (number, after) = rest.split_at(end);
        let end = after
            .find(|letter: char| letter.is_ascii_digit() || letter == '.')
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        let (_, unit) = UNITS.iter().find(|(name, _)| *name == unit)?;
        nanoseconds = nanoseconds.checked_add(decimal(number, *unit)?)?;
        rest = after;
    }
    let nanoseconds = u64::try_from(nanoseconds).ok()?;
    (!text.is_empty()).then(|| Duration::from_nanos(nanoseconds))
}

/// `12` or `1.5` times a unit, rounded down.
fn decimal(text: &str, unit: u128) -> Option<u128> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    // Longer ones are beyond every size and every precision.
    let fits = whole.len() + fraction.len() > 0 && whole.len() <= 19 && fraction.len() <= 18;
    if !fits || !digits(whole) || !digits(fraction) {
        return None;
    }
    let number = |part: &str| {
        if part.is_empty() {
            Some(0)
        } else {
            part.parse::<u128>().ok()
        }
    };
    let scale = 10u128.pow(u32::try_from(fraction.len()).ok()?);
    let whole = number(whole)?.checked_mul(unit)?;
    whole.checked_add(number(fraction)?.checked_mul(unit)? / scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, size) in [
            ("0", 0),
            ("32", 32),
            ("32b", 32),
            ("32K", 32 << 10),
            ("32kb", 32 << 10),
            ("32KiB", 32 << 10),
            ("32 Mb", 32 << 20),
            ("1.5g", 3 << 29),
            ("2t", 2 << 40),
            ("1P", 1 << 50),
            (".5k", 512),
            ("-1", -1),
        ] {
            assert_eq!(bytes(text), Some(size), "{text}");
        }
        for text in [
            "",
            "k",
            "-2",
            "-1k",
            "1x",
            "1bb",
            "1ki",
            "1kib2",
            "1.2.3k",
            "1  k",
            "+1",
            "0x10",
            "9223372036854775808",
            "8192p",
            "1e3",
        ] {
            assert_eq!(bytes(text), None, "{text:?}");
        }
    }

    #[test]
    fn durations() {
        for (text, milliseconds) in [
            ("0", 0),
            ("5s", 5000),
            ("100ms", 100),
            ("1m30s", 90_000),
            ("1.5s", 1500),
            (".5h", 1_800_000),
            ("1000µs", 1),
        ] {
            assert_eq!(
                duration(text),
                Some(Duration::from_millis(milliseconds)),
                "{text}"
            );
        }
        for text in ["", "5", "s", "5x", "-5s", "5 s", "1s5", "99999999999h"] {
            assert_eq!(duration(text), None, "{text:?}");
        }
    }
}

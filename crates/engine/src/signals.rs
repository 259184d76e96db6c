//! Signals by name.

use crate::error::{Error, Result};

/// Names and numbers on Linux (all architectures that dhow is built for), see signal(7).
const NAMES: [(&str, u8); 34] = [
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("ILL", 4),
    ("TRAP", 5),
    ("ABRT", 6),
    ("BUS", 7),
    ("FPE", 8),
    ("KILL", 9),
    ("USR1", 10),
    ("SEGV", 11),
    ("USR2", 12),
    ("PIPE", 13),
    ("ALRM", 14),
    ("TERM", 15),
    ("STKFLT", 16),
    ("CHLD", 17),
    ("CONT", 18),
    ("STOP", 19),
    ("TSTP", 20),
    ("TTIN", 21),
    ("TTOU", 22),
    ("URG", 23),
    ("XCPU", 24),
    ("XFSZ", 25),
    ("VTALRM", 26),
    ("PROF", 27),
    ("WINCH", 28),
    ("IO", 29),
    ("PWR", 30),
    ("SYS", 31),
    // Other names, which images and scripts still use.
    ("IOT", 6),
    ("CLD", 17),
    ("POLL", 29),
];

/// The first and last real-time signal that programs may use.
const REAL_TIME: (u8, u8) = (34, 64);

/// The number of a signal given as `TERM`, `SIGTERM`, `sigterm`, `15`, `RTMIN+3` or `RTMAX-1`.
pub(crate) fn number(option: &'static str, text: &str) -> Result<u8> {
    let wrong = || {
        Error::invalid(
            option,
            text,
            "is no signal; TERM, SIGTERM and 15 are the same one",
        )
    };
    if let Ok(number) = text.parse::<u8>()
        && text.bytes().all(|byte| byte.is_ascii_digit())
    {
        return if (1..=REAL_TIME.1).contains(&number) {
            Ok(number)
        } else {
            Err(wrong())
        };
    }
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    if let Some((_, number)) = NAMES.iter().find(|(known, _)| *known == name) {
        return Ok(*number);
    }
    let number = if let Some(rest) = name.strip_prefix("RTMIN") {
        offset(rest, '+').and_then(|n| REAL_TIME.0.checked_add(n))
    } else if let Some(rest) = name.strip_prefix("RTMAX") {
        offset(rest, '-').and_then(|n| REAL_TIME.1.checked_sub(n))
    } else {
        None
    };
    number
        .filter(|number| (REAL_TIME.0..=REAL_TIME.1).contains(number))
        .ok_or_else(wrong)
}

/// Nothing, or the sign and a number that is written in one way only.
fn offset(text: &str, sign: char) -> Option<u8> {
    if text.is_empty() {
        return Some(0);
    }
    let number = text.strip_prefix(sign)?;
    let value = number.parse::<u8>().ok()?;
    (value.to_string() == number).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers() {
        let of = |text: &str| number("--signal", text).ok();
        assert_eq!(of("TERM"), Some(15));
        assert_eq!(of("sigkill"), Some(9));
        assert_eq!(of("64"), Some(64));
        assert_eq!(of("SIGRTMIN+3"), Some(37));
        assert_eq!(of("RTMAX-1"), Some(63));
        assert_eq!(of("SIGCLD"), Some(17));
        for bad in [
            "", "0", "65", "-9", "SIG", "TERMX", "RTMIN+99", "RTMAX-63", "+9", "RTMIN3", "RTMIN++3",
        ] {
            assert_eq!(of(bad), None, "{bad}");
        }
    }
}

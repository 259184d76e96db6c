//! Signal names and numbers (`signal(7)`), as on x86, Arm and RISC-V.

const NAMES: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2",
    "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG",
    "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
];

/// Other names for some of them.
const ALIASES: [(&str, u8); 4] = [("IOT", 6), ("CLD", 17), ("POLL", 29), ("UNUSED", 31)];

/// The number of a signal given by number or by name, in any case, with or without `SIG`; real-time
/// signals as `RTMIN+1`, `RTMAX-2` with the numbers that programs see.
#[must_use]
pub fn number(word: &str) -> Option<u8> {
    if let Some(number) = digits(word) {
        return (1..=64).contains(&number).then_some(number);
    }
    let upper = word.to_ascii_uppercase();
    let bare = upper.strip_prefix("SIG").unwrap_or(&upper);
    if let Some(index) = NAMES.iter().position(|name| *name == bare) {
        return u8::try_from(index + 1).ok();
    }
    if let Some((_, number)) = ALIASES.iter().find(|(name, _)| *name == bare) {
        return Some(*number);
    }
    real_time(bare).filter(|number| (34..=64).contains(number))
}

/// A number without a sign.
fn digits(text: &str) -> Option<u8> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

fn real_time(word: &str) -> Option<u8> {
    const FIRST: u8 = 34;
    const LAST: u8 = 64;
    let offset = |text: &str, sign: char| match text.strip_prefix(sign) {
        // As in the tables of names: one way to write each.
        Some(text) => digits(text).filter(|_| text == "0" || !text.starts_with('0')),
        None => text.is_empty().then_some(0),
    };
    if let Some(rest) = word.strip_prefix("RTMIN") {
        return FIRST.checked_add(offset(rest, '+')?);
    }
    LAST.checked_sub(offset(word.strip_prefix("RTMAX")?, '-')?)
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn names_numbers_and_nonsense() {
        for (word, wanted) in [
            ("9", Some(9)),
            ("KILL", Some(9)),
            ("SIGKILL", Some(9)),
            ("sigterm", Some(15)),
            ("SYS", Some(31)),
            ("RTMIN", Some(34)),
            ("SIGRTMIN+1", Some(35)),
            ("RTMAX-14", Some(50)),
            ("RTMAX", Some(64)),
            ("0", None),
            ("65", None),
            ("-9", None),
            ("RTMIN+31", None),
            ("RTMIN++1", None),
            ("RTMIN+01", None),
            ("+9", None),
            ("SIGNOPE", None),
            ("", None),
        ] {
            assert_eq!(number(word), wanted, "{word}");
        }
    }
}

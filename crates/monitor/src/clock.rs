//! The time of day as logs and documents write it.

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

/// Bytes of `2026-11-22T10:41:04.000000000Z`.
pub(crate) const LENGTH: usize = 30;

/// Appends the present moment: RFC 3339, UTC, nanoseconds, always [`LENGTH`] bytes.
pub(crate) fn append_now(text: &mut String) {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    append(text, since.as_secs(), since.subsec_nanos());
}

/// The present moment as text of its own.
pub(crate) fn now() -> String {
    let mut text = String::with_capacity(LENGTH);
    append_now(&mut text);
    text
}

fn append(text: &mut String, seconds: u64, nanoseconds: u32) {
    let (year, month, day) = civil(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{nanoseconds:09}Z"
    );
}

/// The date of a day counted from 1970-01-01, in the proleptic Gregorian calendar: years begin in
/// March so that the leap day is the last, and 400 years have 146,097 days.
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        let text = |seconds| {
            let mut text = String::new();
            append(&mut text, seconds, 7);
            text
        };
        assert_eq!(text(0), "1970-01-01T00:00:00.000000007Z");
        assert_eq!(text(951_782_400), "2000-02-29T00:00:00.000000007Z");
        assert_eq!(text(1_795_344_064), "2026-11-22T10:41:04.000000007Z");
        assert_eq!(text(4_107_542_399), "2100-02-28T23:59:59.000000007Z");
        assert_eq!(now().len(), LENGTH);
    }
}

//! Times as people write and read them.

use dhow_engine::Moment;

/// How long between two moments, in docker's words: `4 seconds`, `About a minute`, `2 hours`.
pub(crate) fn ago(then: Moment, now: Moment) -> String {
    let seconds = now.0.as_second().saturating_sub(then.0.as_second()).max(0);
    let count = |number: i64, unit: &str| format!("{number} {unit}");
    match seconds {
        0 => "Less than a second".into(),
        1 => "1 second".into(),
        2..60 => count(seconds, "seconds"),
        60..120 => "About a minute".into(),
        120..3600 => count(seconds / 60, "minutes"),
        3600..7200 => "About an hour".into(),
        7200..172_800 => count(seconds / 3600, "hours"),
        172_800..1_209_600 => count(seconds / 86_400, "days"),
        1_209_600..5_184_000 => count(seconds / 604_800, "weeks"),
        5_184_000..63_072_000 => count(seconds / 2_592_000, "months"),
        _ => count(seconds / 31_536_000, "years"),
    }
}

/// A moment: RFC 3339, seconds since 1970, or how long ago (`90s`, `10m`, `2h`, `3d`, `1h30m`).
///
/// # Errors
/// The accepted forms.
pub(crate) fn moment(text: &str) -> Result<Moment, String> {
    let wrong = || {
        "it is a time such as 2026-01-31T12:00:00Z, or how long ago, such as 10m or 2h".to_owned()
    };
    if let Ok(timestamp) = text.parse::<jiff::Timestamp>() {
        return Ok(Moment(timestamp));
    }
    if let Ok(seconds) = text.parse::<i64>() {
        return jiff::Timestamp::from_second(seconds)
            .map(Moment)
            .map_err(|_| wrong());
    }
    let span = jiff::SignedDuration::from_secs(duration(text).ok_or_else(wrong)?);
    Moment::now()
        .0
        .checked_sub(span)
        .map(Moment)
        .map_err(|_| wrong())
}

/// Seconds in `1h30m`.
fn duration(text: &str) -> Option<i64> {
    let (mut total, mut number) = (0_i64, None::<i64>);
    for character in text.chars() {
        if let Some(digit) = character.to_digit(10) {
            number = Some(
                number
                    .unwrap_or(0)
                    .checked_mul(10)?
                    .checked_add(digit.into())?,
            );
            continue;
        }
        let unit = match character {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            _ => return None,
        };
        total = total.checked_add(number.take()?.checked_mul(unit)?)?;
    }
    (number.is_none() && !text.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Moment {
        Moment(jiff::Timestamp::from_second(seconds).unwrap())
    }

    #[test]
    fn distances_read_as_docker_writes_them() {
        let text = |seconds| ago(at(0), at(seconds));
        assert_eq!(text(0), "Less than a second");
        assert_eq!(text(1), "1 second");
        assert_eq!(text(61), "About a minute");
        assert_eq!(text(600), "10 minutes");
        assert_eq!(text(7300), "2 hours");
        assert_eq!(text(86_400 * 15), "2 weeks");
        assert_eq!(text(86_400 * 800), "2 years");
        assert_eq!(
            ago(at(9), at(3)),
            "Less than a second",
            "a clock that was set back"
        );
    }

    #[test]
    fn moments_are_absolute_or_relative() {
        assert_eq!(
            moment("2026-01-31T12:00:00Z").unwrap(),
            Moment("2026-01-31T12:00:00Z".parse().unwrap())
        );
        assert_eq!(moment("100").unwrap(), at(100));
        let hour = Moment::now().0.as_second() - moment("1h30m").unwrap().0.as_second();
        assert!((5399..=5402).contains(&hour), "{hour}");
        for bad in ["", "m", "10", "-", "5x", "1h30", "yesterday"]
            .iter()
            .filter(|text| **text != "10")
        {
            assert!(moment(bad).is_err(), "{bad}");
        }
    }
}

//! What commands print: tables for people, JSON for programs, and colour only where it is welcome.

pub(crate) mod json;
pub(crate) mod style;
pub(crate) mod table;
pub(crate) mod time;

use crate::error::Error;
use std::io::{ErrorKind, Write};

/// How a list or a report is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Format {
    /// Aligned columns with a heading.
    #[default]
    Table,
    /// JSON: one object per line for lists.
    Json,
}

impl std::str::FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "table" => Ok(Self::Table),
            "json" => Ok(Self::Json),
            text if text.contains("{{") => Err(
                "templates are not in dhow yet; use --format=json and a JSON tool such as jq"
                    .into(),
            ),
            _ => Err("it is one of: table, json".into()),
        }
    }
}

/// Writes to standard output; a reader that went away (`dhow ps | head -1`) is no error.
///
/// # Errors
/// [`Error::Output`] when standard output cannot take it, as on a full disk.
pub(crate) fn print(text: &str) -> Result<(), Error> {
    let mut out = std::io::stdout().lock();
    let result = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    match result {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result.map_err(Error::Output),
    }
}

/// The text broken at spaces into lines of at most `width` characters, further ones indented by
/// `indent`; a word that is longer stays whole, so that it can be copied.
pub(crate) fn wrap(text: &str, width: Option<usize>, indent: usize) -> String {
    let Some(width) = width else {
        return text.to_owned();
    };
    let (mut wrapped, mut used) = (String::new(), indent);
    for (number, word) in text.split(' ').enumerate() {
        let length = word.chars().count();
        if number > 0 && used + 1 + length > width {
            wrapped.push('\n');
            wrapped.push_str(&" ".repeat(indent));
            used = indent;
        } else if number > 0 {
            wrapped.push(' ');
            used += 1;
        }
        wrapped.push_str(word);
        used += length;
    }
    wrapped
}

/// The first twelve digits of an id, with or without `sha256:` before it.
pub(crate) fn short(id: &str) -> &str {
    let digits = id.strip_prefix("sha256:").unwrap_or(id);
    digits.get(..12).unwrap_or(digits)
}

/// A number of bytes as docker writes it: three digits, powers of 1000.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return format!("{bytes}B");
    }
    let (mut scale, mut unit) = (1000_u64, 0);
    while unit + 1 < UNITS.len() && bytes / scale >= 1000 {
        scale *= 1000;
        unit += 1;
    }
    let (whole, hundredths) = (bytes / scale, bytes % scale * 100 / scale);
    let number = match whole {
        0..10 => format!("{whole}.{hundredths:02}"),
        10..100 => format!("{whole}.{}", hundredths / 10),
        _ => whole.to_string(),
    };
    format!("{number}{}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::{Format, short, size, wrap};

    #[test]
    fn wrapped_lines_fit_and_are_indented() {
        assert_eq!(wrap("one two three", None, 4), "one two three");
        assert_eq!(wrap("one two three", Some(12), 4), "one two\n    three");
        assert_eq!(
            wrap("one twothreefour x", Some(8), 2),
            "one\n  twothreefour\n  x"
        );
    }

    #[test]
    fn sizes_have_three_digits() {
        assert_eq!(size(0), "0B");
        assert_eq!(size(999), "999B");
        assert_eq!(size(3_456_789), "3.45MB");
        assert_eq!(size(34_567_890), "34.5MB");
        assert_eq!(size(345_678_901), "345MB");
        assert_eq!(size(1_390_000_000), "1.39GB");
    }

    #[test]
    fn ids_are_cut_after_the_algorithm() {
        assert_eq!(short("sha256:0123456789abcdef"), "0123456789ab");
        assert_eq!(short("0123456789abcdef"), "0123456789ab");
        assert_eq!(short("01"), "01");
    }

    #[test]
    fn a_template_is_refused_with_the_way_out() {
        assert_eq!("json".parse::<Format>(), Ok(Format::Json));
        assert!("{{.ID}}".parse::<Format>().unwrap_err().contains("jq"));
        assert!(
            "yaml"
                .parse::<Format>()
                .unwrap_err()
                .contains("table, json")
        );
    }
}

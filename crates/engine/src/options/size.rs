//! Amounts: bytes and processors.

use crate::Error;
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// A number of bytes. Text: a decimal number, a space if you like, and one of the units `b`, `k`, `m`, `g`, `t`
/// and `p` (powers of 1024) in any case, also as `kb` and `KiB`: `512m`, `1.5 GiB`. Rounded down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Size(pub u64);

impl FromStr for Size {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        bytes(text).map(Self).ok_or_else(|| {
            Error::invalid(
                "size",
                text,
                "is not a size such as 512m or 2g (units b, k, m, g, t, p)",
            )
        })
    }
}

fn bytes(text: &str) -> Option<u64> {
    let number = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let shift = match text[number.len()..].to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        "p" | "pb" | "pib" => 50,
        _ => return None,
    };
    let number = number.strip_suffix(' ').unwrap_or(number);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    // Longer ones are beyond every size and every precision.
    if whole.len() + fraction.len() == 0 || whole.len() > 19 || fraction.len() > 18 {
        return None;
    }
    let part = |digits: &str| -> Option<u128> {
        if digits.is_empty() {
            Some(0)
        } else {
            strict(digits).map(u128::from)
        }
    };
    let scale = 10u128.pow(u32::try_from(fraction.len()).ok()?);
    let size = (part(whole)? << shift) + (part(fraction)? << shift) / scale;
    // What the kernel's files hold, and the runtime's document.
    i64::try_from(size).ok()?.try_into().ok()
}

/// Digits only: no sign, no space, no underscore.
fn strict(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// Processor time, in thousandths of a processor. Text: a decimal number as `1.5`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cpus(pub u32);

impl FromStr for Cpus {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = |reason: &str| Error::invalid("--cpus", text, reason);
        let form = "is not a number of processors such as 1.5";
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let whole = if whole.is_empty() { "0" } else { whole };
        if fraction.len() > 3 {
            return Err(wrong("has more than three decimals"));
        }
        let whole = strict(whole).ok_or_else(|| wrong(form))?;
        let padded = format!("{fraction:0<3}");
        let part = strict(&padded).ok_or_else(|| wrong(form))?;
        let thousandths = whole
            .checked_mul(1000)
            .and_then(|value| value.checked_add(part));
        let thousandths = thousandths
            .and_then(|value| u32::try_from(value).ok())
            .ok_or_else(|| wrong("is too large"))?;
        // The kernel's shortest quota is 1 ms in a period of 100 ms.
        if thousandths < 10 {
            return Err(wrong("is less than 0.01, the smallest share"));
        }
        Ok(Self(thousandths))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        let size = |text: &str| text.parse::<Size>().map(|size| size.0).ok();
        assert_eq!(size("0"), Some(0));
        assert_eq!(size("512m"), Some(512 << 20));
        assert_eq!(size("1.5G"), Some(3 << 29));
        assert_eq!(size("64kb"), Some(64 << 10));
        // As docker and podman read them.
        assert_eq!(size("1 m"), Some(1 << 20));
        assert_eq!(size("1."), Some(1));
        assert_eq!(size(".5k"), Some(512));
        assert_eq!(size("2P"), Some(2 << 50));
        for bad in [
            "",
            "m",
            "-1",
            "1  m",
            " 1m",
            "1x",
            "1..5g",
            ".",
            "9223372036854775808",
            "+3",
            "99999999t",
            "0x10",
            "1_000",
        ] {
            assert_eq!(size(bad), None, "{bad}");
        }
    }

    #[test]
    fn processors() {
        let cpus = |text: &str| text.parse::<Cpus>().map(|cpus| cpus.0).ok();
        assert_eq!(cpus("2"), Some(2000));
        assert_eq!(cpus("1.5"), Some(1500));
        assert_eq!(cpus(".25"), Some(250));
        for bad in ["", "0", "0.001", "-1", "1.2345", "inf", "1e3", "one"] {
            assert_eq!(cpus(bad), None, "{bad}");
        }
    }
}

//! Ids and made-up names.

use std::io::Read;

/// Random bytes of the kernel.
fn random<const N: usize>() -> std::io::Result<[u8; N]> {
    let mut bytes = [0; N];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// A new id: 64 hexadecimal digits.
pub(crate) fn id() -> std::io::Result<String> {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(64);
    for byte in random::<32>()? {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}

const MANNERS: [&str; 32] = [
    "able", "bold", "brave", "bright", "brisk", "calm", "clear", "eager", "fair", "fleet", "fond",
    "frank", "gentle", "glad", "keen", "kind", "light", "lively", "merry", "neat", "noble",
    "proud", "quick", "quiet", "ready", "sharp", "steady", "sunny", "swift", "tidy", "warm",
    "wise",
];

const SAILS: [&str; 32] = [
    "anchor", "bosun", "breeze", "buoy", "capstan", "cleat", "compass", "coral", "cutter",
    "dolphin", "drifter", "gannet", "galley", "harbour", "heron", "jetty", "keel", "ketch",
    "lagoon", "lantern", "lateen", "mariner", "marlin", "monsoon", "oarsman", "osprey", "pilot",
    "rudder", "sextant", "skipper", "tiller", "topsail",
];

/// A name out of an id, so that no further random bytes are needed; later tries add digits.
pub(crate) fn made_up(id: &str, attempt: usize) -> String {
    let part = |at: usize| {
        let digits = id.get(at..at + 2).unwrap_or("00");
        usize::from_str_radix(digits, 16).unwrap_or(0)
    };
    let name = format!("{}_{}", MANNERS[part(0) % 32], SAILS[part(2) % 32]);
    if attempt == 0 {
        name
    } else {
        format!(
            "{name}_{}",
            id.get(4..4 + 2 * attempt.min(30)).unwrap_or(id)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_names() {
        let (one, two) = (id().expect("random"), id().expect("random"));
        assert!(one.len() == 64 && one != two);
        for attempt in 0..40 {
            let name = made_up(&one, attempt);
            assert!(crate::options::is_name(&name), "{name}");
        }
        assert_ne!(made_up(&one, 0), made_up(&one, 1));
    }
}

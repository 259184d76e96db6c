//! Content digests, parsed once at the edge into fixed bytes.
//!
//! Whatever arrives as text from an archive or a registry becomes a [`Digest`] before it may name a
//! file or a request: a digest that was never parsed is how `sha256:../../x` leaves a store
//! (CVE-2024-3727).

use crate::{Error, Result};
use sha2::Digest as _;
use std::fmt;
use std::str::FromStr;

/// The SHA-256 digest of some bytes. Prints as `sha256:` and 64 lower-case hexadecimal digits.
///
/// SHA-256 is the only algorithm accepted: no registry serves another, and one algorithm means that
/// one content has one name. Source: OCI image-spec, descriptor.md, "Digests".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

const PREFIX: &str = "sha256:";

impl Digest {
    /// The digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let mut hasher = Hasher::new();
        hasher.update(bytes);
        hasher.finish()
    }

    /// Parses 64 lower-case hexadecimal digits, without the algorithm.
    ///
    /// # Errors
    /// InvalidInput when it is anything else.
    pub fn from_hex(hex: &str) -> Result<Self> {
        let refuse = |reason| Error::BadDigest {
            text: hex.chars().take(160).collect(),
            reason,
        };
        let digits = hex.as_bytes();
        if digits.len() != 64 {
            return Err(refuse("a SHA-256 digest has 64 hexadecimal digits"));
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            match (nibble(pair[0]), nibble(pair[1])) {
                (Some(high), Some(low)) => *byte = high << 4 | low,
                _ => return Err(refuse("only the digits 0-9 and a-f are allowed")),
            }
        }
        Ok(Self(bytes))
    }

    /// The 64 hexadecimal digits, without the algorithm: the file name of a blob.
    #[must_use]
    pub fn hex(&self) -> String {
        use fmt::Write as _;
        self.0
            .iter()
            .fold(String::with_capacity(64), |mut text, byte| {
                // Writing to a String cannot fail.
                let _ = write!(text, "{byte:02x}");
                text
            })
    }

    /// The first 12 digits, as lists of images show them.
    #[must_use]
    pub fn short(&self) -> String {
        self.hex()[..12].to_owned()
    }
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

impl FromStr for Digest {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let refuse = |reason| Error::BadDigest {
            text: text.chars().take(160).collect(),
            reason,
        };
        match text.split_once(':') {
            Some(("sha256", hex)) => Self::from_hex(hex).map_err(|error| match error {
                Error::BadDigest { reason, .. } => refuse(reason),
                other => other,
            }),
            Some(_) => Err(refuse("only the algorithm sha256 is supported")),
            None => Err(refuse("it has no algorithm, such as sha256:…")),
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PREFIX)?;
        f.write_str(&self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl serde::Serialize for Digest {
    fn serialize<S: serde::Serializer>(
        &self,
        serializer: S,
    ) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(
        deserializer: D,
    ) -> std::result::Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Computes a [`Digest`] piece by piece.
#[derive(Clone, Default)]
pub(crate) struct Hasher(sha2::Sha256);

impl Hasher {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(crate) fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::Digest;

    const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn prints_what_it_parses() {
        assert_eq!(EMPTY.parse::<Digest>().unwrap().to_string(), EMPTY);
        assert_eq!(Digest::of(b"").to_string(), EMPTY);
    }

    #[test]
    fn refuses_everything_else() {
        let hex = &EMPTY[7..];
        let cases = [
            "sha256:../../x".to_owned(),
            "sha256:".to_owned(),
            String::new(),
            hex.to_owned(),
            format!("sha256:{}", hex.to_uppercase()),
            format!("sha256:{}", &hex[1..]),
            format!("sha256:{hex}0"),
            format!("SHA256:{hex}"),
            format!("sha512:{hex}{hex}"),
            format!("md5:{}", &hex[..32]),
            format!(" sha256:{hex}"),
            format!("sha256:{hex}\n"),
            format!("sha256:{}é", &hex[2..]),
        ];
        for case in cases {
            let error = case.parse::<Digest>().unwrap_err();
            assert!(
                error.to_string().contains("is not a digest"),
                "{case}: {error}"
            );
        }
    }
}

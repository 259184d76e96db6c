//! The platform an image is for, in the words of the image configuration (Go's `GOOS` and `GOARCH`).

use std::fmt;

/// Operating system, architecture and, rarely, a variant of it. Prints as `linux/arm64/v8`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Platform {
    /// `linux` or `windows`.
    pub os: String,
    /// `amd64`, `arm64`, …
    pub architecture: String,
    /// `v7`, `v8`, …; nothing means any.
    pub variant: Option<String>,
}

impl Platform {
    /// The platform of this machine.
    #[must_use]
    pub fn host() -> Self {
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            "x86" => "386",
            "powerpc64" => "ppc64le",
            "loongarch64" => "loong64",
            other => other,
        };
        Self {
            os: std::env::consts::OS.to_owned(),
            architecture: architecture.to_owned(),
            variant: None,
        }
    }

    /// Parses `os/architecture` or `os/architecture/variant`; `None` when it is neither.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('/');
        let (os, architecture) = (parts.next()?, parts.next()?);
        let variant = parts.next();
        let good = |part: &str| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        };
        let all_good =
            good(os) && good(architecture) && variant.is_none_or(good) && parts.next().is_none();
        all_good.then(|| Self {
            os: os.to_owned(),
            architecture: architecture.to_owned(),
            variant: variant.map(str::to_owned),
        })
    }

    /// Whether an image for `offered` runs where `self` is wanted.
    #[must_use]
    pub fn accepts(&self, offered: &Self) -> bool {
        let variant_fits = match (&self.variant, &offered.variant) {
            (Some(wanted), Some(offered)) => wanted == offered,
            _ => true,
        };
        self.os == offered.os && self.architecture == offered.architecture && variant_fits
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        match &self.variant {
            Some(variant) => write!(f, "/{variant}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Platform;

    #[test]
    fn a_missing_variant_fits_any() {
        let wanted = Platform::parse("linux/arm64").unwrap();
        assert!(wanted.accepts(&Platform::parse("linux/arm64/v8").unwrap()));
        assert!(!wanted.accepts(&Platform::parse("windows/arm64").unwrap()));
        let precise = Platform::parse("linux/arm/v7").unwrap();
        assert!(!precise.accepts(&Platform::parse("linux/arm/v6").unwrap()));
        for bad in ["linux", "linux/", "/amd64", "a/b/c/d", "linux/../x"] {
            assert_eq!(Platform::parse(bad), None, "{bad}");
        }
    }
}

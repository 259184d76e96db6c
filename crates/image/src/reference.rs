//! Image references as people write them: `alpine`, `ghcr.io/x/y@sha256:…`, `localhost:5000/a:b`.
//!
//! One type holds the full form; the short ("familiar") form is only ever printed. The grammar is
//! that of the `distribution/reference` package, which docker and podman share.

use crate::{Digest, Error, Result};
use std::fmt;
use std::str::FromStr;

const DEFAULT_DOMAIN: &str = "docker.io";
const DEFAULT_NAMESPACE: &str = "library/";
const DEFAULT_TAG: &str = "latest";
/// The longest repository name (with its domain) that docker accepts.
const NAME_MAX: usize = 255;

/// A parsed reference: registry domain, repository path, and a tag, a digest or both.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    domain: String,
    path: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl Reference {
    /// The registry's host and port, such as `docker.io` or `localhost:5000`.
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The repository within the registry, such as `library/alpine`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The tag; none when only a digest was given.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest that was given.
    #[must_use]
    pub fn digest(&self) -> Option<Digest> {
        self.digest
    }

    /// The form that people write: `alpine:latest` for `docker.io/library/alpine:latest`.
    #[must_use]
    pub fn familiar(&self) -> String {
        let full = self.to_string();
        match full.strip_prefix("docker.io/library/") {
            // A path with a further slash under library/ was not written short.
            Some(short) => short.to_owned(),
            None => full
                .strip_prefix("docker.io/")
                .map_or(full.clone(), str::to_owned),
        }
    }

    /// The same repository and tag on this machine alone (`localhost/…`), for names without a registry.
    ///
    /// None when the reference names a registry other than the default one.
    #[must_use]
    pub fn local(&self) -> Option<Self> {
        let path = self
            .path
            .strip_prefix(DEFAULT_NAMESPACE)
            .unwrap_or(&self.path);
        (self.domain == DEFAULT_DOMAIN).then(|| Self {
            domain: "localhost".to_owned(),
            path: path.to_owned(),
            tag: self.tag.clone(),
            digest: self.digest,
        })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.domain, self.path)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

impl FromStr for Reference {
    type Err = Error;

    /// Parses and normalises: no domain means `docker.io`, one component there means `library/`,
    /// neither tag nor digest means the tag `latest`.
    fn from_str(text: &str) -> Result<Self> {
        parse(text).map_err(|reason| Error::BadReference {
            text: text.chars().take(300).collect(),
            reason,
        })
    }
}

fn parse(text: &str) -> std::result::Result<Reference, &'static str> {
    if text.is_empty() {
        return Err("it is empty");
    }
    if text.len() == 64
        && text
            .bytes()
            .all(|byte| byte.is_ascii_hexdigit() && !byte.is_ascii_uppercase())
    {
        return Err("64 hexadecimal digits can only be an image id");
    }
    let (rest, digest) = match text.split_once('@') {
        Some((rest, digest)) => {
            let digest = digest
                .parse()
                .map_err(|_| "what follows @ must be sha256: and 64 digits 0-9, a-f")?;
            (rest, Some(digest))
        }
        None => (text, None),
    };
    // A colon after the last slash begins a tag; one before it belongs to the registry's port.
    let last = rest.rfind('/').map_or(0, |slash| slash + 1);
    let (name, tag) = match rest[last..].split_once(':') {
        Some((component, tag)) => (&rest[..last + component.len()], Some(tag)),
        None => (rest, None),
    };
    if let Some(tag) = tag {
        check_tag(tag)?;
    }
    let (domain, path) = split_domain(name);
    check_domain(domain)?;
    check_path(path)?;
    if domain.len() + 1 + path.len() > NAME_MAX {
        return Err("the name is longer than 255 characters");
    }
    let tag = match (tag, &digest) {
        (Some(tag), _) => Some(tag.to_owned()),
        (None, Some(_)) => None,
        (None, None) => Some(DEFAULT_TAG.to_owned()),
    };
    let path = if domain == DEFAULT_DOMAIN && !path.contains('/') {
        format!("{DEFAULT_NAMESPACE}{path}")
    } else {
        path.to_owned()
    };
    Ok(Reference {
        domain: domain.to_owned(),
        path,
        tag,
        digest,
    })
}

/// The first component is a registry only if it could not be a path: it has a dot, a colon or an
/// upper-case letter, or it is `localhost`.
fn split_domain(name: &str) -> (&str, &str) {
    match name.split_once('/') {
        Some((first, rest))
            if first == "localhost"
                || first.contains(['.', ':', '['])
                || first.bytes().any(|byte| byte.is_ascii_uppercase()) =>
        {
            let first = if first == "index.docker.io" {
                DEFAULT_DOMAIN
            } else {
                first
            };
            (first, rest)
        }
        _ => (DEFAULT_DOMAIN, name),
    }
}

fn check_tag(tag: &str) -> std::result::Result<(), &'static str> {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let mut bytes = tag.bytes();
    if tag.len() > 128
        || !bytes.next().is_some_and(word)
        || !bytes.all(|b| word(b) || b == b'.' || b == b'-')
    {
        return Err(
            "a tag is 1 to 128 letters, digits, '_', '.' or '-', and starts with none of the last two",
        );
    }
    Ok(())
}

fn check_domain(domain: &str) -> std::result::Result<(), &'static str> {
    const RULE: &str = "the registry must be a host name or address with an optional port";
    let (host, port) = if let Some(rest) = domain.strip_prefix('[') {
        let (address, after) = rest.split_once(']').ok_or(RULE)?;
        if address.is_empty() || !address.bytes().all(|b| b.is_ascii_hexdigit() || b == b':') {
            return Err(RULE);
        }
        match after.strip_prefix(':') {
            Some(port) => ("v6", Some(port)),
            None if after.is_empty() => ("v6", None),
            None => return Err(RULE),
        }
    } else {
        match domain.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (domain, None),
        }
    };
    if port.is_some_and(|port| {
        port.is_empty() || port.len() > 5 || !port.bytes().all(|b| b.is_ascii_digit())
    }) {
        return Err(RULE);
    }
    let label_is_good = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    if host.split('.').all(label_is_good) {
        Ok(())
    } else {
        Err(RULE)
    }
}

fn check_path(path: &str) -> std::result::Result<(), &'static str> {
    for component in path.split('/') {
        if component.is_empty() {
            return Err("a part of the name is empty");
        }
        if component.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err("the name must be lower case");
        }
        check_component(component)?;
    }
    Ok(())
}

/// Letters and digits, with one '.', one or two '_' or any number of '-' between them.
fn check_component(component: &str) -> std::result::Result<(), &'static str> {
    const RULE: &str = "a part of the name is lower-case letters and digits, separated by '.', '_', '__' or dashes";
    let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = component.as_bytes();
    if !bytes.first().copied().is_some_and(alphanumeric)
        || !bytes.last().copied().is_some_and(alphanumeric)
    {
        return Err(RULE);
    }
    for separator in component.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit()) {
        let good = matches!(separator, "" | "." | "_" | "__")
            || separator.bytes().all(|byte| byte == b'-');
        if !good {
            return Err(RULE);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Reference;

    #[test]
    fn normalises_what_people_write() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let cases = [
            ("alpine", "docker.io/library/alpine:latest", "alpine:latest"),
            (
                "alpine:3.20",
                "docker.io/library/alpine:3.20",
                "alpine:3.20",
            ),
            ("hello", "docker.io/library/hello:latest", "hello:latest"),
            (
                "grafana/loki",
                "docker.io/grafana/loki:latest",
                "grafana/loki:latest",
            ),
            ("index.docker.io/a/b", "docker.io/a/b:latest", "a/b:latest"),
            (
                "docker.io/nginx",
                "docker.io/library/nginx:latest",
                "nginx:latest",
            ),
            (
                "localhost:5000/a:b",
                "localhost:5000/a:b",
                "localhost:5000/a:b",
            ),
            ("localhost/a", "localhost/a:latest", "localhost/a:latest"),
            ("[::1]:5000/a", "[::1]:5000/a:latest", "[::1]:5000/a:latest"),
            (
                "a.b/c/d__e-f---g.h",
                "a.b/c/d__e-f---g.h:latest",
                "a.b/c/d__e-f---g.h:latest",
            ),
        ];
        for (written, full, familiar) in cases {
            let reference: Reference = written.parse().unwrap();
            assert_eq!(reference.to_string(), full);
            assert_eq!(reference.familiar(), familiar);
            assert_eq!(full.parse::<Reference>().unwrap(), reference);
            assert_eq!(familiar.parse::<Reference>().unwrap(), reference);
        }
        let both: Reference = format!("ghcr.io/x/y:1@{digest}").parse().unwrap();
        assert_eq!(
            (both.tag(), both.digest().map(|d| d.to_string())),
            (Some("1"), Some(digest.clone()))
        );
        let bare: Reference = format!("ghcr.io/x/y@{digest}").parse().unwrap();
        assert_eq!(bare.tag(), None);
    }

    #[test]
    fn refuses_by_rule() {
        let id = "0".repeat(64);
        let long = format!("a/{}", "b".repeat(260));
        let cases = [
            ("", "is empty"),
            ("Alpine", "lower case"),
            ("a//b", "is empty"),
            ("/a", "is empty"),
            ("a/", "is empty"),
            ("a:", "a tag is"),
            ("a:-x", "a tag is"),
            ("a:b:c", "a tag is"),
            ("a@sha256:abc", "what follows @"),
            ("a@b@c", "what follows @"),
            ("a..b", "separated by"),
            ("a___b", "separated by"),
            ("../x", "registry"),
            ("a/../b", "separated by"),
            ("x.y:port/a", "registry"),
            ("-x.y/a", "registry"),
            ("a b", "separated by"),
            ("a\n", "separated by"),
            ("é", "separated by"),
            (&id, "image id"),
            (&long, "255"),
        ];
        for (written, rule) in cases {
            let error = written.parse::<Reference>().unwrap_err().to_string();
            assert!(error.contains(rule), "{written:?}: {error}");
        }
    }

    #[test]
    fn a_short_name_may_be_local() {
        let reference: Reference = "tool:1".parse().unwrap();
        assert_eq!(reference.local().unwrap().to_string(), "localhost/tool:1");
        assert!(
            "ghcr.io/a/b"
                .parse::<Reference>()
                .unwrap()
                .local()
                .is_none()
        );
    }
}

//! Options about the process and its surroundings.

use crate::Error;
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// Which network a container has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    /// Its own, with the loopback interface only.
    #[default]
    None,
    /// The host's.
    Host,
}

impl FromStr for Network {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "none" => Ok(Self::None),
            "host" => Ok(Self::Host),
            "bridge" | "slirp4netns" | "pasta" | "private" => Err(Error::unsupported(
                format!("--network {text}"),
                "this version has no virtual networks yet: use none or host",
            )),
            _ => Err(Error::invalid("--network", text, "is not none or host")),
        }
    }
}

/// Which user namespace a container has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UserNamespace {
    /// What suits the caller: the host's for root, a new one with the user's ranges for others.
    #[default]
    Default,
    /// The host's; for an ordinary user the same as the default.
    Host,
    /// A new one in which an ordinary user has the id that he has on the host.
    KeepId,
}

impl FromStr for UserNamespace {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "" => Ok(Self::Default),
            "host" => Ok(Self::Host),
            "keep-id" => Ok(Self::KeepId),
            "auto" | "nomap" | "private" => Err(Error::unsupported(
                format!("--userns {text}"),
                "the image's layers cannot be id-mapped for one container yet: use host or keep-id",
            )),
            _ => Err(Error::invalid("--userns", text, "is not host or keep-id")),
        }
    }
}

/// A resource limit, `NAME=SOFT[:HARD]`; -1 or `unlimited` for none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ulimit {
    /// The name in lower case, without `RLIMIT_`.
    pub name: String,
    /// What is enforced.
    pub soft: u64,
    /// Up to where the process may raise it.
    pub hard: u64,
}

/// The names that Linux knows, see setrlimit(2).
const LIMITS: [&str; 16] = [
    "as",
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
];

impl FromStr for Ulimit {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = |reason: &str| Error::invalid("--ulimit", text, reason);
        let (name, values) = text
            .split_once('=')
            .ok_or_else(|| wrong("is not NAME=SOFT[:HARD]"))?;
        let name = name.to_ascii_lowercase();
        let name = name.strip_prefix("rlimit_").unwrap_or(&name);
        if !LIMITS.contains(&name) {
            return Err(wrong(&format!("names no limit: {}", LIMITS.join(", "))));
        }
        let value = |text: &str| match text {
            "-1" | "unlimited" => Ok(u64::MAX),
            _ if text.bytes().all(|byte| byte.is_ascii_digit()) => text
                .parse()
                .map_err(|_| wrong("has a value that is no number")),
            _ => Err(wrong("has a value that is no number")),
        };
        let (soft, hard) = values.split_once(':').unwrap_or((values, values));
        let (soft, hard) = (value(soft)?, value(hard)?);
        if soft > hard {
            return Err(wrong("has a soft limit above the hard one"));
        }
        Ok(Self {
            name: name.to_owned(),
            soft,
            hard,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;

    #[test]
    fn ulimits() {
        let limit: Ulimit = "nofile=1024:4096".parse().expect("valid");
        assert_eq!(
            (limit.name.as_str(), limit.soft, limit.hard),
            ("nofile", 1024, 4096)
        );
        let limit: Ulimit = "CORE=-1".parse().expect("valid");
        assert_eq!((limit.soft, limit.hard), (u64::MAX, u64::MAX));
        for bad in [
            "nofile",
            "files=3",
            "nofile=",
            "nofile=5:3",
            "nofile=a",
            "nofile=-2",
        ] {
            let error = bad.parse::<Ulimit>().expect_err(bad);
            assert_eq!(error.kind(), Kind::InvalidInput, "{bad}");
        }
    }

    #[test]
    fn what_is_not_there_yet_is_refused_by_name() {
        let error = "bridge".parse::<Network>().expect_err("no bridge");
        assert_eq!(error.kind(), Kind::Unsupported);
        assert!(error.to_string().contains("use none or host"), "{error}");
        let error = "auto".parse::<UserNamespace>().expect_err("no auto");
        assert_eq!(error.kind(), Kind::Unsupported);
        assert_eq!(
            "brigde".parse::<Network>().expect_err("typo").kind(),
            Kind::InvalidInput
        );
    }
}

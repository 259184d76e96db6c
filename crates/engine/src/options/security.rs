//! `--security-opt`.

use crate::Error;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::str::FromStr;

/// Which profile applies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Profile {
    /// None.
    Unconfined,
    /// Ours.
    Default,
    /// The seccomp profile in this file.
    File(PathBuf),
    /// The AppArmor profile of this name.
    Named(String),
}

/// One `--security-opt`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SecurityOption {
    /// `no-new-privileges[=true|false]`; true is the default without any option.
    NoNewPrivileges(bool),
    /// `seccomp=unconfined|default|FILE`
    Seccomp(Profile),
    /// `apparmor=unconfined|NAME`
    Apparmor(Profile),
    /// `mask=PATH[:PATH…]`: more paths to hide.
    Mask(Vec<String>),
    /// `unmask=ALL|PATH[:PATH…]`: paths not to hide or make read-only.
    Unmask(Vec<String>),
}

impl FromStr for SecurityOption {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = |reason: &str| Error::invalid("--security-opt", text, reason);
        // Docker accepts both NAME=VALUE and, of old, NAME:VALUE.
        let (name, value) = match text.find(['=', ':']) {
            Some(at) => (&text[..at], Some(&text[at + 1..])),
            None => (text, None),
        };
        match (name, value) {
            ("no-new-privileges", None | Some("true")) => Ok(Self::NoNewPrivileges(true)),
            ("no-new-privileges", Some("false")) => Ok(Self::NoNewPrivileges(false)),
            ("no-new-privileges", _) => Err(wrong("takes true or false")),
            ("seccomp", Some("unconfined")) => Ok(Self::Seccomp(Profile::Unconfined)),
            ("seccomp", Some("default" | "builtin")) => Ok(Self::Seccomp(Profile::Default)),
            ("seccomp", Some(file)) if !file.is_empty() => {
                Ok(Self::Seccomp(Profile::File(file.into())))
            }
            ("apparmor", Some("unconfined")) => Ok(Self::Apparmor(Profile::Unconfined)),
            ("apparmor", Some(name)) if !name.is_empty() => {
                Ok(Self::Apparmor(Profile::Named(name.into())))
            }
            ("mask", Some(paths)) => paths_of(paths)
                .map(Self::Mask)
                .ok_or_else(|| wrong("takes absolute paths")),
            ("unmask", Some("ALL" | "all")) => Ok(Self::Unmask(vec!["ALL".into()])),
            ("unmask", Some(paths)) => paths_of(paths)
                .map(Self::Unmask)
                .ok_or_else(|| wrong("takes ALL or absolute paths")),
            ("label", _) => Err(Error::unsupported(
                format!("--security-opt {text}"),
                "labels need SELinux, which this version does not drive",
            )),
            _ => Err(wrong(
                "is not one of no-new-privileges, seccomp=, apparmor=, mask=, unmask=",
            )),
        }
    }
}

fn paths_of(text: &str) -> Option<Vec<String>> {
    let paths: Vec<String> = text.split(':').map(str::to_owned).collect();
    paths
        .iter()
        .all(|path| path.starts_with('/') && !path.contains('\0'))
        .then_some(paths)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;

    #[test]
    fn forms() {
        let parse = |text: &str| text.parse::<SecurityOption>();
        assert_eq!(
            parse("no-new-privileges:false").ok(),
            Some(SecurityOption::NoNewPrivileges(false))
        );
        assert_eq!(
            parse("seccomp=/p.json").ok(),
            Some(SecurityOption::Seccomp(Profile::File("/p.json".into())))
        );
        assert_eq!(
            parse("unmask=ALL").ok(),
            Some(SecurityOption::Unmask(vec!["ALL".into()]))
        );
        assert_eq!(
            parse("label=disable").expect_err("no SELinux").kind(),
            Kind::Unsupported
        );
        for bad in [
            "",
            "seccomp",
            "seccomp=",
            "mask=proc",
            "no-new-privileges=1",
            "x=y",
        ] {
            assert_eq!(
                parse(bad).expect_err(bad).kind(),
                Kind::InvalidInput,
                "{bad}"
            );
        }
    }
}

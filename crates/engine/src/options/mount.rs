//! `-v`, `--mount` and `--tmpfs`.

use super::Size;
use crate::Error;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::str::FromStr;

/// How mounts made later spread between host and container.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Propagation {
    /// Not at all.
    #[default]
    Rprivate,
    /// From the host into the container.
    Rslave,
    /// Both ways.
    Rshared,
}

/// One mount that the user asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Mount {
    /// A file or directory of the host.
    #[serde(rename_all = "camelCase")]
    Bind {
        /// Path on the host.
        source: PathBuf,
        /// Path in the container.
        target: String,
        /// Whether it is read-only, submounts included.
        read_only: bool,
        /// Propagation.
        propagation: Propagation,
        /// Whether a missing source directory is made (as `-v` does, `--mount` does not).
        create_source: bool,
    },
    /// A named volume, or an anonymous one.
    #[serde(rename_all = "camelCase")]
    Volume {
        /// Its name; absent for an anonymous one.
        name: Option<String>,
        /// Path in the container.
        target: String,
        /// Whether it is read-only.
        read_only: bool,
    },
    /// An empty filesystem in memory.
    #[serde(rename_all = "camelCase")]
    Tmpfs {
        /// Path in the container.
        target: String,
        /// Its size limit.
        size: Option<Size>,
        /// Permission bits of its root.
        mode: Option<u32>,
        /// Further mount options, such as `ro` or `exec`.
        options: Vec<String>,
    },
}

impl Mount {
    /// Where it stands in the container.
    #[must_use]
    pub fn target(&self) -> &str {
        match self {
            Self::Bind { target, .. }
            | Self::Volume { target, .. }
            | Self::Tmpfs { target, .. } => target,
        }
    }

    /// The value of `-v`: `[SOURCE:]TARGET[:OPTIONS]`; a source that begins with `/` or `.` is a
    /// path, any other the name of a volume.
    ///
    /// # Errors
    /// `InvalidInput`, with the accepted form.
    pub fn from_volume(text: &str) -> Result<Self, Error> {
        let wrong = |reason: &str| Error::invalid("--volume", text, reason);
        let parts: Vec<&str> = text.split(':').collect();
        let (source, target, options) = match parts[..] {
            [target] => (None, target, ""),
            [source, target] => (Some(source), target, ""),
            [source, target, options] => (Some(source), target, options),
            _ => return Err(wrong("is not [SOURCE:]TARGET[:OPTIONS]")),
        };
        let target = check_target("--volume", text, target)?;
        let (mut read_only, mut propagation) = (false, Propagation::default());
        for option in options.split(',').filter(|option| !option.is_empty()) {
            match option {
                "ro" => read_only = true,
                "rw" | "rbind" => {}
                "rprivate" | "private" => propagation = Propagation::Rprivate,
                "rslave" | "slave" => propagation = Propagation::Rslave,
                "rshared" | "shared" => propagation = Propagation::Rshared,
                "z" | "Z" | "U" | "O" | "nocopy" | "idmap" => {
                    return Err(Error::unsupported(
                        format!("--volume {text}"),
                        format!("the option {option} is not there yet"),
                    ));
                }
                _ => return Err(wrong(&format!("has an unknown option {option:?}"))),
            }
        }
        match source {
            Some("") => Err(wrong("has an empty source")),
            Some(path) if is_path(path) => Ok(Self::Bind {
                source: absolute("--volume", path)?,
                target,
                read_only,
                propagation,
                create_source: true,
            }),
            source => {
                let name = source
                    .map(|name| volume_name("--volume", name))
                    .transpose()?;
                Ok(Self::Volume {
                    name,
                    target,
                    read_only,
                })
            }
        }
    }

    /// The value of `--tmpfs`: `TARGET[:OPTIONS]`.
    ///
    /// # Errors
    /// `InvalidInput`, with the accepted form.
    pub fn from_tmpfs(text: &str) -> Result<Self, Error> {
        let (target, options) = text.split_once(':').unwrap_or((text, ""));
        let target = check_target("--tmpfs", text, target)?;
        let (mut size, mut mode, mut rest) = (None, None, Vec::new());
        for option in options.split(',').filter(|option| !option.is_empty()) {
            match option.split_once('=') {
                Some(("size", value)) => size = Some(value.parse()?),
                Some(("mode", value)) => mode = Some(octal("--tmpfs", text, value)?),
                None if FLAGS.contains(&option) => rest.push(option.to_owned()),
                Some(("nr_inodes" | "nr_blocks" | "uid" | "gid", value))
                    if value.bytes().all(|byte| byte.is_ascii_digit()) =>
                {
                    rest.push(option.to_owned());
                }
                _ => {
                    return Err(Error::invalid(
                        "--tmpfs",
                        text,
                        format!("has an unknown option {option:?}"),
                    ));
                }
            }
        }
        Ok(Self::Tmpfs {
            target,
            size,
            mode,
            options: rest,
        })
    }
}

const FLAGS: [&str; 10] = [
    "ro", "rw", "exec", "noexec", "suid", "nosuid", "dev", "nodev", "sync", "noatime",
];

/// The parts of a `--mount`, as they were written.
#[derive(Default)]
struct Parts<'a> {
    kind: Option<&'a str>,
    source: Option<&'a str>,
    target: Option<&'a str>,
    read_only: bool,
    propagation: Propagation,
    size: Option<Size>,
    mode: Option<u32>,
}

impl<'a> Parts<'a> {
    fn parse(text: &'a str) -> Result<Self, Error> {
        let mut parts = Self::default();
        for part in text.split(',') {
            let (key, value) = match part.split_once('=') {
                Some((key, value)) => (key, Some(value)),
                None => (part, None),
            };
            match (key, value) {
                ("type", Some(value)) => parts.kind = Some(value),
                ("source" | "src", Some(value)) => parts.source = Some(value),
                ("target" | "destination" | "dst", Some(value)) => parts.target = Some(value),
                ("readonly" | "ro", None | Some("true" | "1")) => parts.read_only = true,
                ("readonly" | "ro", Some("false" | "0")) => parts.read_only = false,
                // The last one counts, as everywhere.
                ("bind-propagation", Some("rprivate" | "private")) => {
                    parts.propagation = Propagation::Rprivate;
                }
                ("bind-propagation", Some("rslave" | "slave")) => {
                    parts.propagation = Propagation::Rslave;
                }
                ("bind-propagation", Some("rshared" | "shared")) => {
                    parts.propagation = Propagation::Rshared;
                }
                ("tmpfs-size", Some(value)) => parts.size = Some(value.parse()?),
                ("tmpfs-mode", Some(value)) => parts.mode = Some(octal("--mount", text, value)?),
                _ => {
                    let reason = format!("has an unknown part {part:?}");
                    return Err(Error::invalid("--mount", text, reason));
                }
            }
        }
        Ok(parts)
    }
}

impl FromStr for Mount {
    type Err = Error;

    /// The value of `--mount`: `type=bind|volume|tmpfs,source=…,target=…,…`.
    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = |reason: &str| Error::invalid("--mount", text, reason);
        let parts = Parts::parse(text)?;
        let target = parts.target.ok_or_else(|| wrong("has no target="))?;
        let target = check_target("--mount", text, target)?;
        match parts.kind.unwrap_or("volume") {
            "bind" => {
                let source = parts.source.filter(|source| is_path(source));
                let source = source.ok_or_else(|| wrong("needs source=/a/path"))?;
                Ok(Self::Bind {
                    source: absolute("--mount", source)?,
                    target,
                    read_only: parts.read_only,
                    propagation: parts.propagation,
                    create_source: false,
                })
            }
            "volume" => {
                let name = parts.source.map(|name| volume_name("--mount", name));
                Ok(Self::Volume {
                    name: name.transpose()?,
                    target,
                    read_only: parts.read_only,
                })
            }
            "tmpfs" if parts.source.is_some() => Err(wrong("has a source, which a tmpfs cannot")),
            "tmpfs" => Ok(Self::Tmpfs {
                target,
                size: parts.size,
                mode: parts.mode,
                options: if parts.read_only {
                    vec!["ro".into()]
                } else {
                    vec![]
                },
            }),
            kind @ ("image" | "glob" | "devpts" | "ramfs" | "npipe") => Err(Error::unsupported(
                format!("--mount type={kind}"),
                "use bind, volume or tmpfs",
            )),
            _ => Err(wrong("has a type that is not bind, volume or tmpfs")),
        }
    }
}

fn is_path(source: &str) -> bool {
    source.starts_with(['/', '.'])
}

/// The path as it is from `/`, relative ones taken from the working directory.
fn absolute(option: &'static str, source: &str) -> Result<PathBuf, Error> {
    std::path::absolute(source)
        .map_err(|error| Error::invalid(option, source, format!("is no path: {error}")))
}

fn octal(option: &'static str, text: &str, value: &str) -> Result<u32, Error> {
    u32::from_str_radix(value, 8)
        .ok()
        .filter(|mode| *mode <= 0o7777)
        .ok_or_else(|| Error::invalid(option, text, "has a mode that is not octal"))
}

/// A path in the container: absolute, without `..` (a link may still lead anywhere; the runtime
/// resolves it inside the root); written in one way, because mounts are told apart by it.
fn check_target(option: &'static str, text: &str, target: &str) -> Result<String, Error> {
    let parent = target.split('/').any(|part| part == "..");
    if !target.starts_with('/') || parent || target.contains('\0') {
        return Err(Error::invalid(
            option,
            text,
            "needs an absolute path in the container, without `..`",
        ));
    }
    let parts = target.split('/').filter(|part| !["", "."].contains(part));
    let plain: String = parts.flat_map(|part| ["/", part]).collect();
    if plain.is_empty() {
        return Err(Error::invalid(option, text, "cannot be mounted over `/`"));
    }
    Ok(plain)
}

/// A volume's name: a letter or digit, then letters, digits, `_`, `.`, `-`.
fn volume_name(option: &'static str, name: &str) -> Result<String, Error> {
    if is_name(name) {
        Ok(name.to_owned())
    } else {
        Err(Error::invalid(
            option,
            name,
            "is not a name: letters, digits, `_`, `.`, `-`, at most 128, beginning with a letter or digit",
        ))
    }
}

/// Whether a text can be the name of a container or volume: a letter or digit, then letters, digits,
/// `_`, `.`, `-`, at most 128 in all.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let first = name
        .bytes()
        .next()
        .is_some_and(|b| b.is_ascii_alphanumeric());
    let rest = name
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
    first && rest && name.len() <= 128
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;

    #[test]
    fn volumes_and_binds() {
        let bind = Mount::from_volume("/data:/mnt/:ro,rslave").expect("bind");
        let expected = Mount::Bind {
            source: "/data".into(),
            target: "/mnt".into(),
            read_only: true,
            propagation: Propagation::Rslave,
            create_source: true,
        };
        assert_eq!(bind, expected);
        let winding = Mount::from_volume("/data://mnt/./x/.").expect("bind");
        assert_eq!(winding.target(), "/mnt/x");
        let named = Mount::from_volume("cache:/c").expect("volume");
        assert!(matches!(named, Mount::Volume { name: Some(name), .. } if name == "cache"));
        let anonymous = Mount::from_volume("/only").expect("anonymous");
        assert!(matches!(anonymous, Mount::Volume { name: None, .. }));
        for bad in [
            "",
            ":",
            "/a:b",
            "/a:/..",
            "/a:/",
            "/a:/.",
            "/a:/.//./",
            "/a:/b:nope",
            "a b:/c",
            ":/c",
            "/a:/b:ro:x",
            "-x:/c",
        ] {
            let error = Mount::from_volume(bad).expect_err(bad);
            assert_eq!(error.kind(), Kind::InvalidInput, "{bad}");
        }
    }

    #[test]
    fn long_form() {
        let mount: Mount = "type=tmpfs,dst=/t,tmpfs-size=64m,tmpfs-mode=1770"
            .parse()
            .expect("tmpfs");
        let expected = Mount::Tmpfs {
            target: "/t".into(),
            size: Some(Size(64 << 20)),
            mode: Some(0o1770),
            options: vec![],
        };
        assert_eq!(mount, expected);
        let twice = "type=bind,src=/s,dst=/t,bind-propagation=rshared,bind-propagation=rprivate";
        let mount: Mount = twice.parse().expect("bind");
        assert!(
            matches!(&mount, Mount::Bind { propagation, .. } if *propagation == Propagation::Rprivate),
            "{mount:?}"
        );
        for bad in [
            "type=bind,target=/x",
            "type=bind,source=name,target=/x",
            "type=tmpfs,source=/a,target=/x",
            "target=x",
            "type=nfs,target=/x",
            "type=volume,src=../x,target=/x",
            "target=/x,flag",
        ] {
            let error = bad.parse::<Mount>().expect_err(bad);
            assert_eq!(error.kind(), Kind::InvalidInput, "{bad}: {error}");
        }
    }

    #[test]
    fn short_tmpfs() {
        let mount = Mount::from_tmpfs("/run:size=1m,mode=755,noexec").expect("tmpfs");
        assert!(matches!(&mount, Mount::Tmpfs { options, .. } if options == &["noexec"]));
        let error = Mount::from_tmpfs("/run:context=x").expect_err("unknown");
        assert_eq!(error.kind(), Kind::InvalidInput);
    }
}

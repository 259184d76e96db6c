//! A mount of the specification becomes attributes, filesystem options and a source.
//!
//! Source: config.md (Mounts, Linux mount options), `mount_setattr(2)`, `fsconfig(2)`.

use super::invalid::Invalid;
use crate::spec;
use crate::spec::linux::IdMapping;
use serde::Serialize;

/// Per-mount attributes, with the kernel's values (`mount_setattr(2)`).
mod attribute {
    pub(in super::super) const RDONLY: u64 = 0x1;
    pub(super) const NOSUID: u64 = 0x2;
    pub(super) const NODEV: u64 = 0x4;
    pub(super) const NOEXEC: u64 = 0x8;
    pub(super) const ATIME_MASK: u64 = 0x70;
    pub(super) const NOATIME: u64 = 0x10;
    pub(super) const STRICTATIME: u64 = 0x20;
    pub(super) const NODIRATIME: u64 = 0x80;
    pub(super) const NOSYMFOLLOW: u64 = 0x0020_0000;
}

pub(super) use attribute::RDONLY;

/// How a mount spreads; the words of `mount(8)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Propagation {
    /// Nothing in, nothing out.
    Private,
    /// In, not out.
    Slave,
    /// In and out.
    Shared,
    /// Private, and cannot be bound.
    Unbindable,
}

/// One attribute change; `recursive` ones reach the mounts below.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Attributes {
    /// Bits to set.
    pub set: u64,
    /// Bits to clear.
    pub clear: u64,
}

impl Attributes {
    fn add(&mut self, set: u64, clear: u64) {
        // The last word counts, as on a command line.
        self.set = (self.set & !clear) | set;
        self.clear = (self.clear & !(set & !attribute::ATIME_MASK)) | clear;
    }

    /// Whether nothing would change.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }
}

/// A mount that is ready to be made.
#[derive(Debug, Clone, Serialize)]
pub struct Mount {
    /// Where, inside the container; absolute.
    pub destination: String,
    /// What.
    pub source: Source,
    /// Attributes of the mount itself.
    pub attributes: Attributes,
    /// Attributes of the mount and all below.
    pub recursive_attributes: Attributes,
    /// Propagation changes in their order; true reaches the mounts below.
    pub propagation: Vec<(Propagation, bool)>,
    /// The mount's own id map.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_map: Option<IdMap>,
}

/// What is mounted.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// A part of the host's tree.
    Bind {
        /// Host path; relative ones are below the bundle.
        path: String,
        /// Whether the mounts below come along.
        recursive: bool,
    },
    /// A new filesystem.
    Filesystem {
        /// Its type.
        kind: String,
        /// The device or name; empty when none was given.
        source: String,
        /// Options as `fsconfig(2)` takes them: a key, and a value if it has one.
        options: Vec<(String, Option<String>)>,
        /// Whether the directory's former content is copied in (`tmpcopyup`).
        copy_up: bool,
        /// Whether changes of files are counted (`iversion`).
        count_changes: bool,
    },
    /// The container's view of the host's cgroups, in whatever version the host has.
    Cgroup,
    /// Changes the attributes of what is mounted there already.
    Remount,
}

/// The ids that a mount shows.
#[derive(Debug, Clone, Serialize)]
pub struct IdMap {
    /// Of users; empty: those of the container's user namespace.
    pub uids: Vec<IdMapping>,
    /// Of groups; empty: those of the container's user namespace.
    pub gids: Vec<IdMapping>,
    /// Whether the mounts below are mapped too.
    pub recursive: bool,
}

/// What an option word does to a mount.
enum Word {
    Attribute(u64, u64),
    Recursive(u64, u64),
    Spread(Propagation, bool),
    Superblock,
    Bind(bool),
    IdMap(bool),
    CopyUp,
    CountChanges(bool),
    Remount,
    Nothing,
}

/// The option words that are the same for every filesystem, for [`parse`] and for `features`.
pub const WORDS: &[&str] = &[
    "async",
    "atime",
    "bind",
    "defaults",
    "dev",
    "diratime",
    "dirsync",
    "exec",
    "idmap",
    "iversion",
    "lazytime",
    "loud",
    "mand",
    "noatime",
    "nodev",
    "nodiratime",
    "noexec",
    "noiversion",
    "nolazytime",
    "nomand",
    "norelatime",
    "nostrictatime",
    "nosuid",
    "nosymfollow",
    "private",
    "ratime",
    "rbind",
    "rdev",
    "rdiratime",
    "relatime",
    "remount",
    "rexec",
    "ridmap",
    "rnoatime",
    "rnodev",
    "rnodiratime",
    "rnoexec",
    "rnorelatime",
    "rnostrictatime",
    "rnosuid",
    "rnosymfollow",
    "ro",
    "rprivate",
    "rrelatime",
    "rro",
    "rrw",
    "rshared",
    "rslave",
    "rstrictatime",
    "rsuid",
    "rsymfollow",
    "runbindable",
    "rw",
    "shared",
    "silent",
    "slave",
    "strictatime",
    "suid",
    "symfollow",
    "sync",
    "tmpcopyup",
    "unbindable",
];

fn word(option: &str) -> Option<Word> {
    use Propagation::{Private, Shared, Slave, Unbindable};
    use attribute::{
        ATIME_MASK, NOATIME, NODEV, NODIRATIME, NOEXEC, NOSUID, NOSYMFOLLOW, RDONLY, STRICTATIME,
    };
    let simple = match option {
        "defaults" | "silent" | "loud" => return Some(Word::Nothing),
        "bind" => return Some(Word::Bind(false)),
        "rbind" => return Some(Word::Bind(true)),
        "idmap" => return Some(Word::IdMap(false)),
        "ridmap" => return Some(Word::IdMap(true)),
        "tmpcopyup" => return Some(Word::CopyUp),
        "remount" => return Some(Word::Remount),
        "sync" | "async" | "dirsync" | "lazytime" | "nolazytime" | "mand" | "nomand" => {
            return Some(Word::Superblock);
        }
        "iversion" => return Some(Word::CountChanges(true)),
        "noiversion" => return Some(Word::CountChanges(false)),
        "private" => return Some(Word::Spread(Private, false)),
        "rprivate" => return Some(Word::Spread(Private, true)),
        "slave" => return Some(Word::Spread(Slave, false)),
        "rslave" => return Some(Word::Spread(Slave, true)),
        "shared" => return Some(Word::Spread(Shared, false)),
        "rshared" => return Some(Word::Spread(Shared, true)),
        "unbindable" => return Some(Word::Spread(Unbindable, false)),
        "runbindable" => return Some(Word::Spread(Unbindable, true)),
        other => other,
    };
    // Recursive words are the plain ones with an r in front; `ro`, `rw` and `relatime` begin with one.
    let (name, recursive) = match simple {
        "ro" | "rw" | "relatime" => (simple, false),
        other => other
            .strip_prefix('r')
            .map_or((other, false), |rest| (rest, true)),
    };
    let (set, clear) = match name {
        "ro" => (RDONLY, 0),
        "rw" => (0, RDONLY),
        "nosuid" => (NOSUID, 0),
        "suid" => (0, NOSUID),
        "nodev" => (NODEV, 0),
        "dev" => (0, NODEV),
        "noexec" => (NOEXEC, 0),
        "exec" => (0, NOEXEC),
        "noatime" => (NOATIME, ATIME_MASK),
        "atime" | "relatime" | "nostrictatime" => (0, ATIME_MASK),
        "norelatime" | "strictatime" => (STRICTATIME, ATIME_MASK),
        "nodiratime" => (NODIRATIME, 0),
        "diratime" => (0, NODIRATIME),
        "nosymfollow" => (NOSYMFOLLOW, 0),
        "symfollow" => (0, NOSYMFOLLOW),
        _ => return None,
    };
    Some(if recursive {
        Word::Recursive(set, clear)
    } else {
        Word::Attribute(set, clear)
    })
}

/// Turns one mount of the specification into a [`Mount`]; `path` is its place in the document.
///
/// # Errors
/// [`Invalid`] when the destination is empty, an option is impossible, or two contradict.
pub fn parse(mount: &spec::Mount, path: &str) -> Result<Mount, Invalid> {
    if mount.destination.is_empty() {
        return Err(Invalid::new(
            format!("{path}.destination"),
            "must be a path inside the container",
        ));
    }
    for (field, text) in [
        ("destination", Some(&mount.destination)),
        ("source", mount.source.as_ref()),
    ] {
        if text.is_some_and(|text| text.contains('\0')) {
            return Err(Invalid::new(format!("{path}.{field}"), "holds a NUL byte"));
        }
    }
    let kind = mount.kind.as_deref().unwrap_or("none");
    let mut reading = Reading {
        bind: (kind == "bind").then_some(false),
        ..Reading::default()
    };
    for (index, option) in mount.options.iter().enumerate() {
        reading
            .option(option)
            .map_err(|reason| Invalid::new(format!("{path}.options[{index}]"), reason))?;
    }
    reading.finish(mount, kind, path)
}

/// Refuses id maps that nobody could give.
///
/// # Errors
/// [`Invalid`]: without maps of its own and without the container's user namespace there is no map; an
/// ordinary user may map no mount of the host (`mount_setattr(2)`, `MOUNT_ATTR_IDMAP`).
pub fn check_id_maps(
    written: &[spec::Mount],
    mounts: &[Mount],
    user_namespace: bool,
    host: &super::Host,
) -> Result<(), Invalid> {
    for (index, mount) in mounts.iter().enumerate() {
        let Some(map) = &mount.id_map else { continue };
        let named = !written[index].uid_mappings.is_empty();
        let field = if named { "uidMappings" } else { "options" };
        let path = format!("mounts[{index}].{field}");
        if map.uids.is_empty() && !user_namespace {
            let reason = "an id map needs uidMappings and gidMappings, or a user namespace whose maps to take";
            return Err(Invalid::new(path, reason));
        }
        if !host.privileged {
            let reason = "only root may give an id map to a mount of the host";
            return Err(Invalid::new(path, reason));
        }
    }
    Ok(())
}

/// Gives the filesystems that are made their SELinux context (`linux.mountLabel`). Those whose files the
/// kernel labels by a policy of its own take none.
pub fn label(mounts: &mut [Mount], label: &str) {
    for mount in mounts {
        if let Source::Filesystem { kind, options, .. } = &mut mount.source
            && !["proc", "sysfs", "mqueue"].contains(&kind.as_str())
        {
            options.push(("context".into(), Some(label.into())));
        }
    }
}

#[derive(Default)]
struct Reading {
    attributes: Attributes,
    recursive: Attributes,
    propagation: Vec<(Propagation, bool)>,
    filesystem: Vec<(String, Option<String>)>,
    bind: Option<bool>,
    id_map: Option<bool>,
    copy_up: bool,
    count_changes: bool,
    remount: bool,
}

impl Reading {
    fn option(&mut self, option: &str) -> Result<(), String> {
        if option.contains('\0') {
            return Err("holds a NUL byte".into());
        }
        match word(option) {
            Some(Word::Attribute(set, clear)) => self.attributes.add(set, clear),
            Some(Word::Recursive(set, clear)) => self.recursive.add(set, clear),
            Some(Word::Spread(propagation, below)) => self.propagation.push((propagation, below)),
            Some(Word::Superblock) => self.filesystem.push((option.into(), None)),
            Some(Word::Bind(recursive)) => self.bind = Some(recursive || self.bind == Some(true)),
            Some(Word::IdMap(recursive)) => self.id_map = Some(recursive),
            Some(Word::CopyUp) => self.copy_up = true,
            Some(Word::CountChanges(on)) => self.count_changes = on,
            Some(Word::Remount) => self.remount = true,
            Some(Word::Nothing) => {}
            None => {
                let (key, value) = match option.split_once('=') {
                    Some((key, value)) => (key, Some(value.to_owned())),
                    None => (option, None),
                };
                if key.is_empty() {
                    return Err("is empty".into());
                }
                self.filesystem.push((key.into(), value));
            }
        }
        Ok(())
    }

    fn finish(self, mount: &spec::Mount, kind: &str, path: &str) -> Result<Mount, Invalid> {
        let source = self.source(mount, kind, path)?;
        let has_maps = !mount.uid_mappings.is_empty() || !mount.gid_mappings.is_empty();
        if mount.uid_mappings.is_empty() != mount.gid_mappings.is_empty() {
            let missing = if mount.uid_mappings.is_empty() {
                "uidMappings"
            } else {
                "gidMappings"
            };
            return Err(Invalid::new(
                format!("{path}.{missing}"),
                "must be given together with its twin",
            ));
        }
        let id_map = (has_maps || self.id_map.is_some()).then(|| IdMap {
            uids: mount.uid_mappings.clone(),
            gids: mount.gid_mappings.clone(),
            recursive: self.id_map.unwrap_or(false),
        });
        if id_map.is_some() && !matches!(source, Source::Bind { .. }) {
            let field = if has_maps { "uidMappings" } else { "options" };
            return Err(Invalid::new(
                format!("{path}.{field}"),
                "an id map can be given to bind mounts only",
            ));
        }
        // A relative one, which is deprecated, is relative to the root (config.md, Mounts).
        let destination = format!("/{}", mount.destination.trim_start_matches('/'));
        Ok(Mount {
            destination,
            source,
            attributes: self.attributes,
            recursive_attributes: self.recursive,
            propagation: self.propagation,
            id_map,
        })
    }

    fn source(&self, mount: &spec::Mount, kind: &str, path: &str) -> Result<Source, Invalid> {
        let foreign = |what: &str| match self.filesystem.first() {
            Some((key, _)) => {
                let reason = format!("{key:?} is no option of {what}");
                Err(Invalid::new(format!("{path}.options"), reason))
            }
            None => Ok(()),
        };
        if self.remount {
            // Attributes only: an option of the filesystem that is left out could be a protection.
            foreign("a remount, which changes attributes only")?;
            return Ok(Source::Remount);
        }
        if let Some(recursive) = self.bind {
            foreign("a bind mount")?;
            let source = mount.source.clone().filter(|source| !source.is_empty());
            let path = source.ok_or_else(|| {
                Invalid::new(
                    format!("{path}.source"),
                    "a bind mount needs the host path to bind",
                )
            })?;
            return Ok(Source::Bind { path, recursive });
        }
        if self.copy_up && kind != "tmpfs" {
            return Err(Invalid::new(
                format!("{path}.options"),
                "tmpcopyup is an option of tmpfs only",
            ));
        }
        match kind {
            "none" => Err(Invalid::new(
                format!("{path}.type"),
                "is missing (and no option says bind)",
            )),
            "cgroup" => foreign("the container's cgroups").map(|()| Source::Cgroup),
            "cgroup2" if self.filesystem.is_empty() => Ok(Source::Cgroup),
            _ => Ok(Source::Filesystem {
                kind: kind.into(),
                source: mount.source.clone().unwrap_or_default(),
                options: self.filesystem.clone(),
                copy_up: self.copy_up,
                count_changes: self.count_changes,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(kind: &str, options: &[&str]) -> Result<Mount, Invalid> {
        let mount = spec::Mount {
            destination: "/x".into(),
            kind: Some(kind.into()),
            source: Some("/src".into()),
            options: options.iter().map(|s| (*s).to_owned()).collect(),
            ..spec::Mount::default()
        };
        parse(&mount, "mounts[0]")
    }

    #[test]
    fn every_word_of_the_list_is_understood() {
        for option in WORDS {
            assert!(word(option).is_some(), "{option}");
        }
    }

    /// No machine of ours has SELinux: this is what its kernel would be told.
    #[test]
    fn a_label_is_for_filesystems_that_are_made_and_take_one() {
        let made = |kind: &str| mount(kind, &[]).expect("valid");
        let mut mounts = [
            made("tmpfs"),
            made("devpts"),
            made("proc"),
            made("sysfs"),
            made("mqueue"),
        ];
        label(&mut mounts, "system_u:object_r:container_file_t:s0:c1,c2");
        let context = |mount: &Mount| match &mount.source {
            Source::Filesystem { options, .. } => options
                .iter()
                .find(|(key, _)| key == "context")
                .and_then(|(_, value)| value.clone()),
            _ => None,
        };
        let labelled = mounts.map(|mount| context(&mount).is_some());
        assert_eq!(labelled, [true, true, false, false, false]);
        let mut bound = [mount("none", &["bind"]).expect("valid")];
        label(&mut bound, "label");
        assert_eq!(context(&bound[0]), None);
    }

    #[test]
    fn the_last_word_counts() {
        let parsed = mount("tmpfs", &["ro", "nosuid", "rw"]).expect("valid");
        assert_eq!(parsed.attributes.set, attribute::NOSUID);
        assert_eq!(parsed.attributes.clear, attribute::RDONLY);
        let parsed = mount("tmpfs", &["noatime", "strictatime"]).expect("valid");
        assert_eq!(parsed.attributes.set, attribute::STRICTATIME);
    }

    #[test]
    fn recursive_words_are_kept_apart() {
        let parsed = mount("none", &["rbind", "rro", "rprivate"]).expect("valid");
        assert!(matches!(
            parsed.source,
            Source::Bind {
                recursive: true,
                ..
            }
        ));
        assert!(parsed.attributes.is_empty());
        assert_eq!(parsed.recursive_attributes.set, attribute::RDONLY);
        assert_eq!(parsed.propagation, [(Propagation::Private, true)]);
    }

    #[test]
    fn objections_name_the_place() {
        let error = mount("bind", &["bind", "size=4"]).expect_err("no option of a bind");
        assert_eq!(error.path, "mounts[0].options");
        assert!(error.reason.contains("\"size\""), "{error}");
        for (kind, options) in [
            ("proc", ["remount", "hidepid=2"]),
            ("cgroup", ["ro", "xattr"]),
        ] {
            let error = mount(kind, &options).expect_err("would be left out");
            assert_eq!(error.path, "mounts[0].options");
        }
        let error = mount("tmpfs", &["idmap"]).expect_err("not a bind");
        assert!(error.reason.contains("bind mounts only"), "{error}");
    }
}

//! Which namespaces are made, joined, or shared with the host.

use super::invalid::Invalid;
use crate::spec;
use serde::Serialize;

/// A kind of namespace (`namespaces(7)`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// User and group ids, capabilities.
    User,
    /// Mounts.
    Mount,
    /// Host and domain name.
    Uts,
    /// System V IPC, POSIX message queues.
    Ipc,
    /// Interfaces, addresses, ports.
    Network,
    /// Process numbers.
    Pid,
    /// The root of the cgroup tree.
    Cgroup,
    /// Offsets of the monotonic and boot clocks.
    Time,
}

impl Kind {
    /// All kinds, in the order in which they are joined.
    pub const ALL: [Self; 8] = [
        Self::User,
        Self::Mount,
        Self::Uts,
        Self::Ipc,
        Self::Network,
        Self::Pid,
        Self::Cgroup,
        Self::Time,
    ];

    /// Its word in the specification.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Mount => "mount",
            Self::Uts => "uts",
            Self::Ipc => "ipc",
            Self::Network => "network",
            Self::Pid => "pid",
            Self::Cgroup => "cgroup",
            Self::Time => "time",
        }
    }

    /// Its name in `/proc/PID/ns`.
    #[must_use]
    pub fn file(self) -> &'static str {
        match self {
            Self::Mount => "mnt",
            Self::Network => "net",
            other => other.word(),
        }
    }

    /// Its `CLONE_NEW…` bit.
    #[must_use]
    pub fn flag(self) -> u64 {
        match self {
            Self::Time => 0x0000_0080,
            Self::Mount => 0x0002_0000,
            Self::Cgroup => 0x0200_0000,
            Self::Uts => 0x0400_0000,
            Self::Ipc => 0x0800_0000,
            Self::User => 0x1000_0000,
            Self::Pid => 0x2000_0000,
            Self::Network => 0x4000_0000,
        }
    }
}

/// The container's namespaces; a kind that is in neither list is the host's.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Namespaces {
    /// Kinds to make.
    pub new: Vec<Kind>,
    /// Kinds to join, with the namespace's path.
    pub join: Vec<(Kind, String)>,
}

impl Namespaces {
    /// Whether this kind is made.
    #[must_use]
    pub fn makes(&self, kind: Kind) -> bool {
        self.new.contains(&kind)
    }

    /// Whether this kind is joined.
    #[must_use]
    pub fn joins(&self, kind: Kind) -> bool {
        self.join.iter().any(|(joined, _)| *joined == kind)
    }

    /// Whether this kind is not the host's.
    #[must_use]
    pub fn separates(&self, kind: Kind) -> bool {
        self.makes(kind) || self.joins(kind)
    }

    /// The `CLONE_NEW…` bits of the kinds to make.
    #[must_use]
    pub fn flags(&self) -> u64 {
        self.new.iter().map(|kind| kind.flag()).sum()
    }

    /// Reads `linux.namespaces`.
    ///
    /// # Errors
    /// [`Invalid`]: an unknown or repeated type, or a path that is not absolute.
    pub fn parse(list: &[spec::linux::Namespace]) -> Result<Self, Invalid> {
        let mut namespaces = Self::default();
        for (index, entry) in list.iter().enumerate() {
            let at = |field: &str| format!("linux.namespaces[{index}].{field}");
            let kind = Kind::ALL
                .into_iter()
                .find(|kind| kind.word() == entry.kind)
                .ok_or_else(|| {
                    let known: Vec<_> = Kind::ALL.iter().map(|kind| kind.word()).collect();
                    Invalid::new(
                        at("type"),
                        format!(
                            "unknown type {:?}; known are {}",
                            entry.kind,
                            known.join(", ")
                        ),
                    )
                })?;
            if namespaces.separates(kind) {
                return Err(Invalid::new(
                    at("type"),
                    format!("{:?} is given twice", entry.kind),
                ));
            }
            match entry.path.as_deref().filter(|path| !path.is_empty()) {
                None => namespaces.new.push(kind),
                Some(path) if path.starts_with('/') && !path.contains('\0') => {
                    namespaces.join.push((kind, path.into()));
                }
                Some(path) => {
                    return Err(Invalid::new(
                        at("path"),
                        format!("{path:?} is not an absolute path"),
                    ));
                }
            }
        }
        namespaces.join.sort_by_key(|(kind, _)| *kind);
        Ok(namespaces)
    }
}

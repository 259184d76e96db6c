//! Entering the container's namespaces.

use crate::error::{At, Error, Result};
use crate::plan::namespaces::{Kind, Namespaces};
use dhow_sys::namespace;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

/// Namespaces to join, opened on the host before anything is entered.
#[derive(Debug)]
pub struct Opened(Vec<(Kind, OwnedFd)>);

impl Opened {
    /// Opens every namespace that the plan joins, and checks that each is of its kind.
    ///
    /// # Errors
    /// The call, or [`Error::Config`] when a path is a namespace of another kind.
    pub fn new(namespaces: &Namespaces) -> Result<Self> {
        let open = |(kind, path): &(Kind, String)| {
            let fd = namespace::open(Path::new(path))
                .at(&format!("open the {} namespace", kind.word()))?;
            if namespace::kind(fd.as_fd()).is_ok_and(|found| found == kind.flag()) {
                return Ok((*kind, fd));
            }
            let reason = format!("{path:?} is no {} namespace", kind.word());
            Err(Error::Config(crate::plan::invalid::Invalid::new(
                "linux.namespaces",
                reason,
            )))
        };
        namespaces
            .join
            .iter()
            .map(open)
            .collect::<Result<_>>()
            .map(Self)
    }

    /// The one of this kind.
    #[must_use]
    pub fn of(&self, kind: Kind) -> Option<&OwnedFd> {
        self.0
            .iter()
            .find(|(opened, _)| *opened == kind)
            .map(|(_, fd)| fd)
    }

    /// Joins all but those that need a step of their own: the user namespace (before everything, by
    /// whoever clones) and the pid namespace (it counts for children only).
    ///
    /// # Errors
    /// `setns`.
    pub fn join(&self) -> Result<()> {
        let others = self
            .0
            .iter()
            .filter(|(kind, _)| !matches!(kind, Kind::User | Kind::Pid));
        for (kind, fd) in others {
            namespace::join(fd.as_fd(), kind.flag())
                .at(&format!("join the {} namespace", kind.word()))?;
        }
        Ok(())
    }
}

/// The kinds that the clone itself makes. Not the cgroup namespace: its root is the cgroup of
/// whoever makes it, and the child is in its own only after the clone. Not the time namespace: its
/// clocks are set before the first process enters.
#[must_use]
pub fn at_clone(namespaces: &Namespaces) -> u64 {
    namespaces.flags() & !(Kind::Cgroup.flag() | Kind::Time.flag())
}

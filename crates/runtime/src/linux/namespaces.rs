//! Entering the container's namespaces.

use crate::error::{At, Error, Result};
use crate::plan::Plan;
use crate::plan::invalid::Invalid;
use crate::plan::namespaces::{Kind, Namespaces};
use dhow_sys::procfs::Procfs;
use dhow_sys::{fd, namespace};
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
            Err(Error::Config(Invalid::new("linux.namespaces", reason)))
        };
        namespaces
            .join
            .iter()
            .map(open)
            .collect::<Result<_>>()
            .map(Self)
    }

    /// Refuses to set a kernel parameter or a name in, or to move a network device to, a namespace that was given by path but is the
    /// host's own, where the plan could not see it.
    ///
    /// # Errors
    /// [`Error::Config`] naming the parameter.
    pub fn spare_the_host(&self, plan: &Plan, procfs: &Procfs) -> Result<()> {
        let parameters = plan
            .sysctl
            .iter()
            .map(|one| (one.holder, format!("linux.sysctl[{:?}]", one.key)));
        let names = [
            ("hostname", &plan.hostname),
            ("domainname", &plan.domainname),
        ];
        let names = names
            .iter()
            .filter(|(_, name)| name.is_some())
            .map(|(path, _)| (Kind::Uts, (*path).to_owned()));
        let devices = plan.net_devices.first();
        let devices = devices.map(|_| (Kind::Network, "linux.netDevices".to_owned()));
        for (kind, path) in parameters.chain(names).chain(devices) {
            let Some(joined) = self.of(kind) else {
                continue;
            };
            let step = "compare a namespace with the host's";
            let host = procfs.namespace(std::process::id(), kind.file()).at(step)?;
            let identity = |stat: dhow_sys::Stat| (stat.st_dev, stat.st_ino);
            let joined = fd::stat(joined.as_fd()).map(identity).at(step)?;
            if joined == fd::stat(host.as_fd()).map(identity).at(step)? {
                let word = kind.word();
                let reason = format!(
                    "would change the host: the {word} namespace to join is the host's own"
                );
                return Err(Error::Config(Invalid::new(path, reason)));
            }
        }
        Ok(())
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

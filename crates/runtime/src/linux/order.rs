//! What a birth is told, and what comes of it.

use super::container::Container;
use super::handshake::Channel;
use super::net_devices::Given;
use super::rootfs::Entry;
use crate::bundle::Bundle;
use crate::plan::Plan;
use crate::spec::State;
use crate::state::Status;
use dhow_sys::process::Child;
use std::os::fd::OwnedFd;
use std::path::Path;

/// What shall be born, and how.
#[derive(Debug)]
pub struct Order<'a> {
    /// The bundle.
    pub bundle: &'a Bundle,
    /// What it says, checked.
    pub plan: &'a Plan,
    /// The reserved id.
    pub container: &'a Container,
    /// Whether the caller may act as the host's root user.
    pub privileged: bool,
    /// Whether the caller has privileges over the host's mounts; one of root's may have been taken away.
    pub mounts: bool,
    /// Whether the caller has no right to the host's cgroups but those that were given to it.
    pub rootless: bool,
    /// Who makes the cgroup.
    pub driver: dhow_cgroup::Driver,
    /// How the root becomes `/`.
    pub entry: Entry,
    /// Whether the container gets a session keyring of its own.
    pub keyring: bool,
    /// Where the terminal's controlling side goes.
    pub console: Option<OwnedFd>,
    /// How many descriptors from 3 on the program inherits.
    pub preserve: u32,
}

impl Order<'_> {
    /// The state document in a given status.
    #[must_use]
    pub fn state(&self, status: Status, pid: u32) -> State {
        let (id, bundle) = (&self.container.id, &self.bundle.path);
        self.plan.state(id, bundle, status, pid)
    }
}

/// A container whose program waits at the gate.
#[derive(Debug)]
pub struct Born {
    /// Its first process.
    pub child: Child,
    /// The way to it, for `run`.
    pub channel: Channel,
    /// Its cgroup.
    pub cgroup: dhow_cgroup::Group,
    /// The host's network devices that it has.
    pub devices: Given,
}

impl Born {
    /// Takes everything back.
    pub fn undo(self) {
        // Before its network namespace ends with it.
        drop(self.devices);
        self.child.end();
        let _ = self.cgroup.remove();
    }
}

/// What is known of a container from the clone on.
#[derive(Debug)]
pub struct Begun<'a> {
    /// Its first process.
    pub pid: u32,
    /// Its cgroup.
    pub cgroup: &'a dhow_cgroup::Group,
    /// The root filesystem's host path.
    pub rootfs: &'a Path,
}

//! Giving a group to the user who runs in it, so that they can make groups of their own below it.
//!
//! Only the directory and the files that the kernel names change their owner: with the others a container
//! could lift its own limits. Sources: config-linux.md (Cgroup ownership), cgroups(7) (delegation).

use super::group::Group;
use crate::{Error, Result};
use dhow_sys::{path, tree};
use std::os::fd::AsFd;
use std::path::Path;

/// What may be given away where the kernel does not say (before Linux 4.15).
const USUAL: &str = "cgroup.procs\ncgroup.subtree_control\ncgroup.threads\n";
const LIST: &str = "/sys/kernel/cgroup/delegate";
const ENOENT: i32 = 2;

impl Group {
    /// Gives the group to a user of the host, where it is one of the unified hierarchy alone: delegation
    /// in v1 is not secure. With the systemd driver, before the first process has started the scope, there
    /// is nothing to give yet.
    ///
    /// # Errors
    /// Permission, Kernel. Files that the group does not have are no error.
    pub fn give_to(&self, user: u32) -> Result<()> {
        let waits_for_systemd = self.unit.as_ref().is_some_and(|unit| !unit.is_started());
        let [hierarchy] = self.hierarchies.as_slice() else {
            return Ok(());
        };
        if waits_for_systemd || !hierarchy.is_v2() || hierarchy.is_absent() {
            return Ok(());
        }
        let failed = |source| Error::Give {
            user,
            path: hierarchy.directory.clone(),
            source,
        };
        let directory = hierarchy.open_group().map_err(failed)?;
        let listed = path::read_host(Path::new(LIST), 64 << 10);
        let listed = listed.map_or_else(
            |_| USUAL.to_owned(),
            |bytes| String::from_utf8_lossy(&bytes).into_owned(),
        );
        for name in listed.split_whitespace().filter(|name| !name.contains('/')) {
            match tree::set_user(directory.as_fd(), name.as_ref(), user) {
                Err(error) if error.code() == ENOENT => {}
                given => given.map_err(failed)?,
            }
        }
        // Last: whoever owns the directory can already use what is in it.
        tree::set_user_of(directory.as_fd(), user).map_err(failed)
    }
}

//! User namespaces that exist only to carry a mount's id map.

use super::idmap;
use super::mounts::Sources;
use crate::error::{At, Result};
use crate::plan::Plan;
use crate::spec::linux::IdMapping;
use dhow_sys::process::{self, Cloned};
use dhow_sys::procfs::Procfs;
use dhow_sys::{fd, namespace};
use std::os::fd::{AsFd, OwnedFd};

/// Makes a user namespace with these maps; it lives as long as the descriptor.
///
/// A process has to be in it while the maps are written: a clone that waits on a pipe and ends.
///
/// # Errors
/// The call.
pub fn namespace(procfs: &Procfs, uids: &[IdMapping], gids: &[IdMapping]) -> Result<OwnedFd> {
    let step = "make a user namespace for a mount's id map";
    let (reader, writer) = fd::pipe().at(step)?;
    let child = match process::clone(namespace::USER, None).at(step)? {
        Cloned::Parent(child) => child,
        Cloned::Child => {
            drop(writer);
            // Until the parent closes its end.
            let _ = fd::read_all(reader.as_fd(), 1);
            process::exit(0)
        }
    };
    let written = idmap::write(procfs, child.pid, uids, gids, true);
    let opened = procfs.namespace(child.pid, "user").at(step);
    drop(writer);
    let _ = process::wait(child.pidfd.as_fd());
    written.and(opened)
}

/// Gives each mount that the plan maps its ids, once the container's user namespace is there.
///
/// # Errors
/// The call.
pub fn map_all(plan: &Plan, sources: &Sources, procfs: &Procfs, pid: u32) -> Result<()> {
    for (index, mount) in plan
        .mounts
        .iter()
        .enumerate()
        .filter(|(_, mount)| mount.id_map.is_some())
    {
        let map = mount.id_map.as_ref().filter(|map| !map.uids.is_empty());
        let namespace = match map {
            Some(map) => namespace(procfs, &map.uids, &map.gids)?,
            None => procfs
                .namespace(pid, "user")
                .at("open the user namespace")?,
        };
        sources.map_ids(index, mount, namespace.as_fd())?;
    }
    Ok(())
}

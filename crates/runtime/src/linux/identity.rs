//! Becoming the user that the program runs as.
//!
//! The order is the kernel's: the bounding set needs a capability that is about to go, groups need
//! one that goes with the user, and ambient capabilities are cleared by every change of them.

use crate::error::{At, Error, Result};
use crate::plan::process::{Capabilities, Process};
use dhow_sys::capability::SYS_ADMIN;
use dhow_sys::id::{self, CapabilitySets};
use dhow_sys::procfs::Procfs;

/// Becomes the planned user, with the planned groups and capabilities.
///
/// `filter_needs_admin`: a seccomp filter without `no_new_privs` can only be installed with
/// CAP_SYS_ADMIN. It is then kept until the execve, which takes it away: for root because the bounding
/// set no longer holds it, for others because it is neither inheritable nor ambient.
///
/// # Errors
/// The call.
pub fn become_user(process: &Process, procfs: &Procfs, filter_needs_admin: bool) -> Result<()> {
    let held = id::capabilities().at("read the capabilities")?;
    let wanted = process
        .capabilities
        .map(|sets| possible(sets, held.permitted));
    if let Some(sets) = wanted {
        drop_bounding(sets.bounding)?;
    }
    groups(&process.groups, procfs)?;
    id::set_group(process.gid).at("set the group")?;
    let keep = process.uid != 0;
    if keep {
        id::keep_capabilities(true).at("keep the capabilities over the change of user")?;
    }
    id::set_user(process.uid).at("set the user")?;
    let Some(sets) = wanted else { return Ok(()) };
    let extra = if filter_needs_admin {
        SYS_ADMIN & held.permitted
    } else {
        0
    };
    id::set_capabilities(CapabilitySets {
        effective: sets.effective | extra,
        permitted: sets.permitted | extra,
        inheritable: sets.inheritable,
    })
    .at("set the capabilities")?;
    id::clear_ambient().at("clear the ambient capabilities")?;
    for number in (0..64).filter(|number| sets.ambient & (1 << number) != 0) {
        id::raise_ambient(number).at("raise an ambient capability")?;
    }
    verify(process, sets, extra)
}

/// Drops every capability but the kept ones from the bounding set.
fn drop_bounding(kept: u64) -> Result<()> {
    for number in (0..64).filter(|number| kept & (1 << number) == 0) {
        match id::drop_bounding(number) {
            // The kernel knows no capability with this number, and so none above.
            Err(error) if error.code() == 22 => break,
            result => result.at("drop capabilities from the bounding set")?,
        }
    }
    Ok(())
}

/// What can be had of the wanted sets: no more than we hold. The bounding set is not limited by that.
fn possible(sets: Capabilities, held: u64) -> Capabilities {
    let permitted = sets.permitted & held;
    let inheritable = sets.inheritable & held;
    Capabilities {
        bounding: sets.bounding,
        effective: sets.effective & permitted,
        permitted,
        inheritable,
        ambient: sets.ambient & permitted & inheritable,
    }
}

/// The supplementary groups, exactly. A user namespace that an ordinary user made without helpers
/// forbids the call; the groups then are the caller's, which is only right if nothing else was asked.
fn groups(groups: &[u32], procfs: &Procfs) -> Result<()> {
    let Err(error) = id::set_groups(groups) else {
        return Ok(());
    };
    let denied = procfs
        .read_own("setgroups")
        .at("read whether groups may be set")?
        .starts_with(b"deny");
    if denied && groups.len() <= 1 {
        return Ok(());
    }
    if denied {
        let text = "set the groups: this user namespace forbids setgroups, because only one group is mapped; \
                    give the user a range in /etc/subgid, or ask for no additional groups";
        return Err(Error::Unsupported(text.into()));
    }
    Err(error).at("set the groups")
}

/// What the kernel says afterwards must be what was asked for.
fn verify(process: &Process, sets: Capabilities, extra: u64) -> Result<()> {
    let now = id::capabilities().at("read the capabilities")?;
    let right = now.permitted == sets.permitted | extra
        && now.inheritable == sets.inheritable
        && id::effective_user() == process.uid
        && id::effective_group() == process.gid;
    if right {
        return Ok(());
    }
    Err(dhow_sys::Error::new(
        "capget",
        format!("{now:x?}, not what was set"),
        1,
    ))
    .at("verify the identity")
}

//! Writing the id maps of a new user namespace, from outside.
//!
//! A caller with the capability writes them itself; an ordinary user asks `newuidmap` and
//! `newgidmap`, which check the ranges in `/etc/subuid` and `/etc/subgid`, unless the map is the one
//! that the kernel allows anybody: one id, onto the caller's own.
//!
//! Source: `user_namespaces(7)`, `newuidmap(1)`.

use crate::error::{At, Error, Result};
use crate::spec::linux::IdMapping;
use dhow_sys::procfs::Procfs;
use std::process::Command;

/// Writes both maps of the process `pid`.
///
/// # Errors
/// The write, or what the helper said.
pub fn write(
    procfs: &Procfs,
    pid: u32,
    uids: &[IdMapping],
    gids: &[IdMapping],
    privileged: bool,
) -> Result<()> {
    let own = |list: &[IdMapping], id: u32| matches!(list, [only] if only.size == 1 && only.host_id == id);
    let single_user = own(uids, dhow_sys::id::effective_user());
    let single_group = own(gids, dhow_sys::id::effective_group());
    if privileged || single_user {
        direct(procfs, pid, "uid_map", uids)?;
    } else {
        helper("newuidmap", pid, uids)?;
    }
    if privileged {
        return direct(procfs, pid, "gid_map", gids);
    }
    if single_group {
        // Without privilege the kernel wants setgroups given up first: a process must not be able to
        // leave a group that denies it something.
        procfs
            .write(&format!("{pid}/setgroups"), b"deny")
            .at("forbid setgroups")?;
        return direct(procfs, pid, "gid_map", gids);
    }
    helper("newgidmap", pid, gids)
}

fn direct(procfs: &Procfs, pid: u32, file: &str, list: &[IdMapping]) -> Result<()> {
    use std::fmt::Write;
    let mut text = String::with_capacity(list.len() * 24);
    for map in list {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{} {} {}", map.container_id, map.host_id, map.size);
    }
    procfs
        .write(&format!("{pid}/{file}"), text.as_bytes())
        .at("write the id maps")
}

fn helper(program: &str, pid: u32, list: &[IdMapping]) -> Result<()> {
    let numbers = list
        .iter()
        .flat_map(|map| [map.container_id, map.host_id, map.size]);
    let output = Command::new(path_of(program)?)
        .arg(pid.to_string())
        .args(numbers.map(|number| number.to_string()))
        .output()
        .map_err(|error| {
            Error::Unsupported(format!(
                "write the id maps: {program} cannot be executed: {error}"
            ))
        })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    let file = if program == "newuidmap" {
        "/etc/subuid"
    } else {
        "/etc/subgid"
    };
    Err(Error::Unsupported(format!(
        "write the id maps: {said} (the ranges allowed to this user are in {file})"
    )))
}

/// The helper in the system's directories; never one from a directory that the environment names.
fn path_of(program: &str) -> Result<String> {
    let places = [
        "/usr/bin",
        "/bin",
        "/usr/local/bin",
        "/usr/sbin",
        "/run/wrappers/bin",
    ];
    let found = places
        .iter()
        .map(|place| format!("{place}/{program}"))
        .find(|path| std::path::Path::new(path).exists());
    found.ok_or_else(|| {
        let text = "is not installed (Debian: package uidmap); without it only one id can be mapped, onto your own";
        Error::Unsupported(format!("write the id maps: {program} {text}"))
    })
}

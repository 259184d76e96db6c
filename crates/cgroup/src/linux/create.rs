//! Making a group: directories in each hierarchy, controllers passed down to them, then the limits.
//!
//! On failure everything made here is removed again. What existed before stays.

use super::group::Group;
use super::hierarchy::{EBUSY, EEXIST, ENOENT, Hierarchy};
use super::layout::Version;
use super::write::Fresh;
use crate::resources::Resources;
use crate::{Error, Result};
use dhow_sys::cgroupfs;
use std::sync::atomic::Ordering;

/// How often a group is made again when a neighbour removes its empty parent at the same moment.
const TRIES: usize = 16;

impl Group {
    /// Makes the directories, enables the controllers on the way to them and applies the limits; with the
    /// systemd driver this waits for the first [`Group::add`].
    ///
    /// Rootless, without a configured path, a hierarchy that this user may not write to is left out, as
    /// long as no limit needs it.
    ///
    /// # Errors
    /// InvalidInput and Unsupported for limits, by their property; Conflict when the group exists with
    /// processes in it or frozen; Permission; Kernel. Nothing is left behind, and this group is then void:
    /// it has no directories, and killing or removing it touches nothing. Plan a new one to try again.
    pub fn create(&self, resources: &Resources) -> Result<()> {
        resources
            .check()
            .map_err(|(property, why)| Error::Value { property, why })?;
        if self.unit.is_some() {
            // A scope begins with its first process; but what is impossible is said now.
            self.settings(resources)?;
            let _ = self.pending.set(resources.clone());
            return Ok(());
        }
        let mut made = Vec::new();
        let result = self.make_all(resources, &mut made);
        if result.is_err() {
            for hierarchy in made {
                super::remove::remove_empty(hierarchy);
            }
            // What is still there is not ours: neither a kill nor a removal may reach it from here.
            for hierarchy in &self.hierarchies {
                hierarchy.leave_out();
            }
        }
        result
    }

    fn make_all<'a>(&'a self, resources: &Resources, made: &mut Vec<&'a Hierarchy>) -> Result<()> {
        let mut fresh = Fresh::Yes;
        for hierarchy in &self.hierarchies {
            match make(hierarchy) {
                Ok(Made::New) => made.push(hierarchy),
                Ok(Made::Existed) => {
                    check_idle(hierarchy)?;
                    fresh = Fresh::No;
                    // What nobody named can only be left of a container of the same id.
                    hierarchy.existed.store(self.explicit, Ordering::Relaxed);
                }
                Err(error) if self.may_do_without(&error) => hierarchy.leave_out(),
                Err(source) => {
                    let path = hierarchy.directory.clone();
                    return Err(Error::Create { path, source });
                }
            }
        }
        let settings = self.settings(resources)?;
        self.limited.store(!settings.is_empty(), Ordering::Relaxed);
        if let Some(cpuset) = self.v1("cpuset") {
            fill_cpuset(cpuset, resources)?;
        }
        if let Some(unified) = self.unified() {
            let needed = settings
                .iter()
                .filter(|setting| setting.version == Version::V2);
            let needed: Vec<&str> = needed.map(|setting| setting.controller).collect();
            enable(unified, self.hierarchies.len() == 1, &needed)?;
        }
        self.write_all(&settings)?;
        self.apply_devices(&resources.devices, fresh)
    }

    /// The limits of a scope that systemd has just started.
    pub(super) fn apply_first(&self, resources: &Resources) -> Result<()> {
        let settings = self.settings(resources)?;
        self.limited.store(!settings.is_empty(), Ordering::Relaxed);
        if let Some(unified) = self.unified() {
            let needed: Vec<&str> = settings.iter().map(|setting| setting.controller).collect();
            enable(unified, true, &needed)?;
        }
        self.write_all(&settings)?;
        self.apply_devices(&resources.devices, Fresh::No)
    }
}

enum Made {
    New,
    Existed,
}

/// Makes the directory, and its parents where they are missing.
fn make(hierarchy: &Hierarchy) -> std::result::Result<Made, dhow_sys::Error> {
    let (root, path) = (hierarchy.root()?, hierarchy.relative());
    for _ in 0..TRIES {
        match cgroupfs::make_group(root, path) {
            Ok(()) => return Ok(Made::New),
            Err(error) if error.code() == EEXIST => return Ok(Made::Existed),
            Err(error) if error.code() == ENOENT && path.contains('/') => make_parents(hierarchy)?,
            Err(error) => return Err(error),
        }
    }
    cgroupfs::make_group(root, path).map(|()| Made::New)
}

fn make_parents(hierarchy: &Hierarchy) -> std::result::Result<(), dhow_sys::Error> {
    let (root, path) = (hierarchy.root()?, hierarchy.relative());
    let mut made = 0;
    for (end, _) in path.match_indices('/') {
        match cgroupfs::make_group(root, &path[..end]) {
            // Mostly known from the plan; more when a neighbour has removed its own since.
            Ok(()) => {
                made += 1;
                hierarchy.parents_made.fetch_max(made, Ordering::Relaxed);
            }
            Err(error) if error.code() == EEXIST => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A directory that was there before must be empty and running: another container's processes would
/// be killed with ours, and in a frozen group ours would never start.
fn check_idle(hierarchy: &Hierarchy) -> Result<()> {
    let path = hierarchy.directory.clone();
    let pids = hierarchy.pids().map_err(|source| Error::Read {
        path: path.join("cgroup.procs"),
        source,
    })?;
    if !pids.is_empty() {
        let processes = pids.len();
        return Err(Error::Occupied { path, processes });
    }
    let frozen = match hierarchy.version {
        Version::V2 => hierarchy
            .read("cgroup.freeze")
            .is_ok_and(|text| text.trim() == "1"),
        Version::V1 if hierarchy.has("freezer") => hierarchy
            .read("freezer.state")
            .is_ok_and(|text| text.trim() != "THAWED"),
        Version::V1 => false,
    };
    if frozen {
        Err(Error::AlreadyFrozen { path })
    } else {
        Ok(())
    }
}

/// Gives a v1 cpuset group its processors and memory nodes: a group without them takes no process, and
/// a new one has none. What is configured for the container itself is written with its limits.
fn fill_cpuset(hierarchy: &Hierarchy, resources: &Resources) -> Result<()> {
    let cpu = resources.cpu.clone().unwrap_or_default();
    for (file, configured) in [("cpuset.cpus", cpu.cpus), ("cpuset.mems", cpu.mems)] {
        let parent = hierarchy
            .relative()
            .rsplit_once('/')
            .map_or("", |(parent, _)| parent);
        let value = inherit(hierarchy, parent, file)?;
        if configured.is_none_or(|list| list.trim().is_empty()) {
            write_inherited(hierarchy, hierarchy.relative(), file, &value)?;
        }
    }
    Ok(())
}

/// The value of a group's file; where it is empty, the parent's, written down on the way.
fn inherit(hierarchy: &Hierarchy, group: &str, file: &str) -> Result<String> {
    let name = if group.is_empty() {
        file.to_owned()
    } else {
        format!("{group}/{file}")
    };
    let own = hierarchy.read_at(&name).map_err(|source| Error::Read {
        path: hierarchy.mount.join(&name),
        source,
    })?;
    let own = own.trim();
    if !own.is_empty() || group.is_empty() {
        return Ok(own.to_owned());
    }
    let parent = group.rsplit_once('/').map_or("", |(parent, _)| parent);
    let value = inherit(hierarchy, parent, file)?;
    write_inherited(hierarchy, group, file, &value)?;
    Ok(value)
}

fn write_inherited(hierarchy: &Hierarchy, group: &str, file: &str, value: &str) -> Result<()> {
    let name = format!("{group}/{file}");
    hierarchy
        .write_at(&name, value)
        .map_err(|source| Error::Set {
            property: file.replacen("cpuset", "cpu", 1).into(),
            file: hierarchy.mount.join(&name).into(),
            value: value.into(),
            hint: " as the parent group has it",
            source,
        })
}

/// Controllers that a container gets even when no limit needs them: for its statistics, and for the groups
/// that it makes itself.
const USUAL: [&str; 6] = ["cpu", "cpuset", "io", "memory", "pids", "hugetlb"];

/// Passes controllers down from the root to the group: with `all`, the usual ones that there are too, else
/// only the needed ones. Usually nothing is left to do, and one read tells.
fn enable(unified: &Hierarchy, all: bool, needed: &[&str]) -> Result<()> {
    let wanted: Vec<String> = if all {
        let text = unified.read_at("cgroup.controllers").unwrap_or_default();
        let wanted = |name: &&str| USUAL.contains(name) || needed.contains(name);
        text.split_whitespace()
            .filter(wanted)
            .map(str::to_owned)
            .collect()
    } else {
        needed
            .iter()
            .filter(|name| **name != "cgroup")
            .map(|name| (*name).to_owned())
            .collect()
    };
    if wanted.is_empty() || missing(unified, &wanted)?.is_empty() {
        return Ok(());
    }
    let path = unified.relative();
    let parents = std::iter::once("").chain(path.match_indices('/').map(|(end, _)| &path[..end]));
    let mut refused: Option<(String, String, dhow_sys::Error)> = None;
    for parent in parents {
        let file = if parent.is_empty() {
            "cgroup.subtree_control".to_owned()
        } else {
            format!("{parent}/cgroup.subtree_control")
        };
        let line: Vec<String> = wanted.iter().map(|name| format!("+{name}")).collect();
        if unified.write_at(&file, &line.join(" ")).is_ok() {
            continue;
        }
        // One that cannot be passed on must not keep the others back.
        for (name, line) in wanted.iter().zip(&line) {
            if let Err(error) = unified.write_at(&file, line)
                && needed.contains(&name.as_str())
            {
                refused.get_or_insert((name.clone(), parent.to_owned(), error));
            }
        }
    }
    match (refused, missing(unified, &wanted)?) {
        (Some((controller, parent, source)), missing) if missing.contains(&controller) => {
            Err(Error::Enable {
                hint: if source.code() == EBUSY {
                    ": it holds processes of its own, and such a group cannot pass controllers on (cgroups(7))"
                } else {
                    ""
                },
                path: unified.mount.join(parent),
                controller,
                source,
            })
        }
        _ => Ok(()),
    }
}

/// Which of the controllers the group does not have.
fn missing(unified: &Hierarchy, wanted: &[String]) -> Result<Vec<String>> {
    let there = unified.get("cgroup.controllers")?;
    let there: Vec<&str> = there.split_whitespace().collect();
    Ok(wanted
        .iter()
        .filter(|name| !there.contains(&name.as_str()))
        .cloned()
        .collect())
}

//! A container's group: its names in every hierarchy, planned before anything exists.

use super::hierarchy::Hierarchy;
use super::host::{Found, Host};
use super::layout::Version;
use crate::resources::Resources;
use crate::{Error, Result};
use dhow_sys::{Mode, OFlags, path};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Who makes the directories.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Driver {
    /// We do, in cgroupfs.
    Fs,
    /// systemd does, as a transient scope.
    Systemd,
}

/// What a group is planned from.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The container's id.
    pub id: &'a str,
    /// `linux.cgroupsPath`. For [`Driver::Fs`]: absolute means below the root of each hierarchy, else
    /// below our own group. For [`Driver::Systemd`]: `slice:prefix:name`.
    pub path: Option<&'a str>,
    /// Who makes the directories.
    pub driver: Driver,
    /// The caller is not root on this host (or is root of a user namespace only): what it may not do,
    /// and nobody asked for by name, is left out.
    pub rootless: bool,
    /// The container's annotations; `org.systemd.property.*` ones are for [`Driver::Systemd`].
    pub annotations: &'a BTreeMap<String, String>,
}

/// A container's directories, one in each hierarchy of the host; part of the container's state file.
#[derive(Debug, Serialize, Deserialize)]
pub struct Group {
    pub(crate) rootless: bool,
    /// The path was configured, so that doing without it is no choice of ours.
    pub(crate) explicit: bool,
    /// A limit was asked for, so that doing without a group is no choice of ours.
    #[serde(default)]
    pub(crate) limited: AtomicBool,
    pub(crate) hierarchies: Vec<Hierarchy>,
    /// The scope, with [`Driver::Systemd`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unit: Option<super::systemd::Unit>,
    /// With [`Driver::Systemd`], what `create` was given: a scope begins with its first process.
    #[serde(skip)]
    pub(crate) pending: OnceLock<Resources>,
}

impl Group {
    /// Decides the names; creates nothing.
    ///
    /// A relative path, and the default `dhow-ID`, stand below our own group; in a host with the unified
    /// hierarchy alone, below our group's parent, since a group that holds processes cannot pass
    /// controllers on (cgroups(7), "no internal processes").
    ///
    /// # Errors
    /// InvalidInput for a path with `..`, a NUL, a newline, over 4 KiB or naming a root; Conflict when there
    /// are processes in that place; Unsupported when the host has no control groups, or no systemd for its
    /// driver.
    pub fn plan(host: &Host, request: &Request<'_>) -> Result<Self> {
        if host.found.is_empty() && !request.rootless {
            return Err(Error::Detect {
                why: "no mounted hierarchy shows the group of this process; mount cgroup2 on /sys/fs/cgroup".into(),
                source: None,
            });
        }
        let path = request.path.filter(|path| !path.is_empty());
        let (hierarchies, unit) = match request.driver {
            Driver::Fs => {
                let default = format!("dhow-{}", request.id);
                let (absolute, name) = checked(path.unwrap_or(&default))?;
                let planned = host.found.iter().map(|found| {
                    let base = if absolute { "" } else { base(host, found) };
                    hierarchy(found, base, &join(base, &name))
                });
                (planned.collect(), None)
            }
            Driver::Systemd => {
                let (unit, path) = super::systemd::Unit::plan(host, request)?;
                (
                    host.found
                        .iter()
                        .map(|found| hierarchy(found, &path, &path))
                        .collect(),
                    Some(unit),
                )
            }
        };
        let group = Self {
            rootless: request.rootless,
            explicit: path.is_some(),
            limited: AtomicBool::new(false),
            hierarchies,
            unit,
            pending: OnceLock::new(),
        };
        group.check_unoccupied()?;
        Ok(group)
    }

    /// What is planned is written down and, after a crash, killed and removed by that alone: so a place
    /// where somebody else's processes live must be refused before.
    fn check_unoccupied(&self) -> Result<()> {
        let Some(hierarchy) = self.lifecycle() else {
            return Ok(());
        };
        let path = hierarchy.directory.clone();
        match hierarchy.pids() {
            Ok(pids) if pids.is_empty() => Ok(()),
            Ok(pids) => Err(Error::Occupied {
                path,
                processes: pids.len(),
            }),
            Err(source) => Err(Error::Read { path, source }),
        }
    }

    /// The group's directory in each hierarchy.
    pub fn directories(&self) -> impl Iterator<Item = &Path> {
        self.present()
            .map(|hierarchy| hierarchy.directory.as_path())
    }

    /// Who made the directories.
    #[must_use]
    pub fn driver(&self) -> Driver {
        if self.unit.is_some() {
            Driver::Systemd
        } else {
            Driver::Fs
        }
    }

    /// The hierarchies that the container is really in.
    pub(crate) fn present(&self) -> impl Iterator<Item = &Hierarchy> {
        self.hierarchies
            .iter()
            .filter(|hierarchy| !hierarchy.is_absent())
    }

    pub(crate) fn unified(&self) -> Option<&Hierarchy> {
        self.present().find(|hierarchy| hierarchy.is_v2())
    }

    /// The v1 hierarchy with a controller.
    pub(crate) fn v1(&self, controller: &str) -> Option<&Hierarchy> {
        self.present().find(|hierarchy| hierarchy.has(controller))
    }

    /// The hierarchy that tells which processes there are: the unified one, else the freezer, which can
    /// hold them still, else any.
    pub(crate) fn lifecycle(&self) -> Option<&Hierarchy> {
        self.unified()
            .or_else(|| self.v1("freezer"))
            .or_else(|| self.present().next())
    }

    /// Whether this failure may be answered by going without a group.
    pub(crate) fn may_do_without(&self, error: &dhow_sys::Error) -> bool {
        self.rootless && !self.explicit && crate::error::is_permission(error)
    }

    /// The unified directory for `CLONE_INTO_CGROUP`; `None` without a unified hierarchy, and with the
    /// systemd driver as long as no process has started the scope: use [`Group::add`] then.
    ///
    /// # Errors
    /// Kernel or NotFound when the directory cannot be opened.
    pub fn clone_target(&self) -> Result<Option<OwnedFd>> {
        if self.unit.as_ref().is_some_and(|unit| !unit.is_started()) {
            return Ok(None);
        }
        let Some(unified) = self.unified() else {
            return Ok(None);
        };
        let opened = unified.open_group().map_err(|source| Error::Read {
            path: unified.directory.clone(),
            source,
        })?;
        Ok(Some(opened))
    }

    /// Moves a process into the group: into every v1 hierarchy, and into the unified one unless it was
    /// born there. With the systemd driver the first process starts the scope and gets its limits.
    ///
    /// # Errors
    /// Permission, Kernel, NotFound when the process is gone; as [`Group::apply`] for the first process
    /// of a scope.
    pub fn add(&self, pid: u32, already_in_v2: bool) -> Result<()> {
        self.add_where(pid, |hierarchy| !(hierarchy.is_v2() && already_in_v2))
    }

    fn add_where(&self, pid: u32, wanted: impl Fn(&Hierarchy) -> bool) -> Result<()> {
        if let (Some(unit), Some(resources)) = (&self.unit, self.pending.get())
            && !unit.is_started()
        {
            unit.start(pid, &self.settings(resources)?)?;
            return self.apply_first(resources);
        }
        let text = pid.to_string();
        for hierarchy in self.present().filter(|hierarchy| wanted(hierarchy)) {
            match hierarchy.write("cgroup.procs", &text) {
                Ok(()) => {}
                Err(error)
                    if self.may_do_without(&error) && !self.limited.load(Ordering::Relaxed) =>
                {
                    // Nothing was asked of this directory, so an empty one must not stay behind.
                    super::remove::remove_empty(hierarchy);
                    hierarchy.leave_out();
                }
                Err(source) => {
                    let path = hierarchy.directory.clone();
                    return Err(Error::Join { pid, path, source });
                }
            }
        }
        Ok(())
    }

    /// Moves the calling process, which must have one thread only, into every v1 hierarchy.
    ///
    /// By its own hand and thread by thread: a process that is moved by another is moved under a lock
    /// over all forks and exits of the host, whose taking waits for an RCU grace period, milliseconds
    /// each time (`cgroup_procs_write_start` in the kernel). Writing 0 to `tasks` needs no such lock.
    ///
    /// # Errors
    /// Permission, Kernel.
    pub fn enter(&self) -> Result<()> {
        for hierarchy in self.present().filter(|hierarchy| !hierarchy.is_v2()) {
            match hierarchy.write("tasks", "0") {
                Err(error)
                    if !self.may_do_without(&error) || self.limited.load(Ordering::Relaxed) =>
                {
                    let (pid, path) = (std::process::id(), hierarchy.directory.clone());
                    return Err(Error::Join {
                        pid,
                        path,
                        source: error,
                    });
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Moves a process into the unified hierarchy unless it was born there; with the systemd driver the
    /// first process starts the scope and gets its limits. The v1 hierarchies it has to [`Group::enter`].
    ///
    /// # Errors
    /// As [`Group::add`].
    pub fn add_unified(&self, pid: u32, already_in_v2: bool) -> Result<()> {
        self.add_where(pid, |hierarchy| hierarchy.is_v2() && !already_in_v2)
    }

    /// All processes in the group and in groups below it, ascending.
    ///
    /// # Errors
    /// Permission or Kernel; Unsupported when the container has no group.
    pub fn pids(&self) -> Result<Vec<u32>> {
        let hierarchy = self.lifecycle().ok_or(Error::NoGroup {
            doing: "list the processes",
        })?;
        hierarchy.pids().map_err(|source| Error::Read {
            path: hierarchy.directory.join("cgroup.procs"),
            source,
        })
    }
}

/// How many of a path's parents are missing: they will be made for this group, and must be known before
/// they are, so that they are removed even after a crash in between.
fn missing_parents(found: &Found, base: &str, path: &str) -> usize {
    let flags = OFlags::PATH | OFlags::DIRECTORY;
    let parents = path.rmatch_indices('/').map(|(end, _)| &path[..end]);
    let missing = parents.take_while(|parent| {
        parent.len() > base.len()
            && path::open_beneath(found.root.as_fd(), Path::new(parent), flags, Mode::empty())
                .is_err()
    });
    missing.count()
}

fn hierarchy(found: &Found, base: &str, path: &str) -> Hierarchy {
    Hierarchy {
        version: found.version,
        controllers: found.controllers.clone(),
        mount: found.mount.clone(),
        directory: found.mount.join(path),
        parents_made: AtomicUsize::new(missing_parents(found, base, path)),
        existed: AtomicBool::new(false),
        absent: AtomicBool::new(false),
        root: OnceLock::from(found.root.clone()),
    }
}

/// The group below which a relative path stands.
fn base<'a>(host: &Host, found: &'a Found) -> &'a str {
    if host.is_v2_only() && found.version == Version::V2 {
        found.own.rsplit_once('/').map_or("", |(parent, _)| parent)
    } else {
        &found.own
    }
}

fn join(base: &str, name: &str) -> String {
    if base.is_empty() {
        name.to_owned()
    } else {
        format!("{base}/{name}")
    }
}

/// Whether a path is absolute, and its clean form without slashes around.
fn checked(path: &str) -> Result<(bool, String)> {
    let refuse = |why: &str| {
        Err(Error::Path {
            path: path.chars().take(200).collect(),
            why: why.to_owned(),
        })
    };
    if path.len() > 4095 {
        return refuse("is longer than 4095 bytes");
    }
    if path.contains(['\0', '\n']) {
        return refuse("contains a NUL or a newline, which no group may have in its name");
    }
    let parts: Vec<&str> = path
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .collect();
    if parts.contains(&"..") {
        return refuse("contains \"..\", which could leave the place that groups are made in");
    }
    if parts.iter().any(|part| part.len() > 255) {
        return refuse("has a component longer than 255 bytes");
    }
    if parts.is_empty() {
        return refuse("names the root of the hierarchy, which holds everybody's processes");
    }
    Ok((path.starts_with('/'), parts.join("/")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    fn request<'a>(
        id: &'a str,
        path: Option<&'a str>,
        annotations: &'a BTreeMap<String, String>,
    ) -> Request<'a> {
        Request {
            id,
            path,
            driver: Driver::Fs,
            rootless: false,
            annotations,
        }
    }

    #[test]
    fn hostile_paths_are_refused() {
        let long = format!("/{}", "a/".repeat(2050));
        let wide = format!("/{}", "a".repeat(256));
        for path in [
            "/../x",
            "a/../../b",
            "..",
            "/",
            "./.",
            "a\0b",
            "a\nb",
            &long,
            &wide,
        ] {
            let error = checked(path).expect_err(path);
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{path:?}");
            assert!(
                error.to_string().starts_with("linux.cgroupsPath"),
                "{error}"
            );
        }
        assert_eq!(checked("//a/./b/").unwrap(), (true, "a/b".into()));
        assert_eq!(checked("a..b").unwrap(), (false, "a..b".into()));
    }

    #[test]
    fn a_plan_survives_the_state_file() {
        let host = Host::detect().unwrap();
        if host.found.is_empty() {
            println!("skipped: no control groups here");
            return;
        }
        let annotations = BTreeMap::new();
        let plan =
            Group::plan(&host, &request("web", Some("/dhow-test/web"), &annotations)).unwrap();
        let text = serde_json::to_string(&plan).unwrap();
        let again: Group = serde_json::from_str(&text).unwrap();
        assert!(again.directories().eq(plan.directories()));
        assert!(
            plan.directories()
                .all(|path| path.ends_with("dhow-test/web") && !path.exists())
        );
        assert_eq!(plan.hierarchies[0].relative(), "dhow-test/web");
        let default = Group::plan(&host, &request("web", None, &annotations)).unwrap();
        assert!(default.directories().all(|path| path.ends_with("dhow-web")));
    }

    #[test]
    fn a_damaged_state_file_never_names_a_root() {
        let text = r#"{"rootless":false,"explicit":true,"hierarchies":[
            {"version":"v2","mount":"/sys/fs/cgroup","directory":"/sys/fs/cgroup"},
            {"version":"v2","mount":"/sys/fs/cgroup","directory":"/sys/fs/cgroup/../x"},
            {"version":"v2","mount":"/sys/fs/cgroup","directory":"/etc"}]}"#;
        let group: Group = serde_json::from_str(text).unwrap();
        assert!(
            group
                .hierarchies
                .iter()
                .all(|h| h.relative() == "dhow-no-such-group")
        );
    }
}

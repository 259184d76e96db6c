//! Writing settings and device rules into the control files of a group.

use super::devices::exceptions::Exceptions;
use super::devices::{device_rules, program};
use super::group::Group;
use super::hierarchy::{EBUSY, EINVAL, ENOENT, Hierarchy};
use super::layout::Version;
use super::settings::{IfAbsent, KERNEL_MEMORY, Setting, missing, settings};
use crate::resources::{DeviceRule, Resources};
use crate::{Error, Result};
use dhow_sys::{OFlags, bpf, fd};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Whether the directories were made just now, so that they hold no rules but the inherited ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fresh {
    Yes,
    No,
}

impl Group {
    /// Applies limits to the living group (`update`). Settings that are not named keep their value; device
    /// rules are replaced as a whole when there are any.
    ///
    /// # Errors
    /// InvalidInput and Unsupported by property; Kernel when a value is refused.
    pub fn apply(&self, resources: &Resources) -> Result<()> {
        resources
            .check()
            .map_err(|(property, why)| Error::Value { property, why })?;
        let settings = self.settings(resources)?;
        self.check_usage(resources)?;
        if let Some(unit) = &self.unit {
            unit.set(&settings)?;
        }
        self.write_all(&settings)?;
        if resources.devices.is_empty() {
            return Ok(());
        }
        self.apply_devices(&resources.devices, Fresh::No)
    }

    /// The settings that limits come to in the hierarchies of this group.
    pub(super) fn settings(&self, resources: &Resources) -> Result<Vec<Setting>> {
        let unified = std::cell::OnceCell::new();
        let offered = || -> &Vec<String> {
            unified.get_or_init(|| {
                let text = self
                    .unified()
                    .and_then(|unified| unified.read_at("cgroup.controllers").ok());
                text.unwrap_or_default()
                    .split_whitespace()
                    .map(str::to_owned)
                    .collect()
            })
        };
        let list = settings(resources, &|controller: &str| {
            if let Some(hierarchy) = self
                .hierarchies
                .iter()
                .find(|hierarchy| hierarchy.has(controller))
            {
                return Some(hierarchy.version);
            }
            let unified = self
                .hierarchies
                .iter()
                .find(|hierarchy| hierarchy.is_v2())?;
            // Without a group of our own the answer comes below, with the reason.
            let there = unified.is_absent()
                || controller == "cgroup"
                || offered().iter().any(|name| name == controller);
            there.then_some(Version::V2)
        })?;
        match list
            .iter()
            .find_map(|setting| Some((setting, self.holder(setting)?)))
        {
            Some((setting, holder)) if holder.is_absent() => Err(Error::NotDelegated {
                property: setting.property.clone(),
                path: holder.directory.clone(),
            }),
            _ => Ok(list),
        }
    }

    /// The hierarchy that a setting belongs to, present or not.
    pub(super) fn holder(&self, setting: &Setting) -> Option<&Hierarchy> {
        self.hierarchies
            .iter()
            .find(|hierarchy| match setting.version {
                Version::V1 => hierarchy.has(setting.controller),
                Version::V2 => hierarchy.is_v2(),
            })
    }

    /// Writes all settings in their order. A value that is only refused because of another one that is to
    /// change too (limit and swap, quota and burst) is written again after the others.
    pub(super) fn write_all(&self, settings: &[Setting]) -> Result<()> {
        let mut again = Vec::new();
        for setting in settings {
            match self.write_one(setting) {
                Err(Error::Set { source, .. }) if [EINVAL, EBUSY].contains(&source.code()) => {
                    again.push(setting);
                }
                result => result?,
            }
        }
        again
            .into_iter()
            .try_for_each(|setting| self.write_one(setting))
    }

    fn write_one(&self, setting: &Setting) -> Result<()> {
        let Some(hierarchy) = self.holder(setting) else {
            return Err(missing(setting.property.clone(), setting.controller));
        };
        let source = match hierarchy.write(&setting.file, &setting.value) {
            Ok(()) if setting.file == KERNEL_MEMORY => return kept(hierarchy, setting),
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        let failed = |file: &str, value: &str, source: dhow_sys::Error| Error::Set {
            property: setting.property.as_str().into(),
            file: hierarchy.directory.join(file).into(),
            value: value.into(),
            hint: hint(setting.controller, source.code()),
            source,
        };
        if source.code() != ENOENT {
            return Err(failed(&setting.file, &setting.value, source));
        }
        let source = match &setting.absent {
            IfAbsent::Ignore => return Ok(()),
            IfAbsent::Refuse => source,
            IfAbsent::Instead { file, value } => match hierarchy.write(file, value) {
                Ok(()) => return Ok(()),
                Err(error) if error.code() == ENOENT => error,
                Err(error) => return Err(failed(file, value, error)),
            },
        };
        if hierarchy.open_group().is_err() {
            return Err(failed(&setting.file, &setting.value, source));
        }
        Err(Error::Missing {
            property: setting.property.clone(),
            why: format!(
                "this kernel offers no {} in {}; remove the limit, or use a kernel or block scheduler that has it",
                setting.file,
                hierarchy.directory.display()
            ),
        })
    }

    /// `memory.checkBeforeUpdate`: a limit below the usage would kill something.
    pub(super) fn check_usage(&self, resources: &Resources) -> Result<()> {
        let Some(memory) = &resources.memory else {
            return Ok(());
        };
        let Some(limit) = memory
            .limit
            .and_then(|limit| u64::try_from(limit).ok())
            .filter(|limit| *limit > 0)
        else {
            return Ok(());
        };
        if memory.check_before_update != Some(true) {
            return Ok(());
        }
        let usage = match (self.v1("memory"), self.unified()) {
            (Some(v1), _) => v1.get("memory.usage_in_bytes")?,
            (None, Some(v2)) => v2.get("memory.current")?,
            (None, None) => return Ok(()),
        };
        match usage.trim().parse::<u64>() {
            Ok(usage) if usage > limit => Err(Error::BelowUsage { limit, usage }),
            _ => Ok(()),
        }
    }

    /// Puts the device rules, with the defaults, into force.
    ///
    /// Rootless, a refusal by the kernel is no error, as in runc: without rights on the host no process
    /// can make a device node or open one that its user could not open anyway.
    pub(super) fn apply_devices(&self, configured: &[DeviceRule], fresh: Fresh) -> Result<()> {
        let rules = device_rules(configured);
        let result = match (self.v1("devices"), self.unified()) {
            (Some(v1), _) => {
                let target = Exceptions::of(&rules).map_err(|why| Error::Value {
                    property: "devices".to_owned(),
                    why,
                })?;
                write_exceptions(v1, &target, fresh)
            }
            (None, Some(v2)) => attach(v2, &program::compile(&rules), fresh),
            (None, None) if self.rootless => Ok(()),
            (None, None) => return Err(missing("devices".to_owned(), "devices")),
        };
        match result {
            Err(Error::Devices { source, .. })
                if self.rootless && crate::error::is_permission(&source) =>
            {
                Ok(())
            }
            result => result,
        }
    }
}

/// What a refused value probably means.
fn hint(controller: &str, errno: i32) -> &'static str {
    const EACCES: i32 = 13;
    const ENODEV: i32 = 19;
    const ENXIO: i32 = 6;
    const ERANGE: i32 = 34;
    match (controller, errno) {
        ("memory", EBUSY) => ": the group uses more than that already",
        ("cpuset", EINVAL | EACCES | ERANGE) => ": not among what the parent group has",
        ("cpu", EINVAL) => {
            ": more than the parent group has, or in conflict with quota, period, burst or idle"
        }
        ("io" | "blkio", ENODEV | ENXIO) => ": there is no such block device",
        _ => "",
    }
}

fn write_exceptions(v1: &Hierarchy, target: &Exceptions, fresh: Fresh) -> Result<()> {
    let lines = match fresh {
        Fresh::Yes => target.lines(),
        Fresh::No => {
            let list = v1.get("devices.list")?;
            let now = Exceptions::parse(&list).ok_or_else(|| Error::Understand {
                path: v1.directory.join("devices.list"),
                text: list.clone(),
            })?;
            target.lines_from(&now)
        }
    };
    let failed = |doing, source| Error::Devices {
        doing,
        path: v1.directory.clone(),
        source,
    };
    let open = |file| {
        v1.open(file, OFlags::WRONLY)
            .map_err(|source| failed("open the device rules", source))
    };
    let (mut allow, mut deny): (Option<OwnedFd>, Option<OwnedFd>) = (None, None);
    for line in lines {
        let (file, name) = if line.allow {
            (&mut allow, "devices.allow")
        } else {
            (&mut deny, "devices.deny")
        };
        if file.is_none() {
            *file = Some(open(name)?);
        }
        let Some(file) = file else { continue };
        fd::write_once(file.as_fd(), line.text.as_bytes())
            .map_err(|source| failed("write a device rule", source))?;
    }
    Ok(())
}

/// Attaches the program in the place of ours; programs of others (systemd's) stay beside it, and an
/// access needs the consent of all.
fn attach(v2: &Hierarchy, program: &[bpf::Instruction], fresh: Fresh) -> Result<()> {
    let failed = |doing, source| Error::Devices {
        doing,
        path: v2.directory.clone(),
        source,
    };
    let group = v2
        .open_group()
        .map_err(|source| failed("open the group", source))?;
    let group = group.as_fd();
    let new = bpf::load_device_program(program)
        .map_err(|source| failed("load the device program", source))?;
    let old = match fresh {
        Fresh::Yes => Vec::new(),
        Fresh::No => ours(group).map_err(|source| failed("find the device program", source))?,
    };
    let (replaced, rest) = match old.split_first() {
        Some((first, rest)) => (Some(first.as_fd()), rest),
        None => (None, old.as_slice()),
    };
    bpf::attach_device_program(group, new.as_fd(), replaced)
        .map_err(|source| failed("attach the device program", source))?;
    for old in rest {
        bpf::detach_device_program(group, old.as_fd())
            .map_err(|source| failed("detach a device program", source))?;
    }
    Ok(())
}

/// The programs of this runtime on a group, by the name that they were loaded with.
fn ours(group: BorrowedFd<'_>) -> std::result::Result<Vec<OwnedFd>, dhow_sys::Error> {
    let mut found = Vec::new();
    for number in bpf::attached_device_programs(group)? {
        let program = bpf::open_program(number)?;
        if bpf::program_name(program.as_fd())? == bpf::NAME {
            found.push(program);
        }
    }
    Ok(found)
}
/// Whether the kernel has kept what it took without a word.
fn kept(hierarchy: &Hierarchy, setting: &Setting) -> Result<()> {
    // It keeps whole pages.
    const PAGE: u64 = 1 << 16;
    let number = |text: &str| text.trim().parse::<u64>().ok();
    let now = hierarchy.get(&setting.file)?;
    match (number(&now), number(&setting.value)) {
        (Some(now), Some(wanted)) if now.abs_diff(wanted) >= PAGE => Err(Error::Value {
            property: setting.property.clone(),
            why: "this kernel takes a value and does nothing with it; memory.limit counts kernel memory too".into(),
        }),
        _ => Ok(()),
    }
}

//! Classes of service in the kernel's resctrl filesystem (`filesystems/resctrl.rst`).
//!
//! ```text
//! /sys/fs/resctrl/            the class of everybody
//! ├── CLASS/                  one class: made by us, or by the administrator beforehand
//! │   ├── schemata            what it gets, a line a resource
//! │   ├── tasks               who is in it
//! │   └── mon_groups/ID/      the container counted by itself
//! ```
//!
//! What was made for the container goes with it; a class with a name that was asked for stays.

use super::container::{Container, io};
use crate::error::{At, Error, Result};
use crate::plan::intel_rdt::IntelRdt;
use crate::plan::invalid::Invalid;
use dhow_sys::procfs::Procfs;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The file of the state directory that names the class.
pub const RECORD: &str = "resctrl";

/// A container's class of service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Class {
    /// The class's directory.
    directory: PathBuf,
    /// Whether it was made for the container.
    own: bool,
    /// Whether it has a name that was asked for: then it stays for others.
    named: bool,
    /// Where the container is counted by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    monitor: Option<PathBuf>,
}

/// Makes the class that a plan asks for; `None` when it asks for none.
///
/// # Errors
/// As [`mounted`], [`Class::plan`] and [`Class::make`]; what was made is gone again.
pub fn make(asked: Option<&IntelRdt>, container: &Container) -> Result<Option<Class>> {
    let Some(asked) = asked else {
        return Ok(None);
    };
    let root = mounted(Procfs::host().at("open procfs")?)?;
    let class = Class::plan(&root, asked, &container.id)?;
    class.make(container, asked).inspect_err(|_| class.undo())?;
    Ok(Some(class))
}

/// Where the filesystem is mounted.
///
/// # Errors
/// [`Error::Config`] when it is not.
fn mounted(procfs: &Procfs) -> Result<PathBuf> {
    let table = procfs
        .read_own("mountinfo")
        .at("look for the resctrl filesystem")?;
    let table = String::from_utf8_lossy(&table);
    let of_type = |line: &&str| {
        line.split_once(" - ")
            .is_some_and(|(_, rest)| rest.starts_with("resctrl "))
    };
    let point = table
        .lines()
        .find(of_type)
        .and_then(|line| line.split(' ').nth(4));
    point.map(PathBuf::from).ok_or_else(|| {
        let reason = "no resctrl filesystem is mounted: this processor or kernel has no such control, or \
                      `mount -t resctrl resctrl /sys/fs/resctrl` is missing";
        Error::Config(Invalid::new("linux.intelRdt", reason))
    })
}

impl Class {
    /// The class that a container shall have; nothing is made yet.
    ///
    /// # Errors
    /// [`Error::Config`]: a class that must be there and is not, or is there with other values.
    fn plan(root: &Path, asked: &IntelRdt, id: &str) -> Result<Self> {
        let directory = match asked.class.as_deref() {
            Some("/") => root.to_owned(),
            Some(name) => root.join(name),
            None => root.join(id),
        };
        let there = directory.is_dir();
        if asked.class.is_some() && !there && asked.schemata.is_empty() {
            let reason = format!(
                "{} is not there, and no schemata say what it is",
                directory.display()
            );
            return Err(Error::Config(Invalid::new("linux.intelRdt.closID", reason)));
        }
        let class = Self {
            monitor: asked
                .monitoring
                .then(|| directory.join("mon_groups").join(id)),
            directory,
            own: !there,
            named: asked.class.is_some(),
        };
        if there {
            class.agrees(&asked.schemata)?;
        }
        Ok(class)
    }

    /// Whether a class that others may use is as the container wants it.
    fn agrees(&self, asked: &[String]) -> Result<()> {
        let found = if asked.is_empty() {
            String::new()
        } else {
            self.read("schemata")?
        };
        let found: BTreeMap<_, _> = found.lines().filter_map(values).collect();
        for line in asked {
            let Some((resource, wanted)) = values(line) else {
                continue;
            };
            let has = found.get(resource);
            if !wanted
                .iter()
                .all(|(domain, value)| has.and_then(|has| has.get(domain)) == Some(value))
            {
                let reason = format!(
                    "{} is there already and does not say {line}; name another class, or agree with it",
                    self.directory.display()
                );
                return Err(Error::Config(Invalid::new("linux.intelRdt", reason)));
            }
        }
        Ok(())
    }

    /// Notes the names, then makes the class and the counting that it needs.
    ///
    /// # Errors
    /// The call: ENOSPC when the processor has no class left; what the kernel says of a line.
    fn make(&self, container: &Container, asked: &IntelRdt) -> Result<()> {
        container.put(RECORD, &serde_json::to_vec(self).unwrap_or_default())?;
        if self.own {
            make_directory(&self.directory)?;
            self.set(&asked.schemata)?;
        }
        self.monitor.as_deref().map_or(Ok(()), make_directory)
    }

    /// Writes lines of `schemata`.
    ///
    /// # Errors
    /// What the kernel says of a line.
    pub fn set(&self, lines: &[String]) -> Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let refused = |error| {
            // The kernel's own words are in a file that the next attempt overwrites.
            let root = self.directory.parent().unwrap_or(&self.directory);
            let root = if root.join("info").is_dir() {
                root
            } else {
                &self.directory
            };
            let status = std::fs::read_to_string(root.join("info/last_cmd_status"));
            let said = status.unwrap_or_default();
            Error::Unsupported(format!(
                "set linux.intelRdt: {}: {}",
                io("write", &self.directory.join("schemata"), &error),
                said.trim()
            ))
        };
        std::fs::write(self.directory.join("schemata"), text).map_err(refused)
    }

    /// What `schemata` says of the resources that lines name, to be set again.
    ///
    /// # Errors
    /// The read.
    pub fn now(&self, lines: &[String]) -> Result<Vec<String>> {
        let asked: Vec<_> = lines.iter().filter_map(|line| values(line)).collect();
        let text = self.read("schemata")?;
        let same = |line: &&str| {
            values(line)
                .is_some_and(|(resource, _)| asked.iter().any(|(other, _)| *other == resource))
        };
        Ok(text
            .lines()
            .filter(same)
            .map(|line| line.trim().to_owned())
            .collect())
    }

    /// Puts a process into the class; what it forks is in it too.
    ///
    /// # Errors
    /// The call.
    pub fn add(&self, pid: u32) -> Result<()> {
        // The counting last: it takes only who is in the class.
        for directory in std::iter::once(&self.directory).chain(&self.monitor) {
            let tasks = directory.join("tasks");
            std::fs::write(&tasks, pid.to_string())
                .map_err(|error| io("write", &tasks, &error))
                .at("enter the class of service (linux.intelRdt)")?;
        }
        Ok(())
    }

    /// Takes back what was made for a container that is not born after all.
    pub fn undo(&self) {
        let unnamed = Self {
            named: false,
            ..self.clone()
        };
        let _ = unnamed.remove();
    }

    /// Removes what was made for the container and has no name of its own. The kernel gives whoever is
    /// still in it to the class of everybody.
    ///
    /// # Errors
    /// The call.
    pub fn remove(&self) -> Result<()> {
        let own = (self.own && !self.named).then_some(&self.directory);
        for directory in self.monitor.iter().chain(own) {
            match std::fs::remove_dir(directory) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                removed => removed
                    .map_err(|error| io("rmdir", directory, &error))
                    .at("remove the class of service (linux.intelRdt)")?,
            }
        }
        Ok(())
    }

    fn read(&self, name: &str) -> Result<String> {
        let file = self.directory.join(name);
        std::fs::read_to_string(&file)
            .map_err(|error| io("read", &file, &error))
            .at("read the class of service (linux.intelRdt)")
    }
}

/// The class of a container that has one.
///
/// # Errors
/// The read.
pub fn recorded(container: &Container) -> Result<Option<Class>> {
    let text = container.read(RECORD)?;
    Ok(text.and_then(|text| serde_json::from_slice(&text).ok()))
}

fn make_directory(path: &Path) -> Result<()> {
    match std::fs::create_dir(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        made => made
            .map_err(|error| io("mkdir", path, &error))
            .at("make the class of service (linux.intelRdt)"),
    }
}

/// A line of `schemata` as its resource and the value of each domain. Masks are compared as numbers.
fn values(line: &str) -> Option<(&str, BTreeMap<u32, String>)> {
    let (resource, rest) = line.trim().split_once(':')?;
    let entries = rest.split(';').filter_map(|entry| {
        let (domain, value) = entry.split_once('=')?;
        let value = value.trim().to_lowercase();
        let digits = value.trim_start_matches('0');
        let value = if digits.is_empty() { "0" } else { digits };
        Some((domain.trim().parse().ok()?, value.to_owned()))
    });
    Some((resource, entries.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stands in for the filesystem: this shows what is written where, not what a processor does.
    struct Root(PathBuf);

    impl Root {
        fn new(name: &str) -> Self {
            let path =
                std::env::temp_dir().join(format!("dhow-resctrl-{name}-{}", std::process::id()));
            std::fs::create_dir_all(path.join("fast/mon_groups")).expect("make directories");
            std::fs::write(
                path.join("fast/schemata"),
                "    MB:0=100;1=100\n    L3:0=00f;1=fff\n",
            )
            .expect("write");
            Self(path)
        }
    }

    impl Drop for Root {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn asked(class: Option<&str>, schemata: &[&str]) -> IntelRdt {
        IntelRdt {
            class: class.map(str::to_owned),
            schemata: schemata.iter().map(|line| (*line).to_owned()).collect(),
            monitoring: false,
        }
    }

    #[test]
    fn a_class_of_its_own_is_made_and_removed() {
        let root = Root::new("own");
        let class = Class::plan(&root.0, &asked(None, &["L3:0=f"]), "web").expect("planned");
        assert!(class.own);
        make_directory(&class.directory).expect("made");
        class.set(&["L3:0=f".into()]).expect("written");
        class.add(7).expect("entered");
        let read =
            |name: &str| std::fs::read_to_string(root.0.join("web").join(name)).expect("read");
        assert_eq!(
            (read("schemata").as_str(), read("tasks").as_str()),
            ("L3:0=f\n", "7")
        );
        for name in ["schemata", "tasks"] {
            std::fs::remove_file(root.0.join("web").join(name))
                .expect("the kernel's own files go by themselves");
        }
        class.remove().expect("removed");
        assert!(!root.0.join("web").exists());
        class.remove().expect("twice is the same");
    }

    #[test]
    fn a_class_of_others_is_used_as_it_is_and_stays() {
        let root = Root::new("shared");
        for lines in [&[][..], &["L3:0=f"], &["MB:1=100", "L3:1=fff"]] {
            let class =
                Class::plan(&root.0, &asked(Some("fast"), lines), "web").expect("it agrees");
            assert!(!class.own);
            class.remove().expect("nothing to remove");
        }
        assert!(root.0.join("fast").is_dir());
        assert_eq!(
            Class::plan(&root.0, &asked(Some("/"), &[]), "web")
                .expect("planned")
                .directory,
            root.0
        );
    }

    #[test]
    fn a_class_that_is_otherwise_or_not_there_is_refused() {
        let root = Root::new("refused");
        let other = Class::plan(&root.0, &asked(Some("fast"), &["L3:0=ff"]), "web");
        assert!(
            other
                .expect_err("other values")
                .to_string()
                .contains("does not say L3:0=ff")
        );
        let absent = Class::plan(&root.0, &asked(Some("slow"), &[]), "web");
        assert!(
            absent
                .expect_err("absent")
                .to_string()
                .contains("linux.intelRdt.closID")
        );
    }

    #[test]
    fn a_class_with_a_name_stays_unless_the_container_is_not_born() {
        let root = Root::new("named");
        let class = Class::plan(&root.0, &asked(Some("new"), &["L3:0=f"]), "web").expect("planned");
        for stays in [true, false] {
            make_directory(&class.directory).expect("made");
            if stays {
                class.remove().expect("nothing to remove");
            } else {
                class.undo();
            }
            assert_eq!(root.0.join("new").is_dir(), stays);
        }
    }

    #[test]
    fn a_container_is_counted_by_itself() {
        let root = Root::new("counted");
        let counted = IntelRdt {
            monitoring: true,
            ..asked(Some("fast"), &[])
        };
        let class = Class::plan(&root.0, &counted, "web").expect("planned");
        let monitor = root.0.join("fast/mon_groups/web");
        assert_eq!(class.monitor.as_ref(), Some(&monitor));
        make_directory(&monitor).expect("made");
        class.add(9).expect("entered");
        for tasks in [root.0.join("fast/tasks"), monitor.join("tasks")] {
            assert_eq!(std::fs::read_to_string(tasks).expect("read"), "9");
        }
        std::fs::remove_file(monitor.join("tasks")).expect("the kernel's own file");
        class.remove().expect("removed");
        assert!(!monitor.exists() && root.0.join("fast").is_dir());
        // No room for another is an error.
        std::fs::remove_dir_all(root.0.join("fast/mon_groups")).expect("no room");
        assert!(make_directory(&monitor).is_err());
    }

    #[test]
    fn the_values_before_can_be_set_again() {
        let root = Root::new("before");
        let class = Class::plan(&root.0, &asked(Some("fast"), &[]), "web").expect("planned");
        let before = class.now(&["L3:0=1".into()]).expect("read");
        assert_eq!(before, ["L3:0=00f;1=fff"]);
    }
}

//! Changing the limits of a living group: all of an update, or nothing of it.

use super::group::Group;
use super::hierarchy::ENOENT;
use super::settings::{IfAbsent, Setting};
use super::write::Fresh;
use crate::change::Change;
use crate::resources::Resources;
use crate::{Error, Result};

impl Group {
    /// Changes limits: `recorded` is what was asked for until now, `update` what shall change. Returns what
    /// is asked for from now on, to be recorded.
    ///
    /// Everything that can be known without the kernel is checked before anything is written; where the
    /// kernel refuses a value, those that were written before it are put back.
    ///
    /// # Errors
    /// InvalidInput and Unsupported by property; Kernel when a value is refused; Internal when after that
    /// an earlier value could not be put back.
    pub fn update(&self, recorded: &Resources, update: &Resources) -> Result<Resources> {
        refuse_kernel_memory(update)?;
        let Change { merged, effective } = Change::of(recorded, update);
        for resources in [update, &merged] {
            resources
                .check()
                .map_err(|(property, why)| Error::Value { property, why })?;
        }
        let settings = self.settings(&effective)?;
        self.check_usage(&effective)?;
        let earlier = self.earlier(&settings);
        let Err(error) = self.put(&effective, &settings) else {
            return Ok(merged);
        };
        match self.put_back(&earlier, recorded, &effective) {
            Ok(()) => Err(error),
            Err(second) => Err(Error::NotPutBack {
                error: Box::new(error),
                second: Box::new(second),
            }),
        }
    }

    fn put(&self, resources: &Resources, settings: &[Setting]) -> Result<()> {
        if let Some(unit) = &self.unit {
            unit.set(settings)?;
        }
        self.write_all(settings)?;
        if resources.devices.is_empty() {
            return Ok(());
        }
        self.apply_devices(&resources.devices, Fresh::No)
    }

    fn put_back(
        &self,
        earlier: &[Setting],
        recorded: &Resources,
        effective: &Resources,
    ) -> Result<()> {
        if let Some(unit) = &self.unit {
            unit.set(earlier)?;
        }
        // The one that was refused, and those after it, stand as they stood.
        let changed: Vec<Setting> = earlier
            .iter()
            .rev()
            .filter(|setting| self.now(setting).as_deref() != Some(setting.value.as_str()))
            .cloned()
            .collect();
        self.write_all(&changed)?;
        if effective.devices.is_empty() {
            return Ok(());
        }
        self.apply_devices(&recorded.devices, Fresh::No)
    }

    /// The values that stand where these settings go.
    fn earlier(&self, settings: &[Setting]) -> Vec<Setting> {
        let standing = settings.iter().filter_map(|setting| {
            let mut earlier = setting.clone();
            if let IfAbsent::Instead { file, value } = &setting.absent
                && let Err(error) = self.holder(setting)?.read(&setting.file)
                && error.code() == ENOENT
            {
                earlier.file = (*file).to_owned();
                earlier.value.clone_from(value);
            }
            earlier.absent = IfAbsent::Refuse;
            earlier.value = self.now(&earlier)?;
            Some(earlier)
        });
        standing.collect()
    }

    /// What stands in a setting's place now, in the form in which it is written.
    fn now(&self, setting: &Setting) -> Option<String> {
        let text = self.holder(setting)?.read(&setting.file).ok()?;
        Some(standing(setting, &text))
    }
}

/// The kernel has no such limits any more, or never reaches them (Documentation/admin-guide/cgroup-v1).
fn refuse_kernel_memory(update: &Resources) -> Result<()> {
    let memory = update.memory.as_ref();
    let sizes = [
        ("memory.kernel", memory.and_then(|memory| memory.kernel)),
        (
            "memory.kernelTCP",
            memory.and_then(|memory| memory.kernel_tcp),
        ),
    ];
    match sizes
        .iter()
        .find(|(_, size)| size.is_some_and(|size| size > 0))
    {
        None => Ok(()),
        Some((property, _)) => Err(Error::Value {
            property: (*property).to_owned(),
            why: "the kernel limits this memory only together with all other; use memory.limit"
                .into(),
        }),
    }
}

/// The value of a control file as it would be written: of a list by device or name the entry in question,
/// or the entry that takes its limit away; else the whole.
fn standing(setting: &Setting, text: &str) -> String {
    if setting.file == "memory.oom_control" {
        let line = text.lines().next().unwrap_or_default();
        return line.split_whitespace().last().unwrap_or("0").to_owned();
    }
    let by_key = ["blkio", "io", "rdma", "net_prio"].contains(&setting.controller);
    match setting.value.split_once(' ') {
        Some((key, _)) if by_key => {
            let mut lines = text.lines();
            let line = lines.find(|line| line.split_whitespace().next() == Some(key));
            line.map_or_else(|| unlimited(&setting.file, key), str::to_owned)
        }
        // An empty write never reaches the kernel.
        _ if text.trim().is_empty() => "\n".to_owned(),
        _ => {
            // `default 100` beside weights by device.
            let line = text.lines().next().unwrap_or_default();
            line.trim_start_matches("default ").trim().to_owned()
        }
    }
}

fn unlimited(file: &str, key: &str) -> String {
    let value = match file {
        "io.max" => "rbps=max wbps=max riops=max wiops=max",
        "rdma.max" => "hca_handle=max hca_object=max",
        file if file.contains("bfq") || file == "io.weight" => "default",
        _ => "0",
    };
    format!("{key} {value}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linux::layout::Version;
    use crate::linux::settings::settings;

    /// What stands in the file of the one setting of these resources.
    fn before(json: &str, version: Version, text: &str) -> String {
        let resources: Resources = serde_json::from_str(json).unwrap();
        let list = settings(&resources, &|name: &str| {
            (name != "io" || version == Version::V2).then_some(version)
        })
        .unwrap();
        standing(&list[0], text)
    }

    #[test]
    fn files_are_read_as_they_are_written() {
        let memory = r#"{"memory":{"limit":5}}"#;
        assert_eq!(before(memory, Version::V2, "max\n"), "max");
        let cpu = r#"{"cpu":{"quota":5000,"period":10000}}"#;
        assert_eq!(before(cpu, Version::V2, "max 100000\n"), "max 100000");
        let cpus = r#"{"cpu":{"cpus":"0"}}"#;
        assert_eq!(before(cpus, Version::V2, "\n"), "\n");
        let oom = r#"{"memory":{"disableOOMKiller":true}}"#;
        assert_eq!(
            before(
                oom,
                Version::V1,
                "oom_kill_disable 0\nunder_oom 1\noom_kill 3\n"
            ),
            "0"
        );
    }

    #[test]
    fn of_a_list_the_entry_counts() {
        let read = r#"{"blockIO":{"throttleReadBpsDevice":[{"major":8,"minor":0,"rate":600}]}}"#;
        let text = "8:16 7\n8:0 5\n";
        assert_eq!(before(read, Version::V1, text), "8:0 5");
        assert_eq!(before(read, Version::V1, ""), "8:0 0");
        let all = "8:0 rbps=max wbps=max riops=max wiops=max";
        assert_eq!(before(read, Version::V2, ""), all);
        let weight = r#"{"blockIO":{"weight":500}}"#;
        assert_eq!(before(weight, Version::V2, "default 100\n8:0 7\n"), "100");
    }

    #[test]
    fn kernel_memory_is_refused_by_name() {
        for (json, property) in [
            (r#"{"memory":{"kernel":5}}"#, "memory.kernel:"),
            (r#"{"memory":{"kernelTCP":5}}"#, "memory.kernelTCP:"),
        ] {
            let resources = serde_json::from_str(json).unwrap();
            let text = refuse_kernel_memory(&resources)
                .expect_err(json)
                .to_string();
            assert!(text.contains(property), "{text}");
        }
        let none = serde_json::from_str(r#"{"memory":{"kernel":0,"kernelTCP":-1}}"#).unwrap();
        assert!(refuse_kernel_memory(&none).is_ok());
    }
}

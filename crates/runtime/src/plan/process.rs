//! The container's process, every value resolved to what the kernel takes.

use super::invalid::Invalid;
use crate::spec;
use dhow_sys::capability;
use serde::Serialize;

/// Five capability sets as bit masks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Capabilities {
    /// Bounding set.
    pub bounding: u64,
    /// Effective set.
    pub effective: u64,
    /// Permitted set.
    pub permitted: u64,
    /// Inheritable set.
    pub inheritable: u64,
    /// Ambient set.
    pub ambient: u64,
}

/// Scheduling policy with the kernel's numbers.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Scheduler {
    /// `SCHED_…`.
    pub policy: u32,
    /// `SCHED_FLAG_…` bits.
    pub flags: u64,
    /// Nice value.
    pub nice: i32,
    /// Static priority.
    pub priority: u32,
    /// Nanoseconds.
    pub runtime: u64,
    /// Nanoseconds.
    pub deadline: u64,
    /// Nanoseconds.
    pub period: u64,
}

/// The process as it shall run.
#[derive(Debug, Clone, Serialize)]
pub struct Process {
    /// The program and its arguments; at least one.
    pub args: Vec<String>,
    /// The environment without duplicates, the last one counting.
    pub env: Vec<String>,
    /// Working directory.
    pub cwd: String,
    /// Whether it gets a terminal.
    pub terminal: bool,
    /// Columns and rows.
    pub console_size: Option<(u16, u16)>,
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Supplementary groups, the primary one among them.
    pub groups: Vec<u32>,
    /// File mode creation mask.
    pub umask: Option<u32>,
    /// Capability sets; `None` keeps what the namespace gives.
    pub capabilities: Option<Capabilities>,
    /// (resource number, soft, hard).
    pub rlimits: Vec<(u32, u64, u64)>,
    /// Whether `no_new_privs` is set.
    pub no_new_privileges: bool,
    /// Adjustment of the out-of-memory badness.
    pub oom_score_adj: Option<i32>,
    /// Scheduling policy.
    pub scheduler: Option<Scheduler>,
    /// (class, level).
    pub io_priority: Option<(u32, u32)>,
    /// CPUs before and after joining the cgroup.
    pub affinity: (Vec<u32>, Vec<u32>),
    /// AppArmor profile.
    pub apparmor: Option<String>,
    /// SELinux label.
    pub selinux: Option<String>,
}

/// The names of `rlimits`; the index is the kernel's number on all architectures that we build for.
const RLIMITS: [&str; 16] = [
    "CPU",
    "FSIZE",
    "DATA",
    "STACK",
    "CORE",
    "RSS",
    "NPROC",
    "NOFILE",
    "MEMLOCK",
    "AS",
    "LOCKS",
    "SIGPENDING",
    "MSGQUEUE",
    "NICE",
    "RTPRIO",
    "RTTIME",
];

const POLICIES: [(&str, u32); 7] = [
    ("SCHED_OTHER", 0),
    ("SCHED_FIFO", 1),
    ("SCHED_RR", 2),
    ("SCHED_BATCH", 3),
    ("SCHED_ISO", 4),
    ("SCHED_IDLE", 5),
    ("SCHED_DEADLINE", 6),
];

const FLAGS: [(&str, u64); 7] = [
    ("SCHED_FLAG_RESET_ON_FORK", 0x01),
    ("SCHED_FLAG_RECLAIM", 0x02),
    ("SCHED_FLAG_DL_OVERRUN", 0x04),
    ("SCHED_FLAG_KEEP_POLICY", 0x08),
    ("SCHED_FLAG_KEEP_PARAMS", 0x10),
    ("SCHED_FLAG_UTIL_CLAMP_MIN", 0x20),
    ("SCHED_FLAG_UTIL_CLAMP_MAX", 0x40),
];

/// The name of a limit, without `RLIMIT_`.
#[must_use]
pub fn limit_name(number: u32) -> &'static str {
    RLIMITS.get(number as usize).copied().unwrap_or("?")
}

impl Process {
    /// Reads `process`; names that this version does not know but may ignore go to `warnings`.
    ///
    /// # Errors
    /// [`Invalid`] with the path below `process`.
    pub fn parse(process: &spec::Process, warnings: &mut Vec<String>) -> Result<Self, Invalid> {
        strings(process)?;
        let console_size = process.console_size.filter(|_| process.terminal);
        Ok(Self {
            args: process.args.clone(),
            env: last_of_each(&process.env),
            cwd: process.cwd.clone(),
            terminal: process.terminal,
            console_size: console_size.map(|size| (size.width, size.height)),
            uid: user_id(process.user.uid, "process.user.uid")?,
            gid: user_id(process.user.gid, "process.user.gid")?,
            groups: groups(&process.user)?,
            umask: umask(process.user.umask)?,
            capabilities: process
                .capabilities
                .as_ref()
                .map(|sets| capability_sets(sets, warnings)),
            rlimits: rlimits(&process.rlimits)?,
            no_new_privileges: process.no_new_privileges,
            oom_score_adj: oom(process.oom_score_adj)?,
            scheduler: process.scheduler.as_ref().map(scheduler).transpose()?,
            io_priority: process.io_priority.as_ref().map(io_priority).transpose()?,
            affinity: affinity(process.exec_cpu_affinity.as_ref())?,
            apparmor: process
                .apparmor_profile
                .clone()
                .filter(|profile| !profile.is_empty()),
            selinux: process
                .selinux_label
                .clone()
                .filter(|label| !label.is_empty()),
        })
    }
}

impl Process {
    /// Notes the capabilities that are asked for and that the caller does not hold, so that the program
    /// cannot get them (config.md, Linux Process).
    pub fn warn_of_missing(&self, held: u64, warnings: &mut Vec<String>) {
        let Some(sets) = self.capabilities else {
            return;
        };
        // The bounding set gives nothing.
        let wanted = sets.effective | sets.permitted | sets.inheritable | sets.ambient;
        let missing: Vec<String> = capability::names(wanted & !held).collect();
        if !missing.is_empty() {
            warnings.push(format!(
                "process.capabilities: this process does not hold {}; left out",
                missing.join(", ")
            ));
        }
    }
}

fn strings(process: &spec::Process) -> Result<(), Invalid> {
    if process.args.is_empty() {
        return Err(Invalid::new(
            "process.args",
            "must name at least the program to run",
        ));
    }
    if process.args[0].is_empty() {
        return Err(Invalid::new("process.args[0]", "is empty"));
    }
    if !process.cwd.starts_with('/') {
        return Err(Invalid::new(
            "process.cwd",
            format!("{:?} is not an absolute path", process.cwd),
        ));
    }
    let lists = [("args", &process.args), ("env", &process.env)];
    for (field, list) in lists {
        if let Some(index) = list.iter().position(|text| text.contains('\0')) {
            return Err(Invalid::new(
                format!("process.{field}[{index}]"),
                "holds a NUL byte",
            ));
        }
    }
    if process.cwd.contains('\0') {
        return Err(Invalid::new("process.cwd", "holds a NUL byte"));
    }
    Ok(())
}

/// Of several entries with one name the last one stays, in its place, as a shell would export it.
fn last_of_each(env: &[String]) -> Vec<String> {
    let name = |entry: &str| entry.split('=').next().unwrap_or_default().to_owned();
    let mut seen = std::collections::BTreeSet::new();
    let mut kept: Vec<String> = env
        .iter()
        .rev()
        .filter(|entry| seen.insert(name(entry)))
        .cloned()
        .collect();
    kept.reverse();
    kept
}

fn user_id(id: u32, path: &str) -> Result<u32, Invalid> {
    if id == u32::MAX {
        return Err(Invalid::new(path, "4294967295 means no id to the kernel"));
    }
    Ok(id)
}

fn groups(user: &spec::process::User) -> Result<Vec<u32>, Invalid> {
    let mut groups = vec![user.gid];
    for (index, &gid) in user.additional_gids.iter().enumerate() {
        user_id(gid, &format!("process.user.additionalGids[{index}]"))?;
        if !groups.contains(&gid) {
            groups.push(gid);
        }
    }
    Ok(groups)
}

fn umask(mask: Option<u32>) -> Result<Option<u32>, Invalid> {
    match mask {
        Some(mask) if mask > 0o777 => Err(Invalid::new(
            "process.user.umask",
            format!("{mask} is more than 511 (octal 777)"),
        )),
        mask => Ok(mask),
    }
}

fn oom(adjustment: Option<i32>) -> Result<Option<i32>, Invalid> {
    match adjustment {
        Some(value) if !(-1000..=1000).contains(&value) => Err(Invalid::new(
            "process.oomScoreAdj",
            format!("{value} is not between -1000 and 1000"),
        )),
        value => Ok(value),
    }
}

fn capability_sets(sets: &spec::process::Capabilities, warnings: &mut Vec<String>) -> Capabilities {
    let mut mask = |set: &str, names: &[String]| {
        names
            .iter()
            .fold(0u64, |mask, name| match capability::number(name) {
                Some(number) => mask | (1 << number),
                None => {
                    warnings.push(format!(
                        "process.capabilities.{set}: unknown capability {name:?} is left out"
                    ));
                    mask
                }
            })
    };
    Capabilities {
        bounding: mask("bounding", &sets.bounding),
        effective: mask("effective", &sets.effective),
        permitted: mask("permitted", &sets.permitted),
        inheritable: mask("inheritable", &sets.inheritable),
        ambient: mask("ambient", &sets.ambient),
    }
}

fn rlimits(list: &[spec::process::Rlimit]) -> Result<Vec<(u32, u64, u64)>, Invalid> {
    let mut limits: Vec<(u32, u64, u64)> = Vec::with_capacity(list.len());
    for (index, limit) in list.iter().enumerate() {
        let at = |field: &str| format!("process.rlimits[{index}].{field}");
        let bare = limit.kind.strip_prefix("RLIMIT_").unwrap_or("");
        let number = RLIMITS
            .iter()
            .position(|name| *name == bare)
            .and_then(|n| u32::try_from(n).ok());
        let number = number
            .ok_or_else(|| Invalid::new(at("type"), format!("unknown limit {:?}", limit.kind)))?;
        if limits.iter().any(|(known, ..)| *known == number) {
            return Err(Invalid::new(
                at("type"),
                format!("{} is given twice", limit.kind),
            ));
        }
        if limit.soft > limit.hard {
            return Err(Invalid::new(
                at("soft"),
                format!("{} is more than the hard limit {}", limit.soft, limit.hard),
            ));
        }
        limits.push((number, limit.soft, limit.hard));
    }
    Ok(limits)
}

fn scheduler(scheduler: &spec::process::Scheduler) -> Result<Scheduler, Invalid> {
    let policy = POLICIES
        .iter()
        .find(|(name, _)| *name == scheduler.policy)
        .map(|(_, number)| *number);
    let policy = policy.ok_or_else(|| {
        Invalid::new(
            "process.scheduler.policy",
            format!("unknown policy {:?}", scheduler.policy),
        )
    })?;
    let mut flags = 0;
    for (index, flag) in scheduler.flags.iter().enumerate() {
        let bit = FLAGS
            .iter()
            .find(|(name, _)| name == flag)
            .map(|(_, bit)| *bit);
        flags |= bit.ok_or_else(|| {
            Invalid::new(
                format!("process.scheduler.flags[{index}]"),
                format!("unknown flag {flag:?}"),
            )
        })?;
    }
    if policy != 6 && (scheduler.runtime | scheduler.deadline | scheduler.period) != 0 {
        return Err(Invalid::new(
            "process.scheduler.runtime",
            "is for SCHED_DEADLINE only",
        ));
    }
    let priority = u32::try_from(scheduler.priority)
        .map_err(|_| Invalid::new("process.scheduler.priority", "must not be negative"))?;
    Ok(Scheduler {
        policy,
        flags,
        nice: scheduler.nice,
        priority,
        runtime: scheduler.runtime,
        deadline: scheduler.deadline,
        period: scheduler.period,
    })
}

fn io_priority(priority: &spec::process::IoPriority) -> Result<(u32, u32), Invalid> {
    let class = match priority.class.as_str() {
        "IOPRIO_CLASS_RT" => 1,
        "IOPRIO_CLASS_BE" => 2,
        "IOPRIO_CLASS_IDLE" => 3,
        other => {
            return Err(Invalid::new(
                "process.ioPriority.class",
                format!("unknown class {other:?}"),
            ));
        }
    };
    if priority.priority > 7 {
        return Err(Invalid::new(
            "process.ioPriority.priority",
            "must be 0 to 7",
        ));
    }
    Ok((class, priority.priority))
}

fn affinity(
    affinity: Option<&spec::process::ExecCpuAffinity>,
) -> Result<(Vec<u32>, Vec<u32>), Invalid> {
    let Some(affinity) = affinity else {
        return Ok((Vec::new(), Vec::new()));
    };
    let list = |text: &str, field: &str| {
        number_list(text).ok_or_else(|| {
            Invalid::new(
                format!("process.execCPUAffinity.{field}"),
                format!("{text:?} is no list such as 0-3,7"),
            )
        })
    };
    Ok((
        list(&affinity.initial, "initial")?,
        list(&affinity.last, "final")?,
    ))
}

/// Reads a list such as `0-3,7` as a set, in ascending order; an empty text is an empty list.
///
/// The characters are those of the published schema: digits, commas, hyphens and spaces.
#[must_use]
pub fn number_list(text: &str) -> Option<Vec<u32>> {
    /// One more than the highest processor that a kernel can be built for.
    const END: usize = 8192;
    /// More than it takes to name each of them.
    const LONGEST: usize = 1 << 16;
    if text.len() > LONGEST {
        return None;
    }
    let mut named = vec![false; END];
    for part in text.split(',').map(|part| part.trim_matches(' ')) {
        if part.is_empty() {
            continue;
        }
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (digits(first)?, digits(last)?);
        if first > last {
            return None;
        }
        named.get_mut(first..=last)?.fill(true);
    }
    let numbers = named.iter().zip(0..).filter(|(named, _)| **named);
    Some(numbers.map(|(_, number)| number).collect())
}

/// A number without a sign, below 2^32 on every system.
fn digits(text: &str) -> Option<usize> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = plain.then(|| text.parse::<u32>().ok()).flatten()?;
    usize::try_from(number).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_duplicates_the_last_stays() {
        let env = ["A=1", "B=2", "A=3"].map(String::from);
        assert_eq!(last_of_each(&env), ["B=2", "A=3"]);
    }

    #[test]
    fn lists_of_numbers() {
        assert_eq!(number_list("0-2,7"), Some(vec![0, 1, 2, 7]));
        assert_eq!(number_list(""), Some(vec![]));
        assert_eq!(number_list("3-1"), None);
        assert_eq!(number_list("0-99999999"), None);
        assert_eq!(number_list("5, 1-2,,1"), Some(vec![1, 2, 5]));
        for text in ["+3", "\t3", "1-", "-1", "1 - 2", "2-1", "3-1", "1-2-3"] {
            assert_eq!(number_list(text), None, "{text:?}");
        }
    }

    /// 14 KiB that were 64 MiB of numbers.
    #[test]
    fn a_list_that_says_the_same_again_and_again_stays_small() {
        let numbers = number_list(&"0-8191,".repeat(2048)).expect("a list");
        assert!(numbers.len() == 8192 && numbers.capacity() <= 1 << 14);
        assert_eq!(number_list(&"0,".repeat(1 << 16)), None);
    }

    #[test]
    fn unknown_capabilities_are_a_warning() {
        let sets = spec::process::Capabilities {
            bounding: vec!["CAP_NEW".into(), "CAP_CHOWN".into()],
            ..Default::default()
        };
        let mut warnings = Vec::new();
        assert_eq!(capability_sets(&sets, &mut warnings).bounding, 1);
        assert!(warnings[0].contains("CAP_NEW"), "{warnings:?}");
    }
}

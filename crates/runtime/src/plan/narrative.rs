//! A plan told in sentences: what will be done, in the order of the birth, and why.
//!
//! The same list serves `dhow-runtime plan` and `dhow run --explain`, so an explanation cannot
//! say anything that the plan does not hold.

use super::mounts::{Mount, Source};
use super::namespaces::Kind;
use super::{Plan, sysctl};
use dhow_sys::capability;
use serde::Serialize;

/// One thing that will be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// The label under which an error would report it.
    pub step: &'static str,
    /// What is done.
    pub what: String,
    /// Why.
    pub why: &'static str,
    /// Where to read more.
    pub source: &'static str,
}

fn step(
    step: &'static str,
    what: impl Into<String>,
    why: &'static str,
    source: &'static str,
) -> Step {
    Step {
        step,
        what: what.into(),
        why,
        source,
    }
}

/// Tells the plan.
#[must_use]
pub fn tell(plan: &Plan) -> Vec<Step> {
    let mut steps = Vec::new();
    limits(plan, &mut steps);
    namespaces(plan, &mut steps);
    network(plan, &mut steps);
    filesystem(plan, &mut steps);
    identity(plan, &mut steps);
    steps
}

fn limits(plan: &Plan, steps: &mut Vec<Step>) {
    let place = plan
        .cgroups_path
        .as_deref()
        .unwrap_or("a group of its own below ours");
    steps.push(step(
        "create the cgroup",
        format!("cgroup {place}{}", limit_words(plan)),
        "the kernel counts and limits what all its processes use together, and can end them all at once",
        "cgroups(7)",
    ));
}

fn limit_words(plan: &Plan) -> String {
    let resources = &plan.resources;
    let mut words = Vec::new();
    if let Some(limit) = resources
        .memory
        .as_ref()
        .and_then(|memory| memory.limit)
        .filter(|limit| *limit > 0)
    {
        words.push(format!("memory {} MiB", limit / (1 << 20)));
    }
    if let Some(cpu) = &resources.cpu
        && let (Some(quota), Some(period)) = (cpu.quota, cpu.period)
        && quota > 0
        && period > 0
    {
        words.push(format!(
            "cpu {} % of one processor",
            i128::from(quota) * 100 / i128::from(period)
        ));
    }
    if let Some(limit) = resources.pids.as_ref().map(|pids| pids.limit) {
        words.push(
            format!("processes {limit:?}")
                .replace("Some(", "")
                .replace(')', ""),
        );
    }
    if words.is_empty() {
        String::new()
    } else {
        format!(": {}", words.join(", "))
    }
}

fn namespaces(plan: &Plan, steps: &mut Vec<Step>) {
    for kind in &plan.namespaces.new {
        let (why, source) = reason(*kind);
        steps.push(step(
            "clone the container's process",
            format!("new {} namespace", kind.word()),
            why,
            source,
        ));
    }
    for (kind, path) in &plan.namespaces.join {
        let (why, source) = reason(*kind);
        steps.push(step(
            "join namespaces",
            format!("{} namespace of {path}", kind.word()),
            why,
            source,
        ));
    }
    for (word, list) in [("user", &plan.uid_mappings), ("group", &plan.gid_mappings)] {
        for map in list {
            let what = format!(
                "{word} ids {}..{} inside are {}..{} outside",
                map.container_id,
                u64::from(map.container_id) + u64::from(map.size) - 1,
                map.host_id,
                u64::from(map.host_id) + u64::from(map.size) - 1,
            );
            steps.push(step(
                "write the id maps",
                what,
                "root inside is nobody special outside: what escapes has no rights",
                "user_namespaces(7)",
            ));
        }
    }
    if let Some(name) = &plan.hostname {
        steps.push(step(
            "set the host name",
            format!("host name {name}"),
            "seen inside only",
            "uts_namespaces(7)",
        ));
    }
}

fn reason(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::User => (
            "capabilities inside count for nothing outside",
            "user_namespaces(7)",
        ),
        Kind::Mount => (
            "mounts made inside are not seen outside, nor the other way round",
            "mount_namespaces(7)",
        ),
        Kind::Uts => ("it may have a host name of its own", "uts_namespaces(7)"),
        Kind::Ipc => (
            "shared memory and message queues of others are out of reach",
            "ipc_namespaces(7)",
        ),
        Kind::Network => (
            "it has interfaces, addresses and ports of its own",
            "network_namespaces(7)",
        ),
        Kind::Pid => (
            "it sees only its own processes, the first of them as number 1",
            "pid_namespaces(7)",
        ),
        Kind::Cgroup => (
            "its own cgroup looks like the root of the tree",
            "cgroup_namespaces(7)",
        ),
        Kind::Time => (
            "its monotonic clock can start elsewhere",
            "time_namespaces(7)",
        ),
    }
}

fn network(plan: &Plan, steps: &mut Vec<Step>) {
    for device in &plan.net_devices {
        steps.push(step(
            "move network devices",
            format!("{} of the host becomes {} inside", device.host, device.name),
            "asked for; its addresses go with it, and the host has it no longer",
            "runtime-spec config-linux.md \"Network Devices\"",
        ));
    }
}

fn filesystem(plan: &Plan, steps: &mut Vec<Step>) {
    let writable = if plan.root.readonly {
        "read-only"
    } else {
        "writable"
    };
    steps.push(step(
        "mount the root filesystem",
        format!("root filesystem {} ({writable})", plan.root.path),
        "everything else of the host's tree disappears when this becomes /",
        "pivot_root(2)",
    ));
    for mount in &plan.mounts {
        steps.push(step(
            "mount filesystems",
            mount_words(mount),
            mount_reason(mount),
            "mount_setattr(2), fsopen(2)",
        ));
    }
    if plan.fill_dev {
        steps.push(step(
            "make device nodes",
            format!("{} devices in /dev", plan.devices.len()),
            "programs expect null, zero, random and a terminal; no disk of the host is among them",
            "mknod(2), runtime-spec config-linux.md \"Default Devices\"",
        ));
    }
    if !plan.masked_paths.is_empty() {
        let what = format!("hide {}", list(&plan.masked_paths));
        steps.push(step(
            "mask paths",
            what,
            "these files tell or change things of the whole host",
            "runtime-spec config-linux.md \"Masked Paths\"",
        ));
    }
    if !plan.readonly_paths.is_empty() {
        let what = format!("make read-only {}", list(&plan.readonly_paths));
        steps.push(step(
            "make paths read-only",
            what,
            "reading is useful, writing would change the host",
            "runtime-spec config-linux.md \"Readonly Paths\"",
        ));
    }
    for sysctl::Parameter { key, value, .. } in &plan.sysctl {
        steps.push(step(
            "set kernel parameters",
            format!("{key} = {value}"),
            "asked for; held by a namespace of the container",
            "sysctl(8)",
        ));
    }
}

fn list(paths: &[String]) -> String {
    match paths {
        [] | [_] | [_, _] | [_, _, _] => paths.join(", "),
        [first, second, rest @ ..] => format!("{first}, {second} and {} more", rest.len()),
    }
}

fn mount_words(mount: &Mount) -> String {
    let readonly = mount.attributes.set & 1 != 0;
    let suffix = if readonly { ", read-only" } else { "" };
    match &mount.source {
        Source::Bind { path, .. } => {
            format!("{} shows {path} of the host{suffix}", mount.destination)
        }
        Source::Filesystem { kind, .. } => format!("{kind} at {}{suffix}", mount.destination),
        Source::Cgroup => format!("cgroups at {}{suffix}", mount.destination),
        Source::Remount => format!(
            "{}: other options for what is mounted there",
            mount.destination
        ),
    }
}

fn mount_reason(mount: &Mount) -> &'static str {
    match &mount.source {
        Source::Bind { .. } => "asked for; the same files, seen from inside",
        Source::Cgroup => "it can read its own limits and use",
        Source::Remount => "asked for",
        Source::Filesystem { kind, .. } => match kind.as_str() {
            "proc" => "programs read about themselves here; only this container's processes show",
            "sysfs" => "programs read about the machine here",
            "tmpfs" => "scratch space in memory, gone with the container",
            "devpts" => "terminals of its own, numbers of others are out of reach",
            "mqueue" => "POSIX message queues of its own",
            "overlay" => {
                "the image's layers below, unchanged, and this container's changes above them"
            }
            _ => "asked for",
        },
    }
}

fn identity(plan: &Plan, steps: &mut Vec<Step>) {
    let process = &plan.process;
    steps.push(step(
        "become the container's user",
        format!("user {}, groups {:?}", process.uid, process.groups),
        "the program runs as whom the image or the caller says",
        "setresuid(2), setgroups(2)",
    ));
    if let Some(sets) = process.capabilities {
        let count = capability::names(sets.bounding).count();
        let what = match count {
            0 => "no capabilities, and none can be gained".to_owned(),
            count => format!(
                "at most {count} of {} capabilities",
                capability::NAMES.len()
            ),
        };
        steps.push(step(
            "drop capabilities",
            what,
            "even root inside lacks the rights that could change the host",
            "capabilities(7)",
        ));
    }
    if process.no_new_privileges {
        steps.push(step(
            "forbid new privileges",
            "no_new_privs",
            "set-user-id programs inside gain nothing",
            "PR_SET_NO_NEW_PRIVS(2const)",
        ));
    }
    if let Some(program) = &plan.seccomp {
        let what = format!(
            "system call filter of {} instructions",
            program.instructions.len()
        );
        steps.push(step("install the system call filter", what, "the kernel refuses calls that containers do not need, so that their bugs are out of reach", "seccomp(2)"));
    }
    steps.push(step(
        "execute the program",
        process.args.join(" "),
        "from here on the runtime is gone; this is the container",
        "execve(2)",
    ));
}

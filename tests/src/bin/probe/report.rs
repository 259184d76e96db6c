//! Everything the kernel says about this process and its surroundings.

use rustix::process::{DumpableBehavior, dumpable_behavior, parent_process_death_signal};
use serde_json::{Map, Value, json};
use std::fs;
use std::os::fd::BorrowedFd;
use std::path::Path;

/// The whole report.
pub(crate) fn everything() -> Value {
    // First, before anything here opens a file of its own.
    let descriptors = descriptors();
    let status = status();
    json!({
        "fds": descriptors,
        "uid": numbers(&status, "Uid"),
        "gid": numbers(&status, "Gid"),
        "groups": groups(&status),
        "umask": word(&status, "Umask"),
        "capabilities": {
            "inheritable": word(&status, "CapInh"),
            "permitted": word(&status, "CapPrm"),
            "effective": word(&status, "CapEff"),
            "bounding": word(&status, "CapBnd"),
            "ambient": word(&status, "CapAmb"),
        },
        "securebits": rustix::thread::capabilities_secure_bits().map_or(0, |bits| bits.bits()),
        "noNewPrivs": word(&status, "NoNewPrivs"),
        "seccomp": {"mode": word(&status, "Seccomp"), "filters": word(&status, "Seccomp_filters")},
        "signals": {
            "blocked": word(&status, "SigBlk"),
            "ignored": word(&status, "SigIgn"),
            "caught": word(&status, "SigCgt"),
        },
        "cpusAllowed": word(&status, "Cpus_allowed_list"),
        "memsAllowed": word(&status, "Mems_allowed_list"),
        "pid": std::process::id(),
        "ppid": std::os::unix::process::parent_id(),
        "label": read("/proc/self/attr/current"),
        "namespaces": namespaces(),
        "mounts": mounts(),
        "cwd": std::env::current_dir().map(|path| path.display().to_string()).unwrap_or_default(),
        "args": std::env::args().collect::<Vec<_>>(),
        "env": environment(),
        "rlimits": rlimits(),
        "oomScoreAdj": read("/proc/self/oom_score_adj"),
        "dumpable": matches!(dumpable_behavior(), Ok(DumpableBehavior::Dumpable)),
        "keyrings": read("/proc/keys"),
        "personality": read("/proc/self/personality"),
        "scheduler": scheduler(),
        "timerSlack": rustix::thread::current_timer_slack().unwrap_or_default(),
        "parentDeathSignal": parent_process_death_signal()
            .ok()
            .flatten()
            .map(rustix::process::Signal::as_raw),
        "session": session(),
        "tty": tty(),
        "hostname": read("/proc/sys/kernel/hostname"),
        "domainname": read("/proc/sys/kernel/domainname"),
        "cgroup": read("/proc/self/cgroup").lines().collect::<Vec<_>>(),
        "uidMap": read("/proc/self/uid_map"),
        "gidMap": read("/proc/self/gid_map"),
        "setgroups": read("/proc/self/setgroups"),
        "timeOffsets": read("/proc/self/timens_offsets"),
        "links": links(),
        "exe": target("/proc/self/exe"),
    })
}

fn read(path: &str) -> String {
    fs::read(path)
        .map(|bytes| {
            String::from_utf8_lossy(&bytes)
                .trim_end_matches(['\n', '\0'])
                .to_owned()
        })
        .unwrap_or_default()
}

fn target(path: impl AsRef<Path>) -> String {
    fs::read_link(path)
        .map(|target| target.display().to_string())
        .unwrap_or_default()
}

fn status() -> Vec<(String, String)> {
    read("/proc/self/status")
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect()
}

fn word(status: &[(String, String)], name: &str) -> String {
    status
        .iter()
        .find(|(known, _)| known == name)
        .map(|(_, value)| value.clone())
        .unwrap_or_default()
}

fn numbers(status: &[(String, String)], name: &str) -> Vec<u32> {
    word(status, name)
        .split_whitespace()
        .filter_map(|number| number.parse().ok())
        .collect()
}

fn groups(status: &[(String, String)]) -> Vec<u32> {
    let mut groups = numbers(status, "Groups");
    groups.sort_unstable();
    groups
}

/// Every open descriptor with what it leads to, less the one that lists them.
fn descriptors() -> Value {
    let Ok(entries) = fs::read_dir("/proc/self/fd") else {
        return Value::Null;
    };
    let mut found = Map::new();
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let to = target(entry.path());
        let is_the_listing = to.starts_with("/proc/") && to.ends_with("/fd");
        if !is_the_listing {
            found.insert(name, json!(to));
        }
    }
    Value::Object(found)
}

fn namespaces() -> Value {
    let mut found = Map::new();
    for kind in ["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"] {
        found.insert(
            kind.to_owned(),
            json!(target(format!("/proc/self/ns/{kind}"))),
        );
    }
    Value::Object(found)
}

/// mountinfo(5), one object per mount, in the kernel's order.
fn mounts() -> Vec<Value> {
    read("/proc/self/mountinfo")
        .lines()
        .filter_map(|line| {
            let (left, right) = line.split_once(" - ")?;
            let left: Vec<&str> = left.split(' ').collect();
            let right: Vec<&str> = right.split(' ').collect();
            Some(json!({
                "root": left.get(3)?,
                "point": left.get(4)?,
                "options": left.get(5)?.split(',').collect::<Vec<_>>(),
                "propagation": left.get(6..).unwrap_or_default(),
                "type": right.first()?,
                "source": right.get(1)?,
                "superblock": right.get(2)?.split(',').collect::<Vec<_>>(),
            }))
        })
        .collect()
}

fn environment() -> Vec<String> {
    read("/proc/self/environ")
        .split('\0')
        .filter(|entry| !entry.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Soft and hard limit by name, as /proc/self/limits prints them.
fn rlimits() -> Value {
    let mut found = Map::new();
    for line in read("/proc/self/limits").lines().skip(1) {
        // The name takes 26 columns, each limit 21.
        let (Some(name), Some(rest)) = (line.get(..26), line.get(26..)) else {
            continue;
        };
        let limits: Vec<&str> = rest.split_whitespace().take(2).collect();
        found.insert(name.trim().to_owned(), json!(limits));
    }
    Value::Object(found)
}

/// Policy, niceness and real-time priority.
fn scheduler() -> Value {
    json!({"policy": stat_field(41), "nice": stat_field(19), "priority": stat_field(40)})
}

/// Session and process group as this namespace numbers them; 0 when they are outside of it.
fn session() -> Value {
    json!({"pgid": stat_field(5), "sid": stat_field(6)})
}

/// A field by its number in proc_pid_stat(5), from 3 on.
fn stat_field(number: usize) -> Option<i64> {
    let stat = read("/proc/self/stat");
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(number - 3)?.parse().ok()
}

/// Per standard descriptor: whether it is a terminal, its name and its size.
fn tty() -> Value {
    let stdio = [
        rustix::stdio::stdin(),
        rustix::stdio::stdout(),
        rustix::stdio::stderr(),
    ];
    json!({
        "is": stdio.map(rustix::termios::isatty),
        "controlling": fs::File::open("/dev/tty").is_ok(),
        "size": size(stdio[0]),
    })
}

fn size(fd: BorrowedFd<'_>) -> Value {
    rustix::termios::tcgetwinsize(fd).map_or(
        Value::Null,
        |size| json!({"width": size.ws_col, "height": size.ws_row}),
    )
}

fn links() -> Vec<String> {
    let mut links: Vec<String> = read("/proc/self/net/dev")
        .lines()
        .skip(2)
        .filter_map(|line| line.split_once(':'))
        .map(|(name, _)| name.trim().to_owned())
        .collect();
    links.sort();
    links
}

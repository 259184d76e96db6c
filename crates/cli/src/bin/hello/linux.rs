//! What isolates a process on Linux, read from `/proc` and `/sys` as any process can.

use crate::page::Fact;
use crate::{files, identity, limits};
use std::fs;
use std::path::Path;

/// The initial pid namespace's inode number (`include/linux/proc_ns.h`).
const HOST_PID: u64 = 0xEFFF_FFFC;
/// The initial UTS namespace's inode number.
const HOST_UTS: u64 = 0xEFFF_FFFE;

/// Everything worth a line, in the order in which people ask.
pub(crate) fn facts() -> Vec<Fact> {
    let status = read("/proc/self/status");
    let mounts = read("/proc/self/mountinfo");
    let mut facts = vec![processes(), host_name()];
    facts.extend(identity::user(&status, &read("/proc/self/uid_map")));
    facts.push(network(&read("/proc/net/dev")));
    facts.extend(files::facts(&mounts));
    facts.extend(limits::facts(
        &read("/proc/self/cgroup"),
        &status,
        Path::new("/sys/fs/cgroup"),
    ));
    facts.extend(identity::privileges(
        &status,
        &read("/proc/sys/kernel/cap_last_cap"),
    ));
    facts
}

/// What to try next.
pub(crate) fn closing() -> Vec<(&'static str, &'static str)> {
    vec![
        (
            "dhow run --explain hello",
            "every wall as it is built, and why",
        ),
        (
            "dhow run -it --rootfs /:O sh",
            "a shell on a throw-away view of this host",
        ),
        ("dhow doctor", "what this host offers to containers"),
    ]
}

/// The text of a file; empty when it cannot be read, which the sentences then say.
fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// The inode number in a namespace link such as `pid:[4026531836]`.
fn namespace(kind: &str) -> Option<u64> {
    let link = fs::read_link(format!("/proc/self/ns/{kind}")).ok()?;
    let text = link.to_str()?;
    text.split_once('[')?.1.trim_end_matches(']').parse().ok()
}

fn processes() -> Fact {
    let visible = fs::read_dir("/proc").map_or(0, |entries| {
        entries
            .flatten()
            .filter(|entry| entry.file_name().to_string_lossy().parse::<u32>().is_ok())
            .count()
    });
    let own = std::process::id();
    let text = match (namespace("pid"), visible) {
        (_, 0) => format!("I am number {own}; /proc shows no process at all"),
        (Some(HOST_PID), _) => {
            format!("no wall: I am number {own} of {visible} processes, the host's included")
        }
        (_, 1) => format!("I am number {own} and see no other, none of the host's"),
        _ => format!("I am number {own} and see {visible}, none of the host's"),
    };
    Fact::new("processes", text)
}

fn host_name() -> Fact {
    let name = read("/proc/sys/kernel/hostname");
    let name = name.trim();
    let text = if namespace("uts") == Some(HOST_UTS) {
        format!("no wall: {name} is the host's own name")
    } else {
        format!("{name}, a name of my own")
    };
    Fact::new("host name", text)
}

/// From `/proc/net/dev`: two lines of titles, then `name: counters`.
fn network(text: &str) -> Fact {
    let names: Vec<&str> = text
        .lines()
        .skip(2)
        .filter_map(|line| line.split(':').next())
        .map(str::trim)
        .collect();
    let text = match names.as_slice() {
        [] => "no interface at all".to_owned(),
        ["lo"] => "only the loopback interface: nobody to talk to outside".to_owned(),
        names if names.len() <= 6 => format!("these interfaces: {}", names.join(", ")),
        names => format!(
            "{} interfaces, such as {}",
            names.len(),
            names[..4].join(", ")
        ),
    };
    Fact::new("network", text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TITLES: &str = "Inter-|   Receive\n face |bytes\n";

    #[test]
    fn network_names_what_is_there_and_says_when_nothing_is() {
        assert_eq!(network("").text, "no interface at all");
        assert!(
            network(&format!("{TITLES}    lo: 0 0\n"))
                .text
                .contains("only the loopback")
        );
        let two = network(&format!("{TITLES}    lo: 0 0\n  eth0: 5 1\n"));
        assert_eq!(two.text, "these interfaces: lo, eth0");
    }

    #[test]
    fn a_host_process_is_told_so() {
        // The test itself runs outside any container of ours, or inside one: both must read true.
        let outside = namespace("pid") == Some(HOST_PID);
        assert_eq!(processes().text.starts_with("no wall"), outside);
    }
}

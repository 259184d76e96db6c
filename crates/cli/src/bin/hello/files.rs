//! What of the file tree is its own, from `/proc/self/mountinfo`.

use crate::page::Fact;

struct Mount<'a> {
    point: &'a str,
    options: &'a str,
    kind: &'a str,
}

/// Fields of a line, by `proc_pid_mountinfo(5)`: the type follows the separator `-`.
fn parse(line: &str) -> Option<Mount<'_>> {
    let (before, after) = line.split_once(" - ")?;
    let mut fields = before.split(' ').skip(4);
    Some(Mount {
        point: fields.next()?,
        options: fields.next()?,
        kind: after.split(' ').next()?,
    })
}

/// The root filesystem, and what of `/proc` and `/sys` is covered.
pub(crate) fn facts(mountinfo: &str) -> Vec<Fact> {
    let mounts: Vec<Mount<'_>> = mountinfo.lines().filter_map(parse).collect();
    // The last mount on a point is the visible one.
    let Some(root) = mounts.iter().rev().find(|mount| mount.point == "/") else {
        return Vec::new();
    };
    let read_only = |mount: &Mount<'_>| mount.options.split(',').any(|option| option == "ro");
    let what = match (root.kind, read_only(root)) {
        ("overlay", false) => "an overlay root: my writes are mine, the image stays".to_owned(),
        ("overlay", true) => "an overlay root that I cannot write".to_owned(),
        (kind, true) => format!("a root on {kind} that I cannot write"),
        (kind, false) => format!("a root on {kind} that I can write"),
    };
    let mut facts = vec![Fact::new(
        "files",
        format!("{what}; {} mounts", mounts.len()),
    )];
    let inside = |mount: &&Mount<'_>| {
        mount.point.starts_with("/proc/")
            || (mount.point.starts_with("/sys/") && !mount.point.starts_with("/sys/fs/cgroup"))
    };
    let covered = |mount: &&Mount<'_>| !matches!(mount.kind, "proc" | "sysfs");
    let hidden = mounts.iter().filter(inside).filter(covered).count();
    let locked = mounts.iter().filter(inside).count() - hidden;
    if hidden + locked > 0 {
        let text = format!("{hidden} places of /proc and /sys; {locked} more are read-only");
        facts.push(Fact::new("hidden", text));
    }
    facts
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFO: &str = "\
        21 20 0:30 / / rw,relatime - overlay overlay rw,lowerdir=/a\n\
        22 21 0:31 / /proc rw,nosuid - proc proc rw\n\
        23 22 0:32 /null /proc/kcore rw - devtmpfs devtmpfs rw\n\
        24 22 0:31 /sys /proc/sys ro - proc proc rw\n\
        25 21 0:33 / /sys ro - sysfs sysfs ro\n\
        26 25 0:34 / /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n\
        27 25 0:35 / /sys/firmware ro - tmpfs tmpfs ro\n";

    #[test]
    fn the_root_and_the_covered_places_are_counted() {
        let facts = facts(INFO);
        assert_eq!(
            facts[0].text,
            "an overlay root: my writes are mine, the image stays; 7 mounts"
        );
        assert_eq!(
            facts[1].text,
            "2 places of /proc and /sys; 1 more are read-only"
        );
    }

    #[test]
    fn nothing_is_said_of_what_cannot_be_read() {
        assert!(facts("").is_empty());
    }
}

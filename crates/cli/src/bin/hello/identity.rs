//! Who the process is and what it may do: user, capabilities, privileges, system calls.

use crate::page::Fact;

/// Names in the order of their numbers (`capabilities(7)`).
const CAPABILITIES: [&str; 41] = [
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
];
/// More names than this are counted, not listed.
const LISTED: usize = 14;

/// The value of a line of `/proc/self/status`.
fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    let value = |line: &'a str| line.strip_prefix(name)?.strip_prefix(':').map(str::trim);
    status.lines().find_map(value)
}

/// The user in here, and who that is outside, from `uid_map` lines `inside outside count`.
pub(crate) fn user(status: &str, map: &str) -> Option<Fact> {
    let own: u32 = field(status, "Uid")?
        .split_whitespace()
        .nth(1)?
        .parse()
        .ok()?;
    let ranges: Vec<[u32; 3]> = map
        .lines()
        .filter_map(|line| {
            let mut numbers = line.split_whitespace().map(str::parse::<u32>);
            let mut next = || numbers.next().and_then(Result::ok);
            Some([next()?, next()?, next()?])
        })
        .collect();
    let name = if own == 0 {
        "root".to_owned()
    } else {
        format!("user {own}")
    };
    if ranges.as_slice() == [[0, 0, u32::MAX]] {
        let text = format!("{name}, and the same on the host: user ids are not mapped");
        return Some(Fact::new("user", text));
    }
    let outside = ranges.iter().find_map(|[inside, outside, count]| {
        let offset = own.checked_sub(*inside)?;
        (offset < *count).then(|| outside + offset)
    });
    let total: u64 = ranges.iter().map(|range| u64::from(range[2])).sum();
    let ids = if total == 1 {
        "that is the only id".to_owned()
    } else {
        format!("{total} ids are mapped")
    };
    let text = match outside {
        Some(0) => format!("{name} in here, root outside; {ids}"),
        Some(id) => format!("{name} in here, plain user {id} outside; {ids}"),
        None => format!("{name}, whom nobody outside stands for"),
    };
    Some(Fact::new("user", text))
}

/// System call filter, capabilities and `no_new_privs`; what the kernel does not tell is left out.
pub(crate) fn privileges(status: &str, last: &str) -> Vec<Fact> {
    let known = last
        .trim()
        .parse::<usize>()
        .map_or(CAPABILITIES.len(), |last| last + 1);
    let mut facts = Vec::new();
    if let Some(mode) = field(status, "Seccomp") {
        let filters = field(status, "Seccomp_filters").unwrap_or("some");
        let text = match (mode, filters) {
            ("0", _) => "no wall: all of them reach the kernel".to_owned(),
            ("1", _) => "only read, write and exit (strict seccomp)".to_owned(),
            (_, "1") => "checked one by one by a seccomp filter".to_owned(),
            (_, count) => format!("checked one by one by {count} seccomp filters"),
        };
        facts.push(Fact::new("system calls", text));
    }
    let mask = field(status, "CapEff").and_then(|hex| u64::from_str_radix(hex, 16).ok());
    if let Some(mask) = mask {
        facts.push(Fact::new("capabilities", capabilities(mask, known)));
    }
    if let Some(value) = field(status, "NoNewPrivs") {
        let text = if value == "1" {
            "no program started here can gain any (no_new_privs)"
        } else {
            "set-user-id programs can gain some (no_new_privs is off)"
        };
        facts.push(Fact::new("privileges", text));
    }
    facts
}

/// A mask in words: none, all, a list, or a list of what is missing.
fn capabilities(mask: u64, known: usize) -> String {
    let name = |number: usize| {
        CAPABILITIES
            .get(number)
            .map_or_else(|| number.to_string(), |name| (*name).to_owned())
    };
    let list = |held: bool| -> Vec<String> {
        (0..known.min(64))
            .filter(|number| (mask >> number & 1 == 1) == held)
            .map(name)
            .collect()
    };
    let (held, missing) = (list(true), list(false));
    match (held.len(), missing.len()) {
        (0, _) => format!("none of root's {known}"),
        (_, 0) => format!("all {known} of root's"),
        (count, _) if count <= LISTED => format!("{count} of root's {known}: {}", held.join(" ")),
        (count, left) if left <= LISTED => {
            format!("{count} of root's {known}, without {}", missing.join(" "))
        }
        (count, _) => format!("{count} of root's {known}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "Name:\thello\nUid:\t0\t0\t0\t0\nCapEff:\t00000000000004e1\n\
                          NoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t1\n";

    #[test]
    fn a_mapped_root_is_a_plain_user_outside() {
        let fact = user(STATUS, "0 1000 1\n1 100000 65536\n").unwrap();
        assert_eq!(
            fact.text,
            "root in here, plain user 1000 outside; 65537 ids are mapped"
        );
        let fact = user(STATUS, "0 1000 1\n").unwrap();
        assert!(fact.text.ends_with("that is the only id"), "{}", fact.text);
    }

    #[test]
    fn an_unmapped_root_is_said_to_be_root() {
        let fact = user(STATUS, "         0          0 4294967295\n").unwrap();
        assert!(
            fact.text.starts_with("root, and the same on the host"),
            "{}",
            fact.text
        );
    }

    #[test]
    fn an_id_outside_the_map_stands_for_nobody() {
        let status = "Uid:\t7\t7\t7\t7\n";
        assert!(
            user(status, "0 1000 1\n")
                .unwrap()
                .text
                .contains("nobody outside")
        );
    }

    #[test]
    fn capabilities_are_named_counted_or_missing() {
        assert_eq!(capabilities(0, 41), "none of root's 41");
        assert_eq!(capabilities((1 << 41) - 1, 41), "all 41 of root's");
        assert_eq!(capabilities(0b10_0001, 41), "2 of root's 41: chown kill");
        assert_eq!(
            capabilities(((1 << 41) - 1) & !1, 41),
            "40 of root's 41, without chown"
        );
    }

    #[test]
    fn privileges_follow_the_status_file() {
        let texts: Vec<String> = privileges(STATUS, "40\n")
            .into_iter()
            .map(|fact| fact.text)
            .collect();
        assert_eq!(texts[0], "checked one by one by a seccomp filter");
        assert!(
            texts[1].starts_with("5 of root's 41: chown kill setgid setuid"),
            "{texts:?}"
        );
        assert!(texts[2].contains("no_new_privs"));
    }
}

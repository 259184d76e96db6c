//! What the cgroup allows, where the container can see it: version 2, version 1, or both.

use crate::page::Fact;
use std::fs;
use std::path::{Path, PathBuf};

/// Memory, processors and number of processes, in that order.
pub(crate) fn facts(own: &str, status: &str, mount: &Path) -> Vec<Fact> {
    let read = |controller: &str, file: &str| read(own, mount, controller, file);
    let memory = read("memory", "memory.max").or_else(|| read("memory", "memory.limit_in_bytes"));
    let quota = read("cpu", "cpu.max").or_else(|| {
        let quota = read("cpu", "cpu.cfs_quota_us")?;
        Some(format!("{quota} {}", read("cpu", "cpu.cfs_period_us")?))
    });
    let pids = read("pids", "pids.max");
    let unseen = || "no limit that I can see".to_owned();
    vec![
        Fact::new("memory", memory.map_or_else(unseen, |text| bytes(&text))),
        Fact::new(
            "processors",
            quota.map_or_else(unseen, |text| processors(&text, status)),
        ),
        Fact::new("tasks", pids.map_or_else(unseen, |text| tasks(&text))),
    ]
}

/// A control file of our own cgroup, wherever this host keeps it; `own` is `/proc/self/cgroup`.
fn read(own: &str, mount: &Path, controller: &str, file: &str) -> Option<String> {
    for line in own.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else {
            continue;
        };
        let path = path.trim_start_matches('/');
        // Outside our cgroup namespace: no path of ours leads there.
        if path.split('/').any(|part| part == "..") {
            continue;
        }
        let roots: Vec<PathBuf> = if controllers.is_empty() {
            vec![mount.into(), mount.join("unified")]
        } else if controllers.split(',').any(|name| name == controller) {
            vec![mount.join(controllers), mount.join(controller)]
        } else {
            continue;
        };
        let text = roots
            .iter()
            .flat_map(|root| [root.join(path).join(file), root.join(file)])
            .find_map(|path| fs::read_to_string(path).ok());
        if let Some(text) = text {
            return Some(text.trim().to_owned());
        }
    }
    None
}

/// A byte count in words; version 1 writes "no limit" as the largest multiple of a page.
fn bytes(text: &str) -> String {
    match text.parse::<u64>() {
        Ok(count) if count < 1 << 60 => {
            let (value, unit) = match count {
                0..0x40_0000 => (count >> 10, "KiB"),
                0x40_0000..0x1_0000_0000 => (count >> 20, "MiB"),
                _ => (count >> 30, "GiB"),
            };
            format!("at most {value} {unit}")
        }
        _ => "no limit of my own".to_owned(),
    }
}

/// `cpu.max` is `quota period`, both in microseconds, or `max period`.
fn processors(text: &str, status: &str) -> String {
    let allowed = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))
        .map_or(0, |list| count_list(list.trim()));
    let mut numbers = text.split_whitespace().map(str::parse::<u64>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(quota)), Some(Ok(period))) if period > 0 => {
            let hundredths = quota * 100 / period;
            let fraction = format!("{}.{:02}", hundredths / 100, hundredths % 100);
            let fraction = fraction.trim_end_matches('0').trim_end_matches('.');
            format!("at most {fraction} of {allowed}")
        }
        _ if allowed == 1 => "no limit of my own, but there is only 1".to_owned(),
        _ => format!("no limit of my own: all {allowed}"),
    }
}

/// How many numbers `0-3,8` holds.
fn count_list(list: &str) -> u64 {
    let size = |part: &str| {
        let (low, high) = part.split_once('-').unwrap_or((part, part));
        Some(high.parse::<u64>().ok()? - low.parse::<u64>().ok()? + 1)
    };
    list.split(',').filter_map(size).sum()
}

fn tasks(text: &str) -> String {
    match text.parse::<u64>() {
        Ok(count) => format!("at most {count} processes and threads"),
        Err(_) => "no limit of my own".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_read_as_sentences() {
        assert_eq!(bytes("536870912"), "at most 512 MiB");
        assert_eq!(bytes("max"), "no limit of my own");
        assert_eq!(bytes("9223372036854771712"), "no limit of my own");
        let status = "Cpus_allowed_list:\t0-3,8\n";
        assert_eq!(processors("150000 100000", status), "at most 1.5 of 5");
        assert_eq!(processors("200000 100000", status), "at most 2 of 5");
        assert_eq!(
            processors("max 100000", status),
            "no limit of my own: all 5"
        );
        assert_eq!(processors("-1 100000", status), "no limit of my own: all 5");
        assert_eq!(tasks("2048"), "at most 2048 processes and threads");
    }

    #[test]
    fn files_are_found_in_either_layout_and_never_above_the_namespace() {
        let root = std::env::temp_dir().join(format!("dhow-hello-{}", std::process::id()));
        fs::create_dir_all(root.join("pids/box")).unwrap();
        fs::create_dir_all(root.join("box")).unwrap();
        fs::write(root.join("pids/box/pids.max"), "7\n").unwrap();
        fs::write(root.join("box/memory.max"), "max\n").unwrap();
        let own = "8:pids:/box\n0::/box\n";
        assert_eq!(read(own, &root, "pids", "pids.max").as_deref(), Some("7"));
        assert_eq!(
            read(own, &root, "memory", "memory.max").as_deref(),
            Some("max")
        );
        assert_eq!(read("0::/../box\n", &root, "memory", "memory.max"), None);
        fs::remove_dir_all(&root).unwrap();
    }
}

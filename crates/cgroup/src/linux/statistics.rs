//! Reading what a group uses.
//!
//! Each hierarchy is asked for what it has; a controller that is absent leaves its part out. v1 sources:
//! Documentation/admin-guide/cgroup-v1; v2: cgroup-v2.rst.

use super::group::Group;
use super::hierarchy::{ENOENT, Hierarchy};
use crate::stats::{CpuStats, IoStats, MemoryStats, PidsStats, Stats};
use crate::{Error, Result};
use std::collections::BTreeMap;

/// v1 says "unlimited" with the largest page-aligned number; anything near it is no limit.
const UNLIMITED: u64 = 1 << 62;

/// Nanoseconds per clock tick of `cpuacct.stat`, which counts in USER_HZ, 100 on every architecture of ours.
const TICK: u64 = 10_000_000;

impl Group {
    /// What the processes in the group and below use and have used.
    ///
    /// # Errors
    /// NotFound when the group is gone; Permission, Kernel; Unsupported when the container has no group.
    pub fn stats(&self) -> Result<Stats> {
        if self.present().next().is_none() {
            return Err(Error::NoGroup {
                doing: "read the statistics",
            });
        }
        let unified = self.unified();
        Ok(Stats {
            cpu: match (self.v1("cpuacct"), unified) {
                (Some(accounting), _) => Some(cpu_v1(accounting, self.v1("cpu"))?),
                (None, Some(v2)) => Some(cpu_v2(v2)?),
                (None, None) => None,
            },
            memory: match (self.v1("memory"), unified) {
                (Some(v1), _) => Some(memory_v1(v1)?),
                (None, Some(v2)) => memory_v2(v2)?,
                (None, None) => None,
            },
            pids: match self.v1("pids").or(unified) {
                Some(hierarchy) => pids(hierarchy)?,
                None => None,
            },
            io: match (self.v1("blkio"), unified) {
                (Some(v1), _) => io_v1(v1)?,
                (None, Some(v2)) => io_v2(&optional(v2, "io.stat")?.unwrap_or_default()),
                (None, None) => Vec::new(),
            },
        })
    }
}

/// A file that is there only with its controller.
fn optional(hierarchy: &Hierarchy, file: &str) -> Result<Option<String>> {
    match hierarchy.get(file) {
        Err(Error::Read { source, .. }) if source.code() == ENOENT => Ok(None),
        result => result.map(Some),
    }
}

/// A file with one number; `max` and v1's largest mean none.
fn number(hierarchy: &Hierarchy, file: &str) -> Result<Option<u64>> {
    let text = optional(hierarchy, file)?;
    Ok(text
        .and_then(|text| text.trim().parse().ok())
        .filter(|value| *value < UNLIMITED))
}

/// A file of lines with a key and a number.
fn table(text: &str) -> BTreeMap<&str, u64> {
    let lines = text.lines().filter_map(|line| {
        let (key, value) = line.split_once(' ')?;
        Some((key, value.trim().parse().ok()?))
    });
    lines.collect()
}

fn cpu_v1(accounting: &Hierarchy, cpu: Option<&Hierarchy>) -> Result<CpuStats> {
    let usage = accounting.get("cpuacct.stat")?;
    let usage = table(&usage);
    let throttling = match cpu {
        Some(cpu) => optional(cpu, "cpu.stat")?.unwrap_or_default(),
        None => String::new(),
    };
    let throttling = table(&throttling);
    let of = |table: &BTreeMap<&str, u64>, key: &str| table.get(key).copied().unwrap_or(0);
    Ok(CpuStats {
        total: number(accounting, "cpuacct.usage")?.unwrap_or(0),
        user: of(&usage, "user") * TICK,
        kernel: of(&usage, "system") * TICK,
        periods: of(&throttling, "nr_periods"),
        throttled_periods: of(&throttling, "nr_throttled"),
        throttled: of(&throttling, "throttled_time"),
    })
}

fn cpu_v2(v2: &Hierarchy) -> Result<CpuStats> {
    let text = v2.get("cpu.stat")?;
    let table = table(&text);
    let of = |key: &str| table.get(key).copied().unwrap_or(0);
    Ok(CpuStats {
        total: of("usage_usec") * 1000,
        user: of("user_usec") * 1000,
        kernel: of("system_usec") * 1000,
        periods: of("nr_periods"),
        throttled_periods: of("nr_throttled"),
        throttled: of("throttled_usec") * 1000,
    })
}

fn memory_v1(v1: &Hierarchy) -> Result<MemoryStats> {
    let text = v1.get("memory.stat")?;
    let table = table(&text);
    let of = |key: &str| table.get(key).copied().unwrap_or(0);
    let oom = optional(v1, "memory.oom_control")?.unwrap_or_default();
    let swap = table.get("total_swap").copied();
    Ok(MemoryStats {
        usage: number(v1, "memory.usage_in_bytes")?.unwrap_or(0),
        peak: number(v1, "memory.max_usage_in_bytes")?,
        limit: number(v1, "memory.limit_in_bytes")?,
        swap,
        inactive_file: of("total_inactive_file"),
        anonymous: of("total_rss"),
        file: of("total_cache"),
        oom_kills: self::table(&oom).get("oom_kill").copied().unwrap_or(0),
    })
}

fn memory_v2(v2: &Hierarchy) -> Result<Option<MemoryStats>> {
    let Some(usage) = number(v2, "memory.current")? else {
        return Ok(None);
    };
    let text = v2.get("memory.stat")?;
    let table = table(&text);
    let of = |key: &str| table.get(key).copied().unwrap_or(0);
    let events = optional(v2, "memory.events")?.unwrap_or_default();
    Ok(Some(MemoryStats {
        usage,
        peak: number(v2, "memory.peak")?,
        limit: number(v2, "memory.max")?,
        swap: number(v2, "memory.swap.current")?,
        inactive_file: of("inactive_file"),
        anonymous: of("anon"),
        file: of("file"),
        oom_kills: self::table(&events).get("oom_kill").copied().unwrap_or(0),
    }))
}

fn pids(hierarchy: &Hierarchy) -> Result<Option<PidsStats>> {
    let Some(current) = number(hierarchy, "pids.current")? else {
        return Ok(None);
    };
    Ok(Some(PidsStats {
        current,
        limit: number(hierarchy, "pids.max")?,
    }))
}

fn device(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

fn io_v1(v1: &Hierarchy) -> Result<Vec<IoStats>> {
    let bytes = optional(v1, "blkio.throttle.io_service_bytes_recursive")?.unwrap_or_default();
    let counts = optional(v1, "blkio.throttle.io_serviced_recursive")?.unwrap_or_default();
    Ok(parse_io_v1(&bytes, &counts))
}

/// Lines such as `8:0 Read 4096`; a last one `Total 4096` belongs to no device.
fn parse_io_v1(bytes: &str, counts: &str) -> Vec<IoStats> {
    let mut devices: BTreeMap<(u32, u32), IoStats> = BTreeMap::new();
    let all = bytes
        .lines()
        .map(|line| (line, true))
        .chain(counts.lines().map(|line| (line, false)));
    for (line, is_bytes) in all {
        let fields: Vec<&str> = line.split(' ').collect();
        let [name, kind, value] = fields.as_slice() else {
            continue;
        };
        let (Some(id), Ok(value)) = (device(name), value.parse()) else {
            continue;
        };
        let stats = devices.entry(id).or_insert_with(|| IoStats {
            major: id.0,
            minor: id.1,
            ..IoStats::default()
        });
        match (*kind, is_bytes) {
            ("Read", true) => stats.read_bytes = value,
            ("Write", true) => stats.written_bytes = value,
            ("Read", false) => stats.reads = value,
            ("Write", false) => stats.writes = value,
            _ => {}
        }
    }
    devices.into_values().collect()
}

/// Lines such as `8:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0`.
fn io_v2(text: &str) -> Vec<IoStats> {
    let lines = text.lines().filter_map(|line| {
        let mut fields = line.split(' ');
        let (major, minor) = device(fields.next()?)?;
        let values: BTreeMap<&str, u64> = fields
            .filter_map(|field| {
                let (key, value) = field.split_once('=')?;
                Some((key, value.parse().ok()?))
            })
            .collect();
        let of = |key: &str| values.get(key).copied().unwrap_or(0);
        Some(IoStats {
            major,
            minor,
            read_bytes: of("rbytes"),
            written_bytes: of("wbytes"),
            reads: of("rios"),
            writes: of("wios"),
        })
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn io_of_both_versions_is_the_same() {
        let bytes = "8:0 Read 4096\n8:0 Write 512\n8:0 Sync 1\nTotal 4608\n";
        let counts = "8:0 Read 2\n8:0 Write 1\nTotal 3\n";
        let v2 = "8:0 rbytes=4096 wbytes=512 rios=2 wios=1 dbytes=0 dios=0\n";
        assert_eq!(parse_io_v1(bytes, counts), io_v2(v2));
        assert_eq!(io_v2(v2)[0].written_bytes, 512);
    }

    #[test]
    fn broken_lines_are_left_out() {
        assert_eq!(io_v2("nonsense\n8:x rbytes=1\n"), []);
        assert_eq!(table("a 1\nb\nc x\n"), BTreeMap::from([("a", 1)]));
    }
}

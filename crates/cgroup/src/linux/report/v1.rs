//! The statistics of cgroup v1 (Documentation/admin-guide/cgroup-v1).

use super::{list, number, optional, table};
use crate::Result;
use crate::linux::hierarchy::Hierarchy;
use crate::report::{Block, BlockEntry, Cpu, Cpuset, Huge, Level, Memory};

/// Nanoseconds per clock tick of `cpuacct.stat`, which counts in USER_HZ, 100 on every architecture of ours.
const TICK: u64 = 10_000_000;

pub(super) fn cpu(accounting: &Hierarchy, cpu: Option<&Hierarchy>) -> Result<Cpu> {
    let mut report = Cpu::default();
    let ticks = table(&accounting.get("cpuacct.stat")?);
    let of = |key: &str| ticks.get(key).copied().unwrap_or(0) * TICK;
    let usage = &mut report.usage;
    (usage.user, usage.kernel) = (of("user"), of("system"));
    usage.total = number(accounting, "cpuacct.usage")?;
    let each = optional(accounting, "cpuacct.usage_percpu")?.unwrap_or_default();
    usage.percpu = each
        .split_whitespace()
        .filter_map(|number| number.parse().ok())
        .collect();
    // Lines `PROCESSOR USER SYSTEM` below a heading.
    let each = optional(accounting, "cpuacct.usage_all")?.unwrap_or_default();
    for line in each.lines().skip(1) {
        let mut fields = line.split_whitespace().skip(1).map(str::parse::<u64>);
        if let (Some(Ok(user)), Some(Ok(kernel))) = (fields.next(), fields.next()) {
            usage.percpu_user.push(user);
            usage.percpu_kernel.push(kernel);
        }
    }
    if let Some(cpu) = cpu {
        let text = optional(cpu, "cpu.stat")?.unwrap_or_default();
        let withheld = table(&text);
        let of = |key: &str| withheld.get(key).copied().unwrap_or(0);
        report.throttling.periods = of("nr_periods");
        report.throttling.throttled_periods = of("nr_throttled");
        report.throttling.throttled_time = of("throttled_time");
    }
    Ok(report)
}

pub(super) fn cpuset(place: &Hierarchy) -> Result<Cpuset> {
    let number = |name: &str| number(place, &format!("cpuset.{name}"));
    let level = optional(place, "cpuset.sched_relax_domain_level")?;
    Ok(Cpuset {
        cpus: list(&place.get("cpuset.cpus")?),
        cpu_exclusive: number("cpu_exclusive")?,
        mems: list(&place.get("cpuset.mems")?),
        mem_hardwall: number("mem_hardwall")?,
        mem_exclusive: number("mem_exclusive")?,
        memory_migrate: number("memory_migrate")?,
        memory_spread_page: number("memory_spread_page")?,
        memory_spread_slab: number("memory_spread_slab")?,
        memory_pressure: number("memory_pressure")?,
        sched_load_balance: number("sched_load_balance")?,
        sched_relax_domain_level: level
            .and_then(|text| text.trim().parse().ok())
            .unwrap_or_default(),
    })
}

pub(super) fn memory(place: &Hierarchy) -> Result<Memory> {
    let raw = table(&place.get("memory.stat")?);
    let level = |kind: &str| -> Result<Level> {
        let number = |name: &str| number(place, &format!("memory{kind}.{name}"));
        Ok(Level {
            limit: number("limit_in_bytes")?,
            usage: number("usage_in_bytes")?,
            max: number("max_usage_in_bytes")?,
            failcnt: number("failcnt")?,
        })
    };
    Ok(Memory {
        cache: raw.get("cache").copied().unwrap_or(0),
        usage: level("")?,
        swap: level(".memsw")?,
        kernel: level(".kmem")?,
        kernel_tcp: level(".kmem.tcp")?,
        raw,
        psi: None,
    })
}

pub(super) fn block(place: &Hierarchy) -> Result<Block> {
    let read = |file: &str| -> Result<Vec<BlockEntry>> {
        Ok(entries(&optional(place, file)?.unwrap_or_default()))
    };
    Ok(Block {
        io_service_bytes_recursive: read("blkio.throttle.io_service_bytes_recursive")?,
        io_serviced_recursive: read("blkio.throttle.io_serviced_recursive")?,
        psi: None,
    })
}

/// Lines such as `8:0 Read 4096`; a last one `Total 4096` belongs to no device.
fn entries(text: &str) -> Vec<BlockEntry> {
    let lines = text.lines().filter_map(|line| {
        let mut fields = line.split(' ');
        let (major, minor) = fields.next()?.split_once(':')?;
        Some(BlockEntry {
            major: major.parse().ok()?,
            minor: minor.parse().ok()?,
            op: fields.next()?.to_owned(),
            value: fields.next()?.parse().ok()?,
        })
    });
    lines.collect()
}

pub(super) fn huge(place: &Hierarchy, size: &str) -> Result<Option<Huge>> {
    let number = |name: &str| number(place, &format!("hugetlb.{size}.{name}"));
    if optional(place, &format!("hugetlb.{size}.usage_in_bytes"))?.is_none() {
        return Ok(None);
    }
    Ok(Some(Huge {
        usage: number("usage_in_bytes")?,
        max: number("max_usage_in_bytes")?,
        failcnt: number("failcnt")?,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_no_device() {
        let found = entries("8:0 Read 4096\n8:0 Sync 1\nTotal 4096\nnonsense\n");
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].major, found[0].op.as_str()), (8, "Read"));
    }
}

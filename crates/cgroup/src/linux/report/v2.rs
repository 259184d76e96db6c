//! The statistics of cgroup v2 (Documentation/admin-guide/cgroup-v2.rst), in the shape of v1's.

use super::{list, number, optional, table};
use crate::linux::hierarchy::Hierarchy;
use crate::report::{Block, BlockEntry, Cpu, Cpuset, Huge, Level, Memory, Pressure, Stall};
use crate::{Error, Result};

pub(super) fn cpu(place: &Hierarchy) -> Result<Cpu> {
    let stat = table(&place.get("cpu.stat")?);
    let of = |key: &str| stat.get(key).copied().unwrap_or(0);
    let mut report = Cpu::default();
    report.usage.total = of("usage_usec") * 1000;
    report.usage.user = of("user_usec") * 1000;
    report.usage.kernel = of("system_usec") * 1000;
    report.throttling.periods = of("nr_periods");
    report.throttling.throttled_periods = of("nr_throttled");
    report.throttling.throttled_time = of("throttled_usec") * 1000;
    report.psi = pressure(place, "cpu.pressure")?;
    Ok(report)
}

pub(super) fn cpuset(place: &Hierarchy) -> Result<Cpuset> {
    let read =
        |file: &str| -> Result<Vec<u16>> { Ok(list(&optional(place, file)?.unwrap_or_default())) };
    Ok(Cpuset {
        cpus: read("cpuset.cpus.effective")?,
        mems: read("cpuset.mems.effective")?,
        ..Cpuset::default()
    })
}

/// v1 counts swap together with memory, and so does the report.
pub(super) fn memory(place: &Hierarchy) -> Result<Memory> {
    let Some(text) = optional(place, "memory.stat")? else {
        return Ok(Memory::default());
    };
    let raw = table(&text);
    let events = table(&optional(place, "memory.events")?.unwrap_or_default());
    let usage = Level {
        limit: number(place, "memory.max")?,
        usage: number(place, "memory.current")?,
        max: number(place, "memory.peak")?,
        failcnt: events.get("max").copied().unwrap_or(0),
    };
    let swap = Level {
        limit: usage
            .limit
            .saturating_add(number(place, "memory.swap.max")?),
        usage: usage.usage + number(place, "memory.swap.current")?,
        ..Level::default()
    };
    Ok(Memory {
        cache: raw.get("file").copied().unwrap_or(0),
        usage,
        swap,
        raw,
        psi: pressure(place, "memory.pressure")?,
        ..Memory::default()
    })
}

pub(super) fn block(place: &Hierarchy) -> Result<Block> {
    let mut report = entries(&optional(place, "io.stat")?.unwrap_or_default());
    report.psi = pressure(place, "io.pressure")?;
    Ok(report)
}

/// Lines such as `8:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0`.
fn entries(text: &str) -> Block {
    let mut report = Block::default();
    for line in text.lines() {
        let mut fields = line.split(' ');
        let device = fields
            .next()
            .and_then(|device| device.split_once(':'))
            .and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
        let Some((major, minor)) = device else {
            continue;
        };
        for (key, number) in fields.filter_map(|field| field.split_once('=')) {
            let (list, op) = match key {
                "rbytes" => (&mut report.io_service_bytes_recursive, "Read"),
                "wbytes" => (&mut report.io_service_bytes_recursive, "Write"),
                "dbytes" => (&mut report.io_service_bytes_recursive, "Discard"),
                "rios" => (&mut report.io_serviced_recursive, "Read"),
                "wios" => (&mut report.io_serviced_recursive, "Write"),
                "dios" => (&mut report.io_serviced_recursive, "Discard"),
                _ => continue,
            };
            list.push(BlockEntry {
                major,
                minor,
                op: op.to_owned(),
                value: number.parse().unwrap_or(0),
            });
        }
    }
    report
}

pub(super) fn huge(place: &Hierarchy, size: &str) -> Result<Option<Huge>> {
    let Some(text) = optional(place, &format!("hugetlb.{size}.current"))? else {
        return Ok(None);
    };
    let events = optional(place, &format!("hugetlb.{size}.events"))?.unwrap_or_default();
    Ok(Some(Huge {
        usage: super::value(&text),
        max: 0,
        failcnt: table(&events).get("max").copied().unwrap_or(0),
    }))
}

/// A kernel without it has no such file, or answers that it is switched off.
fn pressure(place: &Hierarchy, file: &str) -> Result<Option<Pressure>> {
    const EOPNOTSUPP: i32 = 95;
    match optional(place, file) {
        Err(Error::Read { source, .. }) if source.code() == EOPNOTSUPP => Ok(None),
        result => Ok(result?.map(|text| stalls(&text))),
    }
}

/// Lines such as `some avg10=0.00 avg60=0.00 avg300=0.00 total=0`.
fn stalls(text: &str) -> Pressure {
    let line = |name: &str| {
        let fields = text
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .unwrap_or_default();
        let of = |key: &str| {
            let mut fields = fields.split_whitespace();
            fields.find_map(|field| field.strip_prefix(key)?.strip_prefix('='))
        };
        let average = |key: &str| of(key).and_then(|text| text.parse().ok()).unwrap_or(0.0);
        Stall {
            avg10: average("avg10"),
            avg60: average("avg60"),
            avg300: average("avg300"),
            total: of("total").and_then(|text| text.parse().ok()).unwrap_or(0),
        }
    };
    Pressure {
        some: line("some"),
        full: line("full"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn io_has_the_shape_of_v1() {
        let report = entries("8:0 rbytes=4096 wbytes=1 rios=2 wios=3 dbytes=0 dios=0\nnonsense\n");
        let bytes: Vec<(&str, u64)> = report
            .io_service_bytes_recursive
            .iter()
            .map(|entry| (entry.op.as_str(), entry.value))
            .collect();
        assert_eq!(bytes, [("Read", 4096), ("Write", 1), ("Discard", 0)]);
        assert_eq!(report.io_serviced_recursive[1].value, 3);
    }

    #[test]
    fn pressure_is_read() {
        let text = "some avg10=1.50 avg60=0.25 avg300=0.00 total=77\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=5\n";
        let pressure = stalls(text);
        assert_eq!((pressure.some.total, pressure.full.total), (77, 5));
        assert!((pressure.some.avg10 - 1.5).abs() < f64::EPSILON);
    }
}

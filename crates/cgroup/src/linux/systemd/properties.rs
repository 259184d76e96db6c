//! Limits as unit properties, derived from the values for the control files, so that both always agree.
//!
//! Source: systemd.resource-control(5). What systemd has no property for is only in the files.

use super::message::Value;
use crate::linux::settings::Setting;

/// The kernel's default period of `cpu.max`, in microseconds.
const PERIOD: u64 = 100_000;

/// The properties that correspond to settings; later ones of the same name win, as in the files.
pub(super) fn of(settings: &[Setting]) -> Vec<(String, Value)> {
    let mut list: Vec<(String, Value)> = Vec::new();
    for setting in settings {
        for (name, value) in one(&setting.file, setting.value.trim()) {
            list.retain(|(known, _)| known != name);
            list.push((name.to_owned(), value));
        }
    }
    list
}

fn one(file: &str, value: &str) -> Vec<(&'static str, Value)> {
    let name = match file {
        "memory.max" => "MemoryMax",
        "memory.high" => "MemoryHigh",
        "memory.low" => "MemoryLow",
        "memory.min" => "MemoryMin",
        "memory.swap.max" => "MemorySwapMax",
        "pids.max" => "TasksMax",
        "cpu.weight" => "CPUWeight",
        "cpu.max" => return quota(value),
        // Weight 0 is systemd's word for idle; back to normal is a weight.
        "cpu.idle" if value == "1" => return vec![("CPUWeight", Value::Long(0))],
        "cpuset.cpus" => {
            return bits(value)
                .map(|bits| ("AllowedCPUs", bits))
                .into_iter()
                .collect();
        }
        "cpuset.mems" => {
            return bits(value)
                .map(|bits| ("AllowedMemoryNodes", bits))
                .into_iter()
                .collect();
        }
        _ => return Vec::new(),
    };
    let number = if value == "max" {
        Some(u64::MAX)
    } else {
        value.parse().ok()
    };
    number
        .map(|number| (name, Value::Long(number)))
        .into_iter()
        .collect()
}

/// `QUOTA [PERIOD]` as microseconds per second, rounded up to a whole percent as systemd keeps it: the
/// exact value is written to the file afterwards.
fn quota(value: &str) -> Vec<(&'static str, Value)> {
    let mut fields = value.split_whitespace();
    let quota = fields.next().unwrap_or("max");
    let given = fields.next().and_then(|period| period.parse::<u64>().ok());
    let period = given.unwrap_or(PERIOD).max(1);
    let per_second = match quota.parse::<u64>() {
        Ok(quota) => (quota.saturating_mul(1_000_000) / period)
            .div_ceil(10_000)
            .saturating_mul(10_000),
        Err(_) => u64::MAX,
    };
    let mut list = vec![("CPUQuotaPerSecUSec", Value::Long(per_second))];
    list.extend(given.map(|period| ("CPUQuotaPeriodUSec", Value::Long(period))));
    list
}

/// A list such as `0-2,7` as a bit mask, lowest byte first.
fn bits(list: &str) -> Option<Value> {
    let mut bytes = Vec::new();
    for part in list.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (usize, usize) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        if last > usize::from(u16::MAX) {
            return None;
        }
        for bit in first..=last {
            if bytes.len() <= bit / 8 {
                bytes.resize(bit / 8 + 1, 0u8);
            }
            bytes[bit / 8] |= 1 << (bit % 8);
        }
    }
    Some(Value::Bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_become_properties() {
        let long = |name, number| vec![(name, Value::Long(number))];
        assert_eq!(one("memory.max", "max"), long("MemoryMax", u64::MAX));
        assert_eq!(one("pids.max", "7"), long("TasksMax", 7));
        assert_eq!(one("cpu.idle", "1"), long("CPUWeight", 0));
        assert_eq!(one("cpu.max", "50000"), long("CPUQuotaPerSecUSec", 500_000));
        assert_eq!(
            one("cpu.max", "33333 100000"),
            [
                ("CPUQuotaPerSecUSec", Value::Long(340_000)),
                ("CPUQuotaPeriodUSec", Value::Long(100_000))
            ]
        );
        assert_eq!(
            one("cpuset.cpus", "0-2,9"),
            [("AllowedCPUs", Value::Bytes(vec![7, 2]))]
        );
        assert_eq!(one("io.max", "8:0 rbps=1"), []);
    }
}

//! Reading a [`Report`]: each hierarchy is asked for what it has.

mod v1;
mod v2;

use super::group::Group;
use super::hierarchy::{ENOENT, Hierarchy};
use super::layout::Version;
use crate::report::{Block, Huge, Report};
use crate::{Error, Result};
use std::collections::BTreeMap;

/// The page sizes of all architectures, as the kernel names them.
const PAGE_SIZES: [&str; 11] = [
    "64KB", "1MB", "2MB", "4MB", "8MB", "16MB", "32MB", "512MB", "1GB", "2GB", "16GB",
];

impl Group {
    /// Everything that the processes in the group and below use and have used.
    ///
    /// # Errors
    /// NotFound when the group is gone; Permission, Kernel; Unsupported when the container has no group.
    pub fn report(&self) -> Result<Report> {
        if self.present().next().is_none() {
            return Err(Error::NoGroup {
                doing: "read the statistics",
            });
        }
        let unified = self.unified();
        let place = |controller: &str| self.v1(controller).or(unified);
        let mut report = Report::default();
        if let Some(place) = place("cpuacct") {
            report.cpu = match place.version {
                Version::V1 => v1::cpu(place, self.v1("cpu"))?,
                Version::V2 => v2::cpu(place)?,
            };
        }
        if let Some(place) = place("cpuset") {
            report.cpuset = match place.version {
                Version::V1 => v1::cpuset(place)?,
                Version::V2 => v2::cpuset(place)?,
            };
        }
        if let Some(place) = place("memory") {
            report.memory = match place.version {
                Version::V1 => v1::memory(place)?,
                Version::V2 => v2::memory(place)?,
            };
        }
        if let Some(place) = place("pids") {
            report.pids.current = number(place, "pids.current")?;
            let limit = number(place, "pids.max")?;
            report.pids.limit = if limit == u64::MAX { 0 } else { limit };
        }
        report.blkio = match (self.v1("blkio"), unified) {
            (Some(place), _) => v1::block(place)?,
            (None, Some(place)) => v2::block(place)?,
            (None, None) => Block::default(),
        };
        if let Some(place) = place("hugetlb") {
            report.hugetlb = huge(place)?;
        }
        Ok(report)
    }
}

fn huge(place: &Hierarchy) -> Result<BTreeMap<String, Huge>> {
    let mut sizes = BTreeMap::new();
    for size in PAGE_SIZES {
        let used = match place.version {
            Version::V1 => v1::huge(place, size)?,
            Version::V2 => v2::huge(place, size)?,
        };
        sizes.extend(used.map(|used| (size.to_owned(), used)));
    }
    Ok(sizes)
}

/// A file that is there only with its controller or kernel.
fn optional(place: &Hierarchy, file: &str) -> Result<Option<String>> {
    match place.get(file) {
        Err(Error::Read { source, .. }) if source.code() == ENOENT => Ok(None),
        result => result.map(Some),
    }
}

/// A file with one number: 0 when there is none, the largest for `max`.
fn number(place: &Hierarchy, file: &str) -> Result<u64> {
    Ok(optional(place, file)?.map_or(0, |text| value(&text)))
}

fn value(text: &str) -> u64 {
    match text.trim() {
        "max" => u64::MAX,
        text => text.parse().unwrap_or(0),
    }
}

/// A file of lines with a key and a number.
fn table(text: &str) -> BTreeMap<String, u64> {
    let lines = text.lines().filter_map(|line| {
        let (key, number) = line.split_once(' ')?;
        Some((key.to_owned(), number.trim().parse().ok()?))
    });
    lines.collect()
}

/// A list such as `0-2,7`, written out.
fn list(text: &str) -> Vec<u16> {
    let parts = text.trim().split(',').filter_map(|part| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.parse::<u16>().ok()?..=last.parse::<u16>().ok()?)
    });
    parts.flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_written_out() {
        assert_eq!(list("0-2,7\n"), [0, 1, 2, 7]);
        assert_eq!(list("\n"), Vec::<u16>::new());
    }

    #[test]
    fn numbers() {
        assert_eq!((value("max\n"), value("7\n"), value("")), (u64::MAX, 7, 0));
    }
}

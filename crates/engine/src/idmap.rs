//! Which ids of the host stand for those in a user namespace.
//!
//! Source: user_namespaces(7), subuid(5), newuidmap(1).

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// One range of a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Range {
    /// The first id in the namespace.
    #[serde(rename = "containerID")]
    pub(crate) container: u32,
    /// The first id on the host.
    #[serde(rename = "hostID")]
    pub(crate) host: u32,
    /// How many.
    pub(crate) size: u32,
}

/// The maps of a user namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Maps {
    /// Users.
    pub(crate) users: Vec<Range>,
    /// Groups.
    pub(crate) groups: Vec<Range>,
}

impl Maps {
    /// The maps of an ordinary user: root in the namespace is the user, the rest the ranges that the
    /// system gave; without ranges, root alone.
    pub(crate) fn of_user(
        user: u32,
        group: u32,
        subuid: &[(u32, u32)],
        subgid: &[(u32, u32)],
    ) -> Self {
        Self {
            users: root_first(user, subuid),
            groups: root_first(group, subgid),
        }
    }

    /// Whether there is more than one id, so that files can keep their owners.
    pub(crate) fn has_ranges(&self) -> bool {
        self.users.len() > 1 && self.groups.len() > 1
    }

    /// Whether a user id of the namespace stands for one of the host.
    pub(crate) fn has_user(&self, id: u32) -> bool {
        has(&self.users, id)
    }

    /// Whether a group id of the namespace stands for one of the host.
    pub(crate) fn has_group(&self, id: u32) -> bool {
        has(&self.groups, id)
    }

    /// The same ids with the user's own number standing for himself (`--userns=keep-id`).
    pub(crate) fn keep(&self, user: u32, group: u32) -> Result<Self> {
        if !self.has_ranges() {
            return Err(Error::unsupported(
                "--userns keep-id",
                "this user has no ranges in /etc/subuid and /etc/subgid",
            ));
        }
        Ok(Self {
            users: keep(&self.users, user),
            groups: keep(&self.groups, group),
        })
    }

    /// The arguments of newuidmap or newgidmap for one of the maps.
    pub(crate) fn words(ranges: &[Range]) -> Vec<String> {
        ranges
            .iter()
            .flat_map(|range| [range.container, range.host, range.size])
            .map(|number| number.to_string())
            .collect()
    }
}

fn has(ranges: &[Range], id: u32) -> bool {
    ranges
        .iter()
        .any(|range| id >= range.container && id - range.container < range.size)
}

fn root_first(own: u32, ranges: &[(u32, u32)]) -> Vec<Range> {
    let mut map = vec![Range {
        container: 0,
        host: own,
        size: 1,
    }];
    let mut next = 1u32;
    for (host, size) in ranges {
        let size = (*size).min(u32::MAX - next);
        if size > 0 {
            map.push(Range {
                container: next,
                host: *host,
                size,
            });
            next += size;
        }
    }
    map
}

/// Moves `own` from 0 to itself and closes the gap with the ranges.
fn keep(map: &[Range], own: u32) -> Vec<Range> {
    let mut kept = Vec::new();
    let mut next = 0u32;
    for range in &map[1..] {
        let before = own.saturating_sub(next).min(range.size);
        if before > 0 {
            kept.push(Range {
                container: next,
                host: range.host,
                size: before,
            });
            next += before;
        }
        if next == own {
            next += 1;
        }
        if range.size > before {
            kept.push(Range {
                container: next,
                host: range.host + before,
                size: range.size - before,
            });
            next += range.size - before;
        }
    }
    kept.push(Range {
        container: own,
        host: own,
        size: 1,
    });
    kept.sort_by_key(|range| range.container);
    kept
}

/// The ranges that `/etc/subuid` or `/etc/subgid` gives a user, by number or name.
pub(crate) fn ranges_of(file: &Path, user: u32, name: Option<&str>) -> Vec<(u32, u32)> {
    std::fs::read_to_string(file).map_or_else(|_| Vec::new(), |text| parse(&text, user, name))
}

fn parse(text: &str, user: u32, name: Option<&str>) -> Vec<(u32, u32)> {
    let own = user.to_string();
    text.lines()
        .filter_map(|line| {
            let mut fields = line.trim().split(':');
            let holder = fields.next()?;
            if holder != own && Some(holder) != name {
                return None;
            }
            let start: u32 = fields.next()?.parse().ok()?;
            let size: u32 = fields.next()?.parse().ok()?;
            (size > 0 && start.checked_add(size).is_some()).then_some((start, size))
        })
        .collect()
}

/// The name of a user of the host, by the host's own list.
pub(crate) fn user_name(user: u32) -> Option<String> {
    let text = std::fs::read_to_string("/etc/passwd").ok()?;
    let own = user.to_string();
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == own).then(|| name.to_owned())
    })
}

/// A set-user-id helper of the host, `newuidmap` or `newgidmap`.
pub(crate) fn helper(name: &str) -> Option<PathBuf> {
    ["/usr/bin", "/bin", "/usr/local/bin", "/run/wrappers/bin"]
        .iter()
        .map(|directory| Path::new(directory).join(name))
        .find(|path| path.exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(container: u32, host: u32, size: u32) -> Range {
        Range {
            container,
            host,
            size,
        }
    }

    #[test]
    fn ranges_of_the_files() {
        let text =
            "other:1:5\nme:100000:65536\n1000:300000:10\nme:bad:1\nme:1:0\nme:4294967295:9\n";
        assert_eq!(
            parse(text, 1000, Some("me")),
            [(100_000, 65_536), (300_000, 10)]
        );
        assert_eq!(parse(text, 7, None), []);
    }

    #[test]
    fn root_is_the_user() {
        let maps = Maps::of_user(1000, 1001, &[(100_000, 65_536)], &[]);
        assert_eq!(maps.users, [range(0, 1000, 1), range(1, 100_000, 65_536)]);
        assert_eq!(maps.groups, [range(0, 1001, 1)]);
        assert!(!maps.has_ranges() && maps.has_group(0) && !maps.has_group(5));
    }

    #[test]
    fn keeping_the_own_id() {
        let maps = Maps::of_user(1000, 5, &[(100_000, 65_536)], &[(100_000, 3)]);
        let kept = maps.keep(1000, 5).expect("ranges");
        assert_eq!(
            kept.users,
            [
                range(0, 100_000, 1000),
                range(1000, 1000, 1),
                range(1001, 101_000, 64_536)
            ]
        );
        assert_eq!(kept.groups, [range(0, 100_000, 3), range(5, 5, 1)]);
        let bare = Maps::of_user(1000, 1000, &[], &[]);
        assert!(bare.keep(1000, 1000).is_err());
    }
}

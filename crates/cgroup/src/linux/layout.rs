//! `/proc/self/cgroup` and `/proc/self/mountinfo` as data: pure parsing, no decisions of the host.
//!
//! Sources: cgroups(7), proc_pid_mountinfo(5).

use dhow_sys::procfs::unescape;
use std::path::PathBuf;

/// The version of a hierarchy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Version {
    /// One hierarchy per controller.
    V1,
    /// The unified hierarchy.
    V2,
}

/// One line of `/proc/self/cgroup`: our place in one hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) version: Version,
    /// Controllers of a v1 hierarchy; a named one is `name=systemd`. Empty for v2.
    pub(crate) controllers: Vec<String>,
    /// Our group, absolute.
    pub(crate) path: String,
}

/// Reads `/proc/self/cgroup`. Named v1 hierarchies other than systemd's are left out: they belong to
/// somebody else.
pub(crate) fn places(text: &str) -> Vec<Place> {
    text.lines()
        .filter_map(|line| {
            let mut fields = line.splitn(3, ':');
            let number = fields.next()?;
            let controllers: Vec<String> = fields.next()?.split(',').map(str::to_owned).collect();
            let path = fields.next()?.to_owned();
            let unified = number == "0" && controllers == [""];
            let foreign = controllers
                .iter()
                .any(|name| name.starts_with("name=") && name != "name=systemd");
            if foreign || (!unified && controllers.iter().any(String::is_empty)) {
                return None;
            }
            Some(Place {
                version: if unified { Version::V2 } else { Version::V1 },
                controllers: if unified { Vec::new() } else { controllers },
                path,
            })
        })
        .collect()
}

/// A cgroup mount of `/proc/self/mountinfo`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mount {
    pub(crate) version: Version,
    /// The group that is visible as the mount's root.
    pub(crate) root: String,
    pub(crate) point: PathBuf,
    /// Superblock options; a v1 hierarchy's controllers are among them.
    pub(crate) options: Vec<String>,
}

/// Reads the cgroup mounts of a mountinfo.
pub(crate) fn mounts(text: &str) -> Vec<Mount> {
    text.lines()
        .filter_map(|line| {
            let (left, right) = line.split_once(" - ")?;
            let mut right = right.split(' ');
            let version = match right.next()? {
                "cgroup" => Version::V1,
                "cgroup2" => Version::V2,
                _ => return None,
            };
            let options = right.nth(1).unwrap_or("");
            let mut left = left.split(' ').skip(3);
            Some(Mount {
                version,
                root: unescape(left.next()?),
                point: PathBuf::from(unescape(left.next()?)),
                options: options.split(',').map(str::to_owned).collect(),
            })
        })
        .collect()
}

/// Where our group is below a mount, without slashes around; `None` when the mount does not show it.
pub(crate) fn below(mount_root: &str, own: &str) -> Option<String> {
    // A namespace shows what is outside of it as `/..`: such a root or place is not comparable.
    if mount_root
        .split('/')
        .chain(own.split('/'))
        .any(|part| part == "..")
    {
        return None;
    }
    let root = mount_root.trim_end_matches('/');
    let rest = own.strip_prefix(root)?;
    (rest.is_empty() || rest.starts_with('/')).then(|| rest.trim_matches('/').to_owned())
}

/// Of the mounts of one hierarchy, the one to use: it shows our group, and stands below
/// `/sys/fs/cgroup` if any does. A foreign root directory's mounts then do not matter.
pub(crate) fn choose<'a>(place: &Place, mounts: &'a [Mount]) -> Option<(&'a Mount, String)> {
    let same = |mount: &&Mount| {
        mount.version == place.version
            && place
                .controllers
                .iter()
                .all(|name| mount.options.contains(name))
    };
    let fitting = mounts
        .iter()
        .filter(same)
        .filter_map(|mount| Some((mount, below(&mount.root, &place.path)?)));
    let mut fitting: Vec<_> = fitting.collect();
    // Stable: among equals the first mounted stays first.
    fitting.sort_by_key(|(mount, _)| !mount.point.starts_with("/sys/fs/cgroup"));
    fitting.into_iter().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_a_hybrid_host() {
        let text = "9:name=systemd:/a\n8:name=elogind:/b\n4:cpu,cpuacct:/x:y\n0::/user.slice\n";
        let places = places(text);
        assert_eq!(places.len(), 3);
        assert_eq!(places[0].controllers, ["name=systemd"]);
        assert_eq!(places[1].controllers, ["cpu", "cpuacct"]);
        assert_eq!(places[1].path, "/x:y");
        assert_eq!(
            (places[2].version, places[2].path.as_str()),
            (Version::V2, "/user.slice")
        );
    }

    const MOUNTINFO: &str = "\
40 20 0:30 / /srv/chroot/sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
41 20 0:30 /docker/x /sys/fs/cgroup/memory ro,nosuid shared:9 - cgroup cgroup rw,memory
42 20 0:31 / /mnt/with\\040space rw - cgroup2 cgroup2 rw,nsdelegate
43 20 0:5 / /dev rw - devtmpfs none rw
";

    #[test]
    fn the_mount_that_shows_us_is_chosen() {
        let mounts = mounts(MOUNTINFO);
        assert_eq!(mounts.len(), 3);
        assert_eq!(mounts[2].point, PathBuf::from("/mnt/with space"));
        let place = |path: &str| Place {
            version: Version::V1,
            controllers: vec!["memory".into()],
            path: path.into(),
        };
        let (mount, own) = choose(&place("/docker/x/y"), &mounts).unwrap();
        assert_eq!(
            (mount.point.to_str().unwrap(), own.as_str()),
            ("/sys/fs/cgroup/memory", "y")
        );
        // Not shown by the usual mount: the foreign one is the only one that fits.
        let (mount, own) = choose(&place("/docker/xyz"), &mounts).unwrap();
        assert_eq!((mount.root.as_str(), own.as_str()), ("/", "docker/xyz"));
    }

    #[test]
    fn outside_of_the_namespace_is_nowhere() {
        assert_eq!(below("/..", "/"), None);
        assert_eq!(below("/", "/../sibling"), None);
        assert_eq!(below("/", "/"), Some(String::new()));
        assert_eq!(below("/a", "/ab"), None);
    }
}

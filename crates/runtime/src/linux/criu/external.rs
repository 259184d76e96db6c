//! What of a container lies outside it, and so is named in its images instead of being in them: mounts
//! of host directories, the standard streams, a network or pid namespace that was joined.

use crate::error::{At, Error, Result};
use crate::plan::Plan;
use crate::plan::mounts::Source;
use crate::plan::namespaces::Kind;
use dhow_sys::fd;
use dhow_sys::procfs::{Procfs, unescape};
use serde::{Deserialize, Serialize};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

/// Everything outside, at the time of the checkpoint.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct External {
    /// Mounts of the host's trees.
    pub mounts: Vec<Mount>,
    /// What standard input, output and error were; `None` for what is the container's own.
    pub streams: [Option<String>; 3],
    /// Namespaces that were joined by path, with their inode numbers.
    pub namespaces: Vec<(String, u64)>,
}

/// A mount of a tree of the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// Where it is in the container.
    pub point: String,
    /// What it was on the host.
    pub source: PathBuf,
}

impl External {
    /// What is outside of a running container.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for what CRIU cannot bring back as it was; the call.
    pub fn of(procfs: &Procfs, pid: u32, plan: &Plan) -> Result<Self> {
        refuse(plan)?;
        let step = "read the container's mounts";
        let table = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let inside = table(procfs.read(&format!("{pid}/mountinfo")).at(step)?);
        let host = table(procfs.read_own("mountinfo").at(step)?);
        let (inside, host) = (entries(&inside), entries(&host));
        let stream = |number| stream(procfs, pid, number, &inside);
        let joined = plan.namespaces.join.iter().map(|(kind, _)| *kind);
        let mut namespaces = Vec::new();
        for kind in joined.filter(|kind| matches!(kind, Kind::Network | Kind::Pid)) {
            let step = "look at the container's namespaces";
            let namespace = procfs.namespace(pid, kind.file()).at(step)?;
            let inode = fd::stat(namespace.as_fd()).at(step)?.st_ino;
            namespaces.push((kind.file().to_owned(), inode));
        }
        Ok(Self {
            mounts: mounts(&inside, &host),
            streams: [stream(0)?, stream(1)?, stream(2)?],
            namespaces,
        })
    }

    /// How CRIU's options name them.
    pub fn names(&self) -> impl Iterator<Item = String> {
        let mounts = self.mounts.iter();
        let mounts = mounts.map(|mount| format!("mnt[{0}]:{0}", mount.point));
        let files = self.streams.iter().flatten();
        let files = files.filter(|name| name.starts_with("file[")).cloned();
        let namespaces = self.namespaces.iter();
        let namespaces =
            namespaces.map(|(kind, inode)| format!("{kind}[{inode}]:{}", joined(kind)));
        mounts.chain(files).chain(namespaces)
    }
}

/// The name under which a joined namespace is given to CRIU.
#[must_use]
pub fn joined(kind: &str) -> String {
    format!("dhow-{kind}")
}

/// What CRIU would silently make anew, or leave out, is refused.
fn refuse(plan: &Plan) -> Result<()> {
    let refused = |what: &str| {
        Err(Error::Unsupported(format!(
            "cannot checkpoint a container with {what}: CRIU would not bring it back as it was"
        )))
    };
    if let Some(index) = plan.mounts.iter().position(|mount| mount.id_map.is_some()) {
        return refused(&format!("an id-mapped mount (mounts[{index}])"));
    }
    let lost = |kind: &Kind| !matches!(kind, Kind::Network | Kind::Pid | Kind::Cgroup);
    let mut joined = plan.namespaces.join.iter().map(|(kind, _)| kind);
    if let Some(kind) = joined.find(|kind| lost(kind)) {
        return refused(&format!("a {} namespace that it has joined", kind.word()));
    }
    if plan.memory_policy.is_some() {
        return refused("linux.memoryPolicy");
    }
    Ok(())
}

/// A standard stream as the other side must give it again; `None` when it is a file of the container.
fn stream(procfs: &Procfs, pid: u32, number: u32, inside: &[Entry<'_>]) -> Result<Option<String>> {
    let step = "look at the standard streams";
    let (file, name) = match procfs.descriptor(pid, number) {
        Err(error) if error.code() == 2 => return Ok(None),
        found => found.at(step)?,
    };
    if name.starts_with("pipe:[") || name.starts_with("socket:[") {
        return Ok(Some(name));
    }
    let information = procfs.read(&format!("{pid}/fdinfo/{number}")).at(step)?;
    let information = String::from_utf8_lossy(&information);
    let mount = information
        .lines()
        .find_map(|line| line.strip_prefix("mnt_id:"));
    let mount = mount.map(str::trim).unwrap_or_default();
    if inside.iter().any(|entry| entry.id == mount) {
        return Ok(None);
    }
    let inode = fd::stat(file.as_fd()).at(step)?.st_ino;
    let mount: u32 = mount.parse().unwrap_or_default();
    Ok(Some(format!("file[{mount:x}:{inode:x}]")))
}

/// A line of `/proc/PID/mountinfo` (`proc_pid_mountinfo(5)`).
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry<'a> {
    id: &'a str,
    device: &'a str,
    root: String,
    point: String,
}

fn entries(table: &str) -> Vec<Entry<'_>> {
    table
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            let (id, _, device) = (words.next()?, words.next()?, words.next()?);
            Some(Entry {
                id,
                device,
                root: unescape(words.next()?),
                point: unescape(words.next()?),
            })
        })
        .collect()
}

/// The mounts inside whose filesystem the host has mounted too, unless it is the root's own.
fn mounts(inside: &[Entry<'_>], host: &[Entry<'_>]) -> Vec<Mount> {
    let root = inside.iter().rfind(|entry| entry.point == "/");
    let of_the_root = |entry: &Entry<'_>| {
        root.is_some_and(|root| {
            root.device == entry.device && below(&entry.root, &root.root).is_some()
        })
    };
    let on_the_host = |entry: &Entry<'_>| {
        let same = host.iter().filter(|other| other.device == entry.device);
        same.filter_map(|other| Some((other, below(&entry.root, &other.root)?)))
            .max_by_key(|(other, _)| other.root.len())
            .map(|(other, rest)| join(&other.point, rest))
    };
    inside
        .iter()
        .filter(|entry| entry.point != "/" && !of_the_root(entry))
        .filter_map(|entry| {
            Some(Mount {
                point: entry.point.clone(),
                source: on_the_host(entry)?,
            })
        })
        .collect()
}

/// What of a path comes after a directory; `None` when it is not below it.
fn below<'a>(path: &'a str, directory: &str) -> Option<&'a str> {
    let rest = path.strip_prefix(directory.trim_end_matches('/'))?;
    (rest.is_empty() || rest.starts_with('/')).then_some(rest)
}

fn join(directory: &str, rest: &str) -> PathBuf {
    PathBuf::from(format!("{}{rest}", directory.trim_end_matches('/')))
}

/// Where each mount comes from this time: where the bundle says, or the new cgroup. What the images say
/// it was counts only for what every container may have of the host.
///
/// # Errors
/// [`Error::Unsupported`] for a mount of which the bundle says nothing: images decide about no path of the
/// host.
pub fn sources(
    external: &External,
    plan: &Plan,
    bundle: &Path,
    groups: &[(PathBuf, PathBuf)],
) -> Result<Vec<Mount>> {
    let now = |mount: &Mount| {
        let source = planned(plan, bundle, &mount.point)
            .or_else(|| in_group(groups, &mount.source))
            .or_else(|| common(mount).then(|| mount.source.clone()));
        let source = source.ok_or_else(|| {
            Error::Unsupported(format!(
                "cannot restore: {} was mounted at {}; the bundle has no such mount",
                mount.source.display(),
                mount.point
            ))
        })?;
        Ok(Mount {
            point: mount.point.clone(),
            source,
        })
    };
    external.mounts.iter().map(now).collect()
}

/// The bundle's word: a tree that is bound there, or above it with all that is mounted in it.
fn planned(plan: &Plan, bundle: &Path, point: &str) -> Option<PathBuf> {
    plan.mounts.iter().rev().find_map(|mount| {
        let Source::Bind { path, .. } = &mount.source else {
            return None;
        };
        let rest = below(point, &mount.destination)?;
        let whole = bundle.join(path);
        Some(whole.join(rest.trim_start_matches('/')))
    })
}

/// The directory of the new group in the hierarchy that is mounted where this one comes from.
fn in_group(groups: &[(PathBuf, PathBuf)], source: &Path) -> Option<PathBuf> {
    let hierarchy = groups
        .iter()
        .filter(|(mounted, _)| source.starts_with(mounted));
    let deepest = hierarchy.max_by_key(|(mounted, _)| mounted.as_os_str().len());
    deepest.map(|(_, directory)| directory.clone())
}

/// The null device, which hides files; a device, or the host's `/sys`, where a user namespace cannot
/// have its own.
fn common(mount: &Mount) -> bool {
    let same = mount.source == Path::new(&mount.point);
    mount.source == Path::new("/dev/null")
        || (same && (mount.point.starts_with("/dev/") || below(&mount.point, "/sys").is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const INSIDE: &str = "\
57 58 254:0 /srv/c/rootfs / rw - ext4 /dev/vda rw
87 88 0:6 /null /proc/keys rw - devtmpfs devtmpfs rw
88 57 0:53 / /proc rw - proc proc rw
90 57 254:0 /srv/c/rootfs/etc /etc ro - ext4 /dev/vda rw
91 57 254:0 /srv/my\\040data /data rw - ext4 /dev/vda rw
92 57 0:32 /jobs/dhow-c /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory
";
    const HOST: &str = "\
20 1 254:0 / / rw - ext4 /dev/vda rw
21 20 0:6 / /dev rw - devtmpfs devtmpfs rw
22 20 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
";

    fn mount(point: &str, source: &str) -> Mount {
        Mount {
            point: point.into(),
            source: source.into(),
        }
    }

    #[test]
    fn mounts_of_the_host_are_outside_and_the_roots_own_are_not() {
        let found = mounts(&entries(INSIDE), &entries(HOST));
        let expected = [
            mount("/proc/keys", "/dev/null"),
            mount("/data", "/srv/my data"),
            mount("/sys/fs/cgroup/memory", "/sys/fs/cgroup/memory/jobs/dhow-c"),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_path_is_below_only_with_whole_components() {
        assert_eq!(below("/a/b", "/a"), Some("/b"));
        assert_eq!(below("/a", "/"), Some("/a"));
        assert_eq!(below("/ab", "/a"), None);
    }

    #[test]
    fn images_decide_about_no_path_of_the_host() {
        for (point, source) in [("/data", "/"), ("/dev/sda", "/srv/x"), ("/sys", "/etc")] {
            assert!(!common(&mount(point, source)), "{point}");
        }
        for (point, source) in [
            ("/proc/keys", "/dev/null"),
            ("/dev/tty", "/dev/tty"),
            ("/sys", "/sys"),
        ] {
            assert!(common(&mount(point, source)), "{point}");
        }
    }

    #[test]
    fn names_are_those_of_criu() {
        let external = External {
            mounts: vec![mount("/data", "/srv")],
            streams: [Some("file[18:3]".into()), Some("pipe:[7]".into()), None],
            namespaces: vec![("net".into(), 4026)],
        };
        let names: Vec<_> = external.names().collect();
        assert_eq!(
            names,
            ["mnt[/data]:/data", "file[18:3]", "net[4026]:dhow-net"]
        );
    }
}

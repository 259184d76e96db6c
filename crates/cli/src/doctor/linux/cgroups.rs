//! Which limits this user can set: the cgroup version and the controllers within reach.

use super::super::Check;
use super::read;
use std::path::{Path, PathBuf};

const AREA: &str = "limits";
/// What `dhow run` has options for.
const WANTED: [&str; 3] = ["memory", "cpu", "pids"];

/// Version and controllers.
pub(super) fn checks() -> Vec<Check> {
    let mounts = Mounts::parse(&read("/proc/self/mountinfo").unwrap_or_default());
    let own = read("/proc/self/cgroup").unwrap_or_default();
    vec![version(&mounts), controllers(&mounts, &own)]
}

#[derive(Debug, PartialEq, Eq)]
struct Mounts {
    unified: Option<PathBuf>,
    /// Mount point and controllers, version 1.
    separate: Vec<(PathBuf, Vec<String>)>,
}

impl Mounts {
    fn parse(mountinfo: &str) -> Self {
        let mut mounts = Self {
            unified: None,
            separate: Vec::new(),
        };
        for line in mountinfo.lines() {
            let Some((before, after)) = line.split_once(" - ") else {
                continue;
            };
            let (Some(point), mut fields) = (before.split(' ').nth(4), after.split(' ')) else {
                continue;
            };
            match (fields.next(), fields.next_back()) {
                (Some("cgroup2"), _) => mounts.unified = Some(point.into()),
                (Some("cgroup"), Some(options)) => {
                    let names = options
                        .split(',')
                        .filter(|option| !matches!(*option, "rw" | "ro"));
                    mounts
                        .separate
                        .push((point.into(), names.map(str::to_owned).collect()));
                }
                _ => {}
            }
        }
        mounts
    }
}

fn version(mounts: &Mounts) -> Check {
    let cost = "limits of containers are less exact, and users other than root cannot set any";
    let fix =
        "boot with systemd.unified_cgroup_hierarchy=1, or mount cgroup2 alone on /sys/fs/cgroup";
    match (&mounts.unified, mounts.separate.is_empty()) {
        (Some(path), true) => {
            Check::ok(AREA, "cgroups", format!("version 2 on {}", path.display()))
        }
        (Some(path), false) => {
            let detail = format!("hybrid: version 1, and version 2 on {}", path.display());
            Check::ok(AREA, "cgroups", detail).limited(cost, fix)
        }
        (None, false) => Check::ok(AREA, "cgroups", "version 1").limited(cost, fix),
        (None, true) => Check::ok(AREA, "cgroups", "not mounted").limited(
            "containers run without limits",
            "mount -t cgroup2 none /sys/fs/cgroup, as root",
        ),
    }
}

/// Which of the wanted controllers this user can use.
fn controllers(mounts: &Mounts, own: &str) -> Check {
    let usable: Vec<&str> = WANTED
        .into_iter()
        .filter(|name| reachable(mounts, own, name))
        .collect();
    let missing: Vec<&str> = WANTED
        .into_iter()
        .filter(|name| !usable.contains(name))
        .collect();
    let detail = if usable.is_empty() {
        "none within reach".into()
    } else {
        usable.join(", ")
    };
    let check = Check::ok(AREA, "controllers", detail);
    if missing.is_empty() {
        return check;
    }
    let cost = format!("limits of {} are refused", missing.join(", "));
    if dhow_sys::id::effective_user() == 0 {
        let fix = "this process lives in a cgroup without them: enable them above it, or start dhow elsewhere";
        return check.limited(cost, fix);
    }
    if !mounts.separate.is_empty() {
        return check.limited(cost, "version 1 controllers are root's: see the line above");
    }
    check.limited(
        cost,
        "start your shell by `systemd-run --user --scope -p Delegate=yes bash`; for more controllers, as root, \
         write `[Service]` and `Delegate=cpu cpuset io memory pids` to \
         /etc/systemd/system/user@.service.d/delegate.conf",
    )
}

/// Whether a cgroup with this controller can be made: below our own in version 2, where root may go
/// anywhere, or in the controller's hierarchy of version 1.
fn reachable(mounts: &Mounts, own: &str, controller: &str) -> bool {
    let line = |wanted: &dyn Fn(&str) -> bool| {
        own.lines().find_map(|line| {
            let mut parts = line.splitn(3, ':').skip(1);
            let (names, path) = (parts.next()?, parts.next()?);
            wanted(names).then(|| path.trim_start_matches('/').to_owned())
        })
    };
    let root = dhow_sys::id::effective_user() == 0;
    let unified = || {
        let mount = mounts.unified.as_ref()?;
        let group = if root {
            mount.clone()
        } else {
            mount.join(line(&str::is_empty)?)
        };
        let offered = read(group.join("cgroup.controllers"))?;
        let has = offered.split(' ').any(|name| name == controller);
        Some(has && writable(&group, "cgroup.subtree_control"))
    };
    let separate = || {
        let has = |names: &str| names.split(',').any(|name| name == controller);
        let (mount, _) = mounts
            .separate
            .iter()
            .find(|(_, names)| names.iter().any(|name| name == controller))?;
        Some(writable(&mount.join(line(&has)?), "tasks"))
    };
    unified().unwrap_or(false) || separate().unwrap_or(false)
}

fn writable(group: &Path, file: &str) -> bool {
    dhow_sys::feature::may_write(group) && dhow_sys::feature::may_write(&group.join(file))
}

#[cfg(test)]
mod tests {
    use super::super::super::Status;
    use super::*;

    const UNIFIED: &str = "30 1 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate";
    const SEPARATE: &str = "31 1 0:27 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct";

    #[test]
    fn the_version_follows_the_mounts() {
        let detail = |text: &str| version(&Mounts::parse(text)).detail;
        assert_eq!(detail(UNIFIED), "version 2 on /sys/fs/cgroup");
        assert_eq!(detail(SEPARATE), "version 1");
        assert!(detail(&format!("{UNIFIED}\n{SEPARATE}")).starts_with("hybrid"));
        assert_eq!(detail(""), "not mounted");
    }

    #[test]
    fn controllers_of_version_1_are_read_from_the_options() {
        let mounts = Mounts::parse(SEPARATE);
        assert_eq!(mounts.separate[0].1, ["cpu", "cpuacct"]);
    }

    #[test]
    fn no_mount_means_no_limit() {
        let check = controllers(&Mounts::parse(""), "0::/\n");
        assert_eq!(check.status, Status::Limited);
        assert!(check.cost.unwrap().contains("memory, cpu, pids"));
    }
}

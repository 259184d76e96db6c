//! Calls and namespaces of the kernel.

use super::super::Check;
use super::answer::ask;
use dhow_sys::feature::{self, Feature};
use std::path::Path;

const AREA: &str = "kernel";
/// The oldest release on which every essential call is there.
const OLDEST: &str = "Linux 5.11";

/// Release, calls, namespaces.
pub(super) fn checks() -> Vec<Check> {
    let release = format!("Linux {}", feature::kernel_release());
    let mut checks = vec![Check::ok(AREA, "release", release)];
    checks.extend(calls().map(|(name, feature, need)| judge(name, feature::probe(feature), need)));
    checks.push(seccomp_notify());
    checks.extend(namespaces());
    checks.push(mounts());
    checks
}

/// What becomes of containers without a call.
#[derive(Clone, Copy)]
enum Need {
    /// Nothing runs; with the first kernel that has it.
    Essential(&'static str),
    /// There is another way, at this price; with the first kernel that has it.
    Useful(&'static str, &'static str),
}

fn calls() -> impl Iterator<Item = (&'static str, Feature, Need)> {
    let slower = "paths are resolved step by step, which is slower";
    [
        ("new mount API", Feature::MountApi, Need::Essential("5.2")),
        (
            "mount_setattr",
            Feature::MountSetattr,
            Need::Essential("5.12"),
        ),
        ("pidfd", Feature::Pidfd, Need::Essential("5.3")),
        ("openat2", Feature::Openat2, Need::Useful("5.6", slower)),
        (
            "clone into a cgroup",
            Feature::CloneIntoCgroup,
            Need::Essential("5.7"),
        ),
        ("close_range", Feature::CloseRange, Need::Essential("5.11")),
    ]
    .into_iter()
}

fn judge(name: &'static str, answer: dhow_sys::Result<()>, need: Need) -> Check {
    let Err(error) = answer else {
        return Check::ok(AREA, name, "answers");
    };
    let check = Check::ok(AREA, name, error.to_string());
    let fix = |first: &str| match error.name().as_str() {
        "EPERM" => "a seccomp filter on this process forbids it: allow it there".to_owned(),
        _ => format!(
            "run Linux {first} or newer, or allow the call in the filter around this process"
        ),
    };
    match need {
        Need::Essential(first) => check.missing("no container runs without it", fix(first)),
        Need::Useful(first, cost) => check.limited(cost, fix(first)),
    }
}

fn seccomp_notify() -> Check {
    /// `SECCOMP_RET_USER_NOTIF`
    const USER_NOTIFICATION: u32 = 0x7fc0_0000;
    if dhow_sys::seccomp::knows_action(USER_NOTIFICATION) {
        Check::ok(AREA, "seccomp notify", "answers")
    } else {
        Check::ok(AREA, "seccomp notify", "not known").limited(
            "profiles with the action SCMP_ACT_NOTIFY are refused",
            "run Linux 5.0 or newer, built with CONFIG_SECCOMP_FILTER",
        )
    }
}

/// Runs one of our own probes in a child.
///
/// # Errors
/// What it says did not work.
pub(super) fn probe(name: &str, directory: &Path) -> Result<(), String> {
    let own =
        std::env::current_exe().map_err(|error| format!("readlink(/proc/self/exe) = {error}"))?;
    let answer = ask(&own, &["__probe", name, &directory.to_string_lossy()])?;
    if answer.success {
        Ok(())
    } else {
        Err(answer.text)
    }
}

/// With the rights that this process has, and in a user namespace, where an ordinary user has them.
fn namespaces() -> Vec<Check> {
    let mut checks = Vec::new();
    if dhow_sys::id::effective_user() == 0 {
        checks.push(match probe("namespaces-root", Path::new("/")) {
            Err(text) if text.contains("EPERM") => {
                Check::ok(AREA, "namespaces", format!("refused: {text}")).missing(
                    "this root may not make them, so it cannot run containers",
                    "give this process CAP_SYS_ADMIN, and allow unshare and mounts in its filter",
                )
            }
            result => judge_namespaces("namespaces", result),
        });
    }
    checks.push(match probe("namespaces-user", Path::new("/")) {
        Err(text) if text.starts_with("unshare") || text.starts_with("write") => {
            super::users::without_user_namespaces(Check::ok(AREA, "user namespaces", text))
        }
        result => judge_namespaces("user namespaces", result),
    });
    checks
}

fn judge_namespaces(name: &'static str, result: Result<(), String>) -> Check {
    match result {
        Ok(()) => Check::ok(AREA, name, "with mounts, processes, network, ipc, names, cgroups and clocks"),
        Err(text) if text.split(", ").all(|kind| kind.starts_with("time")) => {
            Check::ok(AREA, name, format!("all but {text}")).limited(
                "containers cannot have clocks of their own, which few want",
                "run Linux 5.6 or newer",
            )
        }
        Err(text) => Check::ok(AREA, name, format!("refused: {text}")).missing(
            "no container runs without them",
            format!("run {OLDEST} or newer with all namespaces built in, and see user.max_*_namespaces in sysctl"),
        ),
    }
}

fn mounts() -> Check {
    match probe("mounts", Path::new("/")) {
        Ok(()) => Check::ok(
            AREA,
            "mounts without root",
            "a tmpfs was made and made read-only",
        ),
        Err(text) => {
            super::users::without_user_namespaces(Check::ok(AREA, "mounts without root", text))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::Status;
    use super::*;

    #[test]
    fn an_absent_call_is_judged_by_its_need() {
        let absent = || Err(dhow_sys::Error::new("fsopen", "0", 38));
        let check = judge("new mount API", absent(), Need::Essential("5.2"));
        assert_eq!(check.status, Status::Missing);
        assert!(check.fix.unwrap().contains("5.2"));
        let check = judge("openat2", absent(), Need::Useful("5.6", "slower"));
        assert_eq!(
            (check.status, check.cost.as_deref()),
            (Status::Limited, Some("slower"))
        );
        assert!(check.detail.contains("ENOSYS"));
    }

    #[test]
    fn missing_clocks_are_a_limit_and_missing_mounts_the_end() {
        let status = |text: &str| judge_namespaces("namespaces", Err(text.into())).status;
        assert_eq!(status("time: EINVAL"), Status::Limited);
        assert_eq!(status("mount: ENOSPC, time: EINVAL"), Status::Missing);
    }

    #[test]
    fn a_filter_is_told_from_an_old_kernel() {
        let check = judge(
            "pidfd",
            Err(dhow_sys::Error::new("pidfd_open", "1", 1)),
            Need::Essential("5.3"),
        );
        assert!(check.fix.unwrap().contains("filter"));
    }
}

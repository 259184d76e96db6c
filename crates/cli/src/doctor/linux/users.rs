//! User namespaces and the ids that this user may map into them.

use super::super::Check;
use super::read;
use std::fs::{self, File};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

const AREA: &str = "users";
/// As many ids as images commonly use.
const ENOUGH: u64 = 65_536;

/// Who asks, what ids they have, and who may write the maps.
pub(super) fn checks() -> Vec<Check> {
    let uid = dhow_sys::id::effective_user();
    let name = user_name(&read("/etc/passwd").unwrap_or_default(), uid);
    let shown = name.clone().unwrap_or_else(|| uid.to_string());
    if uid == 0 {
        let detail = "root: containers need no id ranges; other users see their own report";
        return vec![Check::ok(AREA, "you", detail)];
    }
    let detail = format!("{shown}, uid {uid}: containers run rootless");
    let mut checks = vec![Check::ok(AREA, "you", detail)];
    for (file, what) in [
        ("/etc/subuid", "user id range"),
        ("/etc/subgid", "group id range"),
    ] {
        let total = range(&read(file).unwrap_or_default(), uid, name.as_deref());
        checks.push(judge_range(file, what, total, &shown));
    }
    checks.push(mapper("newuidmap"));
    checks.push(mapper("newgidmap"));
    checks
}

/// What it means when user namespaces are refused, by who asks.
pub(super) fn without_user_namespaces(check: Check) -> Check {
    let fix = settings_fix(
        read("/proc/sys/kernel/unprivileged_userns_clone").as_deref(),
        read("/proc/sys/user/max_user_namespaces").as_deref(),
        read("/proc/sys/kernel/apparmor_restrict_unprivileged_userns").as_deref(),
    );
    if dhow_sys::id::effective_user() == 0 {
        check.limited(
            "no --userns, and other users of this host cannot run containers",
            fix,
        )
    } else {
        check.missing("you cannot run containers without root", fix)
    }
}

/// Which setting stands in the way.
fn settings_fix(clone: Option<&str>, most: Option<&str>, apparmor: Option<&str>) -> String {
    if clone == Some("0") {
        "sysctl -w kernel.unprivileged_userns_clone=1 (and in /etc/sysctl.d to keep it)".into()
    } else if most == Some("0") {
        "sysctl -w user.max_user_namespaces=15000 (and in /etc/sysctl.d to keep it)".into()
    } else if apparmor == Some("1") {
        "give dhow-runtime and dhow an AppArmor profile with the rule `userns,`, or sysctl -w \
         kernel.apparmor_restrict_unprivileged_userns=0"
            .into()
    } else {
        "a kernel with CONFIG_USER_NS; when dhow itself runs in a container, allow unshare in its filter".into()
    }
}

fn judge_range(file: &'static str, what: &'static str, total: u64, user: &str) -> Check {
    let check = Check::ok(AREA, what, format!("{total} ids in {file}"));
    let kind = if file.ends_with("uid") {
        "uids"
    } else {
        "gids"
    };
    let fix = format!("as root: usermod --add-sub{kind} 100000-165535 {user} (an unused range)");
    match total {
        ENOUGH.. => check,
        0 => check.limited(
            "only your own id is mapped: every file of an image belongs to root in it",
            fix,
        ),
        _ => check.limited(
            format!("images that use ids above {total} do not unpack"),
            fix,
        ),
    }
}

/// All ids that lines `name:start:count` grant, by name or by number (`subuid(5)`).
fn range(text: &str, uid: u32, name: Option<&str>) -> u64 {
    let number = uid.to_string();
    text.lines()
        .filter_map(|line| {
            let mut fields = line.trim().split(':');
            let owner = fields.next()?;
            let own = owner == number || Some(owner) == name;
            let count = fields.nth(1)?.parse::<u64>().ok()?;
            own.then_some(count)
        })
        .sum()
}

fn user_name(passwd: &str, uid: u32) -> Option<String> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let own = fields.nth(1)?.parse::<u32>().ok()? == uid;
        own.then(|| name.to_owned())
    })
}

/// Finds a program by `PATH`.
pub(super) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin"), PathBuf::from("/sbin")])
        .filter(|directory| directory.is_absolute())
        .map(|directory| directory.join(program))
        .find(|path| {
            fs::metadata(path)
                .is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
        })
}

fn mapper(program: &'static str) -> Check {
    let cost = "only your own id can be mapped into a container";
    let Some(path) = find(program) else {
        return Check::ok(AREA, program, "not found")
            .limited(cost, "install the package uidmap (or shadow-utils)");
    };
    let shown = path.display().to_string();
    if may_map(&path) {
        return Check::ok(AREA, program, shown);
    }
    let fix = format!("as root: chmod u+s {shown}");
    Check::ok(AREA, program, format!("{shown} has no privilege")).limited(cost, fix)
}

/// Whether it is owned by root with the set-user-id bit, or carries file capabilities.
fn may_map(path: &Path) -> bool {
    let set_id = fs::metadata(path)
        .is_ok_and(|file| file.uid() == 0 && file.permissions().mode() & 0o4000 != 0);
    let capable = || {
        let file = File::open(path).ok()?;
        dhow_sys::xattr::get(file.as_fd(), "security.capability".as_ref()).ok()?
    };
    set_id || capable().is_some()
}

#[cfg(test)]
mod tests {
    use super::super::super::Status;
    use super::*;

    #[test]
    fn ranges_count_by_name_and_by_number() {
        let text = "alice:100000:65536\n1000:300000:10\nbob:1:5\nbroken\nalice:x:y\n";
        assert_eq!(range(text, 1000, Some("alice")), 65_546);
        assert_eq!(range(text, 7, Some("carol")), 0);
    }

    #[test]
    fn few_ids_cost_something_and_the_fix_names_the_user() {
        let check = judge_range("/etc/subuid", "user id range", 0, "alice");
        assert_eq!(check.status, Status::Limited);
        assert!(
            check
                .fix
                .unwrap()
                .contains("--add-subuids 100000-165535 alice")
        );
        assert_eq!(
            judge_range("/etc/subgid", "x", 65_536, "alice").status,
            Status::Ok
        );
    }

    #[test]
    fn the_setting_in_the_way_is_named() {
        assert!(settings_fix(Some("0"), None, None).contains("unprivileged_userns_clone"));
        assert!(settings_fix(Some("1"), Some("0"), None).contains("max_user_namespaces"));
        assert!(settings_fix(None, Some("9"), Some("1")).contains("AppArmor"));
        assert!(settings_fix(None, Some("9"), Some("0")).contains("CONFIG_USER_NS"));
    }

    #[test]
    fn names_come_from_passwd() {
        assert_eq!(
            user_name("root:x:0:0::/:/bin/sh\nal:x:7:7::/:\n", 7).as_deref(),
            Some("al")
        );
        assert_eq!(user_name("bad\n", 7), None);
    }
}

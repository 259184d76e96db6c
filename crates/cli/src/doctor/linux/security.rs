//! Security modules and filters: the walls beside the namespaces.

use super::super::Check;
use super::read;

const AREA: &str = "security";

/// Seccomp, the modules, Landlock.
pub(super) fn checks() -> Vec<Check> {
    vec![seccomp(), modules(&active()), landlock()]
}

fn seccomp() -> Check {
    /// `SECCOMP_RET_KILL_PROCESS`
    const KILL_PROCESS: u32 = 0x8000_0000;
    if dhow_sys::seccomp::knows_action(KILL_PROCESS) {
        Check::ok(AREA, "seccomp", "filters can be installed")
    } else {
        Check::ok(AREA, "seccomp", "not in this kernel").missing(
            "system calls of containers cannot be filtered, and dhow does not run them unfiltered unasked",
            "a kernel with CONFIG_SECCOMP_FILTER; or --security-opt seccomp=unconfined for each container",
        )
    }
}

/// The modules that decide about files and processes by profile or label.
fn active() -> Vec<&'static str> {
    let list = read("/sys/kernel/security/lsm").unwrap_or_default();
    let listed = |name: &str| list.split(',').any(|module| module == name);
    let apparmor = read("/sys/module/apparmor/parameters/enabled").as_deref() == Some("Y");
    let selinux = std::path::Path::new("/sys/fs/selinux/enforce").exists();
    let found = [
        ("AppArmor", apparmor),
        ("SELinux", selinux),
        ("Smack", listed("smack")),
        ("BPF", listed("bpf")),
    ];
    found
        .into_iter()
        .filter_map(|(name, active)| active.then_some(name))
        .collect()
}

fn modules(active: &[&str]) -> Check {
    if active.is_empty() {
        return Check::ok(AREA, "security modules", "neither AppArmor nor SELinux").limited(
            "one wall less: --security-opt apparmor=… is refused, the other walls stand",
            "boot with lsm=landlock,yama,apparmor,bpf when the kernel has AppArmor built in",
        );
    }
    Check::ok(AREA, "security modules", active.join(", "))
}

fn landlock() -> Check {
    // dhow builds no wall from it yet; programs in containers may.
    let detail = match dhow_sys::feature::landlock_version() {
        Ok(version) => format!("version {version}, for programs in containers to use"),
        Err(error) => format!(
            "not offered ({}); dhow itself does not need it",
            error.name()
        ),
    };
    Check::ok(AREA, "Landlock", detail)
}

#[cfg(test)]
mod tests {
    use super::super::super::Status;
    use super::*;

    #[test]
    fn a_missing_module_costs_one_wall() {
        assert_eq!(modules(&[]).status, Status::Limited);
        assert_eq!(modules(&["AppArmor"]).status, Status::Ok);
    }
}

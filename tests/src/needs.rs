//! What a test needs from the machine, and the skip that is never silent.

use crate::{host, program};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

/// Returns from the test, saying why, unless the machine offers everything named.
///
/// `needs!(test, root, cgroup2)`; the words are those of [`missing`].
#[macro_export]
macro_rules! needs {
    ($test:expr, $($need:ident),+ $(,)?) => {
        $(if let Some(reason) = $crate::needs::missing(stringify!($need)) {
            $test.skip(&reason);
            return;
        })+
    };
}

/// Why `need` is not there, or nothing when it is.
///
/// # Panics
/// When the word is unknown: a misspelt need must not skip a test for ever.
#[must_use]
pub fn missing(need: &str) -> Option<String> {
    let absent = |is_there: bool, reason: &str| (!is_there).then(|| reason.to_owned());
    match need {
        "root" => absent(rustix::process::geteuid().is_root(), "needs root"),
        "cgroup2" => absent(
            host::is_cgroup2_only(),
            "needs a host with cgroup v2 only (run in the VM)",
        ),
        "cgroup1" => absent(
            host::v1_controller("memory").is_some(),
            "needs cgroup v1 controllers",
        ),
        "systemd" => absent(
            Path::new("/run/systemd/system").exists(),
            "needs systemd as init",
        ),
        "apparmor" => absent(host::has_lsm("apparmor"), "needs AppArmor enabled"),
        "userns" => absent(user_namespaces(), "needs user namespaces"),
        "time_namespace" => absent(
            Path::new("/proc/self/ns/time").exists(),
            "needs time namespaces",
        ),
        "sys_resource" => absent(host::has_capability(24), "needs CAP_SYS_RESOURCE"),
        "subid_tools" => installed("newuidmap"),
        "busybox" | "strace" | "cc" | "ip" => installed(need),
        "runc" => program::Kind::Runc.program().err(),
        "crun" => program::Kind::Crun.program().err(),
        "podman" | "skopeo" | "umoci" | "mmdebstrap" => installed(need),
        "containerd" | "dockerd" | "buildah" => installed(need),
        "python_grpc" => absent(python_grpc(), "python3-grpcio is not installed"),
        "criu" => program::criu().err(),
        "memory_tracking" => absent(
            memory_tracking(),
            "needs a kernel that tracks changes of memory (CONFIG_MEM_SOFT_DIRTY)",
        ),
        "overlay" => absent(filesystem("overlay"), "needs overlayfs"),
        "mqueue" => absent(filesystem("mqueue"), "needs mqueue"),
        "native" => absent(
            !fs::read_to_string("/proc/cpuinfo")
                .unwrap_or_default()
                .contains("User Mode Linux"),
            "needs a machine of full speed",
        ),
        "long" => absent(
            std::env::var_os("DHOW_LONG").is_some(),
            "long profile only (DHOW_LONG=1)",
        ),
        _ => panic!("needs!: no such need: {need}"),
    }
}

fn installed(name: &str) -> Option<String> {
    program::on_path(name)
        .is_none()
        .then(|| format!("{name} is not installed"))
}

fn python_grpc() -> bool {
    let mut python = std::process::Command::new("/usr/bin/python3");
    let asked = python.args(["-c", "import grpc"]).output();
    asked.is_ok_and(|output| output.status.success())
}

fn memory_tracking() -> bool {
    let criu = program::criu().map(|criu| {
        let mut check = std::process::Command::new(criu);
        check
            .args(["check", "--feature", "mem_dirty_track"])
            .output()
    });
    criu.is_ok_and(|checked| checked.is_ok_and(|output| output.status.success()))
}

fn filesystem(name: &str) -> bool {
    fs::read_to_string("/proc/filesystems")
        .unwrap_or_default()
        .lines()
        .any(|line| line.split_whitespace().last() == Some(name))
}

fn user_namespaces() -> bool {
    fs::read_to_string("/proc/sys/user/max_user_namespaces")
        .ok()
        .and_then(|number| number.trim().parse::<u64>().ok())
        .is_some_and(|number| number > 0)
}

/// Prints the skip and appends it to the file named by `DHOW_SKIPS`, one line each.
///
/// # Panics
/// When the file cannot be written: a skip that is not counted would be silent.
pub fn report_skip(test: &str, reason: &str) {
    eprintln!("skipped: {reason}");
    if let Some(path) = std::env::var_os("DHOW_SKIPS") {
        OpenOptions::new()
            .append(true)
            .create(true)
            .open(&path)
            // One write, so that lines of parallel tests do not mix.
            .and_then(|mut file| file.write_all(format!("{test}: {reason}\n").as_bytes()))
            .unwrap_or_else(|error| panic!("cannot note the skip in {path:?}: {error}"));
    }
}

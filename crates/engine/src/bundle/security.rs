//! Walls: what is hidden, what is read-only, what the seccomp filter lets through.

use super::Request;
use crate::error::{Error, Result};
use crate::options::{ContainerOptions, Profile, SecurityOption};
use serde_json::{Value, json};

/// Hidden: files that tell about or reach into the host and know no namespaces. The union of what
/// docker and podman hide.
const MASKED: [&str; 14] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/dev/block",
    "/sys/firmware",
    "/sys/fs/selinux",
];

/// Read-only: settings of the whole host.
const READ_ONLY: [&str; 5] = [
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/sys",
    "/proc/sysrq-trigger",
];

/// Whether programs of the container may gain privileges by being executed; not unless asked.
pub(super) fn no_new_privileges(options: &ContainerOptions) -> bool {
    let asked = options
        .security
        .iter()
        .rev()
        .find_map(|option| match option {
            SecurityOption::NoNewPrivileges(on) => Some(*on),
            _ => None,
        });
    asked.unwrap_or(!options.privileged)
}

/// The AppArmor profile by name.
pub(super) fn apparmor(request: &Request<'_>) -> Result<Option<String>> {
    let asked = request
        .options
        .security
        .iter()
        .rev()
        .find_map(|option| match option {
            SecurityOption::Apparmor(profile) => Some(profile),
            _ => None,
        });
    match asked {
        Some(Profile::Named(name)) if !request.host.apparmor => Err(Error::unsupported(
            format!("--security-opt apparmor={name}"),
            "AppArmor is not in force on this host",
        )),
        Some(Profile::Named(name)) => Ok(Some(name.clone())),
        _ => Ok(None),
    }
}

/// The file with the user's own seccomp profile.
pub(crate) fn seccomp_file(options: &ContainerOptions) -> Option<&std::path::Path> {
    match seccomp(options) {
        Some(Profile::File(path)) => Some(path),
        _ => None,
    }
}

fn seccomp(options: &ContainerOptions) -> Option<&Profile> {
    options
        .security
        .iter()
        .rev()
        .find_map(|option| match option {
            SecurityOption::Seccomp(profile) => Some(profile),
            _ => None,
        })
}

/// Adds the seccomp profile and the hidden and read-only paths.
pub(super) fn add(request: &Request<'_>, linux: &mut Value) -> Result<()> {
    let options = request.options;
    let profile = match seccomp(options) {
        Some(Profile::Unconfined) => None,
        Some(Profile::File(_)) => request.seccomp.clone(),
        None if options.privileged => None,
        _ => Some(default_profile(&request.capabilities.all)),
    };
    if let Some(profile) = profile {
        linux["seccomp"] = profile;
    }
    let (mut masked, mut read_only) = if options.privileged {
        (Vec::new(), Vec::new())
    } else {
        (
            MASKED.map(str::to_owned).to_vec(),
            READ_ONLY.map(str::to_owned).to_vec(),
        )
    };
    if !options.privileged {
        masked.extend(request.host.hideable.iter().cloned());
        masked.extend(
            request
                .host
                .processors
                .iter()
                .map(|number| format!("/sys/devices/system/cpu/cpu{number}/thermal_throttle")),
        );
    }
    for option in &options.security {
        match option {
            SecurityOption::Mask(paths) => masked.extend(paths.iter().cloned()),
            SecurityOption::Unmask(paths) if paths.iter().any(|path| path == "ALL") => {
                masked.clear();
                read_only.clear();
            }
            SecurityOption::Unmask(paths) => {
                masked.retain(|path| !paths.contains(path));
                read_only.retain(|path| !paths.contains(path));
            }
            _ => {}
        }
    }
    linux["maskedPaths"] = json!(masked);
    linux["readonlyPaths"] = json!(read_only);
    Ok(())
}

/// Our own profile for a container with these capabilities.
fn default_profile(capabilities: &[String]) -> Value {
    let names: Vec<&str> = capabilities.iter().map(String::as_str).collect();
    json!(crate::seccomp_profile::default_profile(&names))
}

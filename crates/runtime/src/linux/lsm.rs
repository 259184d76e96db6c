//! The label that a security module gives the container's program.
//!
//! Written through the private procfs handle and read back: a label that did not arrive is an error
//! (CVE-2019-16884, CVE-2025-52881).

use crate::error::{At, Result};
use crate::plan::process::Process;
use dhow_sys::procfs::Procfs;

/// Sets the AppArmor profile or SELinux label that the next execve takes on.
///
/// # Errors
/// The write; EACCES when what was read back differs.
pub fn label_next_exec(procfs: &Procfs, process: &Process) -> Result<()> {
    if let Some(label) = &process.selinux {
        write(procfs, "attr/exec", label, label)?;
    }
    if let Some(profile) = &process.apparmor {
        // The module's own file, where the kernel has it; the common one belongs to whichever
        // module came first.
        let own = "attr/apparmor/exec";
        let file = if procfs.read_own(own).is_ok() {
            own
        } else {
            "attr/exec"
        };
        write(procfs, file, &format!("exec {profile}"), profile)?;
    }
    Ok(())
}

fn write(procfs: &Procfs, file: &str, command: &str, label: &str) -> Result<()> {
    let step = "set the security label";
    procfs.write_own(file, command.as_bytes()).at(step)?;
    let found = procfs.read_own(file).at(step)?;
    let found = String::from_utf8_lossy(&found);
    let found = found.trim_end_matches(['\0', '\n']);
    // AppArmor adds its mode in parentheses; SELinux gives the label alone.
    if found == label
        || found
            .strip_prefix(label)
            .is_some_and(|rest| rest.starts_with(" ("))
    {
        return Ok(());
    }
    Err(dhow_sys::Error::new(
        "write",
        format!("{file}, {label:?}; read back {found:?}"),
        13,
    ))
    .at(step)
}

/// Whether AppArmor is enabled on this host.
#[must_use]
pub fn apparmor_enabled() -> bool {
    std::fs::read("/sys/module/apparmor/parameters/enabled")
        .is_ok_and(|text| text.first() == Some(&b'Y'))
}

/// Whether SELinux is enabled on this host.
#[must_use]
pub fn selinux_enabled() -> bool {
    std::path::Path::new("/sys/fs/selinux/enforce").exists()
}

//! Calls that may do less than they are asked for, and where they say how much that is.

use nix::libc::user_regs_struct;
use nix::unistd::Pid;
use syscalls::Sysno;

/// Filesystems of the kernel's own, by their magic numbers: proc, sysfs, cgroup, cgroup2.
const CONTROL: [i64; 4] = [0x9fa0, 0x6265_6572, 0x0027_e0eb, 0x6367_7270];

/// The register that holds the number of bytes.
pub(crate) fn count(call: Sysno, registers: &mut user_regs_struct) -> Option<&mut u64> {
    match call {
        Sysno::read | Sysno::write | Sysno::pread64 | Sysno::pwrite64 => Some(&mut registers.rdx),
        Sysno::sendfile => Some(&mut registers.r10),
        Sysno::copy_file_range => Some(&mut registers.r8),
        _ => None,
    }
}

/// Whether a call asks for more than one byte and may be given less. The kernel's control files take a write whole
/// or not at all, and half of a process's number would be another process; its nameless files (signals, events) are
/// read by whole records only.
pub(crate) fn may_be(pid: Pid, call: Sysno, registers: &mut user_regs_struct) -> bool {
    let is_write = matches!(call, Sysno::write | Sysno::pwrite64);
    let file = format!("/proc/{pid}/fd/{}", registers.rdi);
    let is_control =
        || rustix::fs::statfs(file.as_str()).map_or(true, |found| CONTROL.contains(&found.f_type));
    let is_nameless = || {
        std::fs::read_link(&file)
            .is_ok_and(|target| target.to_string_lossy().starts_with("anon_inode:"))
    };
    count(call, registers).is_some_and(|count| *count > 1)
        && !is_nameless()
        && !(is_write && is_control())
}

//! The small properties of a process, each set where the birth's order wants it.

use super::rootfs::Rootfs;
use crate::error::{At, Error, Result};
use crate::plan::Plan;
use crate::plan::process::{Process, limit_name};
use crate::plan::sysctl::Parameter;
use dhow_sys::mount::{self, Change, RDONLY};
use dhow_sys::procfs::Procfs;
use dhow_sys::sched::{self, Attributes, Limit};
use dhow_sys::{Mode, OFlags, fd, id, namespace, path, process, signal};
use std::os::fd::AsFd;
use std::path::Path;

/// Resource limits and out-of-memory adjustment, of a child or of this process.
///
/// # Errors
/// `prlimit`, or the write.
pub fn limits(wanted: &Process, procfs: &Procfs, child: Option<u32>) -> Result<()> {
    resource_limits(wanted, child)?;
    oom_adjustment(wanted, procfs, child)
}

/// The resource limits of a child or of this process. One that may not be set is an error only if another
/// is in force.
///
/// # Errors
/// `prlimit`.
pub fn resource_limits(wanted: &Process, child: Option<u32>) -> Result<()> {
    let pid = child.unwrap_or(0);
    for &(resource, soft, hard) in &wanted.rlimits {
        let limit = Limit { soft, hard };
        if let Err(error) = sched::limit(pid, resource, Some(limit))
            && sched::limit(pid, resource, None) != Ok(limit)
        {
            let name = limit_name(resource);
            let hint = if error.code() == 1 {
                " (raising a hard limit needs CAP_SYS_RESOURCE)"
            } else {
                ""
            };
            return Err(error).at(&format!(
                "set the resource limit RLIMIT_{name} to {soft}:{hard}{hint}"
            ));
        }
    }
    Ok(())
}

/// The out-of-memory adjustment of a child or of this process. One that may not be set is an error only
/// if another is in force.
///
/// # Errors
/// The write: EACCES when the process is another's or not dumpable.
pub fn oom_adjustment(wanted: &Process, procfs: &Procfs, child: Option<u32>) -> Result<()> {
    let Some(adjustment) = wanted.oom_score_adj else {
        return Ok(());
    };
    let (file, value) = ("oom_score_adj", adjustment.to_string());
    let written = match child {
        Some(pid) => procfs.write(&format!("{pid}/{file}"), value.as_bytes()),
        None => procfs.write_own(file, value.as_bytes()),
    };
    if let Err(error) = written {
        let now = match child {
            Some(pid) => procfs.read(&format!("{pid}/{file}")),
            None => procfs.read_own(file),
        };
        let now = now.unwrap_or_default();
        if String::from_utf8_lossy(&now).trim().parse() != Ok(adjustment) {
            return Err(error).at("set the out-of-memory adjustment");
        }
    }
    Ok(())
}

/// Becomes root of the user namespace that this process is in, and dumpable again.
///
/// # Errors
/// `setresuid`, `setresgid`: EINVAL when the map has no id 0.
pub fn become_namespace_root() -> Result<()> {
    become_unseen_namespace_root()?;
    // The change of user makes this process undumpable, and its files in procfs the host root's.
    process::set_dumpable().at(NAMESPACE_ROOT)
}

const NAMESPACE_ROOT: &str = "become root of the user namespace";

/// The same for a process that others of its namespaces may look for: dumpable or not as before.
///
/// # Errors
/// As [`become_namespace_root`].
pub fn become_unseen_namespace_root() -> Result<()> {
    // Groups of the caller must not reach inside; where the kernel forbids the call it also keeps them.
    let _ = id::set_groups(&[]);
    id::set_group(0).at(NAMESPACE_ROOT)?;
    id::set_user(0).at(NAMESPACE_ROOT)
}

/// A kernel without keyrings has no keys to protect.
///
/// # Errors
/// `keyctl`, other than ENOSYS.
pub fn optional_keyring(result: dhow_sys::Result<()>) -> Result<()> {
    match result {
        Err(error) if error.code() == 38 => Ok(()),
        result => result.at("join a session keyring"),
    }
}

/// Makes a time namespace for the program, which enters it by execve (Linux 6.3).
///
/// # Errors
/// `unshare`, the write, or [`Error::Unsupported`] on older kernels.
pub fn time_namespace(offsets: &[(String, i64, u32)], procfs: &Procfs) -> Result<()> {
    let version = procfs
        .read("sys/kernel/osrelease")
        .at("read the kernel's version")?;
    let version = String::from_utf8_lossy(&version).into_owned();
    let mut numbers = version
        .split(['.', '-'])
        .map_while(|part| part.parse::<u32>().ok());
    if (numbers.next(), numbers.next()) < (Some(6), Some(3)) {
        let text = "make a time namespace: Linux 6.3 is needed, where execve enters it; this is ";
        return Err(Error::Unsupported(format!("{text}{}", version.trim())));
    }
    namespace::unshare(namespace::TIME).at("make a time namespace")?;
    let lines: String = offsets
        .iter()
        .map(|(clock, seconds, nanos)| format!("{clock} {seconds} {nanos}\n"))
        .collect();
    if lines.is_empty() {
        return Ok(());
    }
    procfs
        .write_own("timens_offsets", lines.as_bytes())
        .at("set the clock offsets")
}

/// Writes the kernel parameters; they are looked up in this process's namespaces.
///
/// # Errors
/// The write, naming the parameter.
pub fn kernel_parameters(parameters: &[Parameter], procfs: &Procfs) -> Result<()> {
    for parameter in parameters {
        let step = format!("set the kernel parameter {}", parameter.key);
        procfs
            .write(
                &format!("sys/{}", parameter.path),
                parameter.value.as_bytes(),
            )
            .at(&step)?;
    }
    Ok(())
}

/// Sets host and domain name.
///
/// # Errors
/// The call.
pub fn names(plan: &Plan) -> Result<()> {
    if let Some(name) = &plan.hostname {
        namespace::set_hostname(name).at("set the host name")?;
    }
    if let Some(name) = &plan.domainname {
        namespace::set_domainname(name).at("set the domain name")?;
    }
    Ok(())
}

/// Makes the root's own mount read-only; mounts below keep what they were given.
///
/// # Errors
/// `mount_setattr`.
pub fn readonly_root(root: &Rootfs) -> Result<()> {
    let change = Change {
        set: RDONLY,
        ..Change::default()
    };
    mount::change(root.as_fd(), change).at("make the root read-only")
}

/// Scheduling, placement and personality.
///
/// # Errors
/// The call.
pub fn scheduling(plan: &Plan) -> Result<()> {
    let wanted = &plan.process;
    if let Some(scheduler) = wanted.scheduler {
        let attributes = Attributes {
            policy: scheduler.policy,
            flags: scheduler.flags,
            nice: scheduler.nice,
            priority: scheduler.priority,
            runtime: scheduler.runtime,
            deadline: scheduler.deadline,
            period: scheduler.period,
            ..Attributes::default()
        };
        sched::set_attributes(attributes).at("set the scheduling policy")?;
    }
    if let Some((class, level)) = wanted.io_priority {
        sched::set_io_priority(class, level).at("set the I/O priority")?;
    }
    if let Some(policy) = &plan.memory_policy {
        sched::set_memory_policy(policy.mode, &policy.nodes).at("set the memory policy")?;
    }
    if let Some(persona) = plan.personality {
        sched::set_personality(persona).at("set the personality")?;
    }
    Ok(())
}

/// The processors of a program that joins a container: those to start on, then those to stay on.
///
/// # Errors
/// `sched_setaffinity`.
pub fn affinity(wanted: &Process) -> Result<()> {
    let (initial, last) = &wanted.affinity;
    for cpus in [initial, last].into_iter().filter(|cpus| !cpus.is_empty()) {
        sched::set_affinity(cpus).at("set the CPU affinity")?;
    }
    Ok(())
}

/// Enters the working directory, making it if it is missing; never over a magic link, and never
/// outside the root.
///
/// # Errors
/// The call.
pub fn working_directory(root: &Rootfs, cwd: &str) -> Result<()> {
    let step = "enter the working directory";
    if cwd == "/" {
        return process::change_directory(root.as_fd()).at(step);
    }
    let path = Path::new(cwd);
    let opened = match root.open(cwd, OFlags::PATH | OFlags::DIRECTORY) {
        Err(error) if error.code() == 2 => {
            path::mkdir_all_in_root(root.as_fd(), path, Mode::from_raw_mode(0o755)).at(step)?
        }
        result => result.at(step)?,
    };
    process::change_directory(opened.as_fd()).at(step)
}

/// The signals that this process ignores, which the program would inherit.
///
/// # Errors
/// Reading procfs.
pub fn ignored_signals(procfs: &Procfs) -> Result<signal::Set> {
    let status = procfs.read_own("status").at("read the ignored signals")?;
    let status = String::from_utf8_lossy(&status);
    let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    Ok(line
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(signal::ALL))
}

/// What a program may count on at its start: no signal blocked or ignored, no signal when the
/// runtime dies, the planned umask.
///
/// # Errors
/// The call.
pub fn restart_quality(ignored: signal::Set, umask: Option<u32>) -> Result<()> {
    let step = "reset the signals";
    signal::reset_dispositions(ignored).at(step)?;
    signal::block(0).at(step)?;
    process::set_umask(umask.unwrap_or(0o022));
    Ok(())
}

/// Lets the program inherit the descriptor with this number.
///
/// # Errors
/// EBADF when it is not open.
pub fn keep_open(number: u32) -> Result<()> {
    let number = i32::try_from(number).unwrap_or(i32::MAX);
    let descriptor = fd::inherited(number).at("keep descriptors open")?;
    fd::set_cloexec(descriptor.as_fd(), false).at("keep descriptors open")?;
    // It belongs to the program from here on.
    fd::forget(descriptor);
    Ok(())
}

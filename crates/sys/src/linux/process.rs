//! A process from clone to exit, always by pidfd.

use super::raw::{check, check_raw, errno, syscall};
use crate::{Error, Result};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ffi::{CStr, CString};

/// `CLONE_PARENT`: the new process becomes the caller's sibling.
pub const CLONE_PARENT: u64 = 0x0000_8000;

/// Which side of a [`clone`] this is.
#[derive(Debug)]
pub enum Cloned {
    /// The caller, holding the new process.
    Parent(Child),
    /// The new process; it must leave by [`exec`] or [`exit`], never by returning from `main`.
    Child,
}

/// A process that is held by a descriptor, so that its number cannot come to mean another.
#[derive(Debug)]
pub struct Child {
    /// Process id in the caller's pid namespace.
    pub pid: u32,
    /// Readable once the process has ended.
    pub pidfd: OwnedFd,
}

impl Child {
    /// Kills a process that shall not live, and collects it. It is ours, so the wait cannot hang; one
    /// that has ended already is collected all the same.
    pub fn end(&self) {
        if signal(self.pidfd.as_fd(), 9).is_err() {
            // A filter may forbid the call. Until it is collected the number is its own.
            let pid = i32::try_from(self.pid)
                .ok()
                .and_then(rustix::process::Pid::from_raw);
            let kill = |pid| rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            let _ = pid.map(kill);
        }
        let _ = wait(self.pidfd.as_fd());
    }
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// By `exit(2)` with this status.
    Code(u8),
    /// By this signal.
    Signal(u8),
}

impl Exit {
    /// The exit code that shells and container tools report: the status, or 128 plus the signal.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => signal.wrapping_add(128),
        }
    }
}

#[repr(C)]
#[derive(Default)]
struct CloneArguments {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// Clones this process (`clone3(2)`, Linux 5.7) with the given namespace flags, and, with
/// `cgroup`, straight into a version 2 cgroup, so that no moment of its life goes unaccounted.
///
/// # Errors
/// `clone3`: EPERM, ENOSPC (limit of namespaces), EINVAL, EBUSY, EOPNOTSUPP or EACCES (the cgroup
/// cannot take processes). `clone3` EDEADLK when this process has several threads: the copy of a
/// lock that another thread holds would never be released.
pub fn clone(flags: u64, cgroup: Option<BorrowedFd<'_>>) -> Result<Cloned> {
    const PIDFD: u64 = 0x1000;
    const INTO_CGROUP: u64 = 0x2_0000_0000;
    let shown = || format!("{flags:#x}, cgroup {:?}", cgroup.map(|fd| fd.as_raw_fd()));
    if !single_threaded()? {
        return Err(Error::new("clone3", shown(), libc::EDEADLK));
    }
    let mut pidfd: i32 = -1;
    let mut arguments = CloneArguments {
        flags: flags | PIDFD,
        pidfd: &raw mut pidfd as u64,
        exit_signal: u64::from(libc::SIGCHLD.unsigned_abs()),
        ..CloneArguments::default()
    };
    if let Some(fd) = cgroup {
        arguments.flags |= INTO_CGROUP;
        arguments.cgroup = u64::try_from(fd.as_raw_fd()).unwrap_or(u64::MAX);
    }
    if flags & CLONE_PARENT != 0 {
        arguments.exit_signal = 0;
    }
    let call = [
        &raw mut arguments as usize,
        size_of::<CloneArguments>(),
        0,
        0,
        0,
        0,
    ];
    // SAFETY: the structure is live and of the stated size; no memory is shared and no stack is
    // given, so the child goes on with a copy of this single thread's.
    // NEED: rustix has no clone3.
    let result = unsafe { syscall(libc::SYS_clone3, call) };
    let pid = check_raw("clone3", result, shown)?;
    if pid == 0 {
        ALONE.store(true, std::sync::atomic::Ordering::Relaxed);
        return Ok(Cloned::Child);
    }
    // SAFETY: CLONE_PIDFD stored a new descriptor that nobody else owns.
    // NEED: it arrives as a number.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    let pid = u32::try_from(pid).unwrap_or(0);
    Ok(Cloned::Parent(Child { pid, pidfd }))
}

/// Whether this process is itself the child of [`clone`], and so began with one thread; it must not
/// make others, and may be where `/proc` shows nothing about it.
static ALONE: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);

/// Whether this process has one thread only: `/proc/self/task` has one link per thread and two
/// of its own.
///
/// # Errors
/// `stat`: `/proc` does not tell.
pub fn single_threaded() -> Result<bool> {
    if ALONE.load(std::sync::atomic::Ordering::Relaxed) {
        return Ok(true);
    }
    let tasks = "/proc/self/task";
    let stat = check("stat", rustix::fs::stat(tasks), || tasks.into())?;
    Ok(stat.st_nlink == 3)
}

/// Ends this process at once: no exit handlers of the parent's image, no flushing of its copied buffers.
pub fn exit(code: u8) -> ! {
    // SAFETY: the call does not return and takes no pointers.
    // NEED: std's exit runs handlers that belong to the parent.
    unsafe { libc::_exit(i32::from(code)) }
}

/// Holds a process by its number (`pidfd_open(2)`).
///
/// # Errors
/// `pidfd_open`: ESRCH when it is gone, EINVAL when the number is of a thread.
pub fn open(pid: u32) -> Result<OwnedFd> {
    let shown = || pid.to_string();
    let id = i32::try_from(pid)
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    let id = id.ok_or_else(|| Error::new("pidfd_open", shown(), libc::ESRCH))?;
    check(
        "pidfd_open",
        rustix::process::pidfd_open(id, rustix::process::PidfdFlags::empty()),
        shown,
    )
}

/// Sends a signal by number; 0 only asks whether the process exists.
///
/// # Errors
/// `pidfd_send_signal`: ESRCH when it has ended, EPERM, EINVAL.
pub fn signal(pidfd: BorrowedFd<'_>, signal: u8) -> Result<()> {
    let number = usize::try_from(pidfd.as_raw_fd()).unwrap_or(usize::MAX);
    // SAFETY: no siginfo is passed.
    // NEED: rustix cannot express signal 0 and the real-time signals.
    let result = unsafe {
        syscall(
            libc::SYS_pidfd_send_signal,
            [number, usize::from(signal), 0, 0, 0, 0],
        )
    };
    check_raw("pidfd_send_signal", result, || {
        format!("{number}, {signal}")
    })
    .map(drop)
}

/// Waits for a child to end and collects it.
///
/// # Errors
/// `waitid`: ECHILD when it is not ours; EINTR is retried.
pub fn wait(pidfd: BorrowedFd<'_>) -> Result<Exit> {
    wait_options(pidfd, rustix::process::WaitIdOptions::EXITED)
        .map(|exit| exit.unwrap_or(Exit::Code(0)))
}

/// Collects a child if it has ended; `None` while it runs.
///
/// # Errors
/// `waitid`: ECHILD when it is not ours.
pub fn try_wait(pidfd: BorrowedFd<'_>) -> Result<Option<Exit>> {
    use rustix::process::WaitIdOptions;
    wait_options(pidfd, WaitIdOptions::EXITED | WaitIdOptions::NOHANG)
}

/// How a child ended, without collecting it: until then its number, and that of its group, stay its own.
///
/// # Errors
/// As [`wait`].
pub fn peek(pidfd: BorrowedFd<'_>) -> Result<Exit> {
    use rustix::process::WaitIdOptions;
    wait_options(pidfd, WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)
        .map(|exit| exit.unwrap_or(Exit::Code(0)))
}

fn wait_options(
    pidfd: BorrowedFd<'_>,
    options: rustix::process::WaitIdOptions,
) -> Result<Option<Exit>> {
    use rustix::process::{WaitId, waitid};
    let result = rustix::io::retry_on_intr(|| waitid(WaitId::PidFd(pidfd.as_fd()), options));
    let status = check("waitid", result, || {
        format!("P_PIDFD {}", pidfd.as_raw_fd())
    })?;
    Ok(status.map(|status| {
        let byte = |value: i32| u8::try_from(value & 0xff).unwrap_or(u8::MAX);
        match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => Exit::Code(byte(code)),
            (None, Some(signal)) => Exit::Signal(byte(signal)),
            (None, None) => Exit::Code(0),
        }
    }))
}

/// Collects any child that has ended: its process id and how; `None` when none has.
///
/// # Errors
/// `waitid`, other than ECHILD.
pub fn reap_any() -> Result<Option<(u32, Exit)>> {
    use rustix::process::{WaitOptions, wait};
    match rustix::io::retry_on_intr(|| wait(WaitOptions::NOHANG)) {
        Ok(Some((pid, status))) => {
            let byte = |value: i32| u8::try_from(value & 0xff).unwrap_or(u8::MAX);
            let exit = match status.terminating_signal() {
                Some(signal) => Exit::Signal(byte(signal)),
                None => Exit::Code(byte(status.exit_status().unwrap_or(0))),
            };
            Ok(Some((pid.as_raw_nonzero().get().unsigned_abs(), exit)))
        }
        Ok(None) | Err(rustix::io::Errno::CHILD) => Ok(None),
        Err(errno) => check("wait4", Err(errno), || "-1, WNOHANG".into()),
    }
}

/// Replaces this process's image (`execve(2)`); comes back only with the error.
#[must_use]
pub fn exec(path: &CStr, arguments: &[CString], environment: &[CString]) -> Error {
    let list = |strings: &[CString]| -> Vec<*const libc::c_char> {
        strings
            .iter()
            .map(|s| s.as_ptr())
            .chain([std::ptr::null()])
            .collect()
    };
    let (argv, envp) = (list(arguments), list(environment));
    // SAFETY: both lists are live, end with a null pointer, and point to live C strings.
    // NEED: rustix's execve is unsafe all the same, and std's needs a Command.
    unsafe { libc::execve(path.as_ptr(), argv.as_ptr(), envp.as_ptr()) };
    Error::new(
        "execve",
        format!("{path:?}, {} arguments", arguments.len()),
        errno(),
    )
}

/// Replaces this process's image by an open binary (`execveat(2)` with an empty path); comes back
/// only with the error. Not for scripts: their interpreter could not open a close-on-exec file.
#[must_use]
pub fn exec_fd(file: BorrowedFd<'_>, arguments: &[CString], environment: &[CString]) -> Error {
    let list = |strings: &[CString]| -> Vec<*const libc::c_char> {
        strings
            .iter()
            .map(|s| s.as_ptr())
            .chain([std::ptr::null()])
            .collect()
    };
    let (argv, envp) = (list(arguments), list(environment));
    let number = usize::try_from(file.as_raw_fd()).unwrap_or(usize::MAX);
    let empty = c"";
    let flags = usize::try_from(libc::AT_EMPTY_PATH).unwrap_or(0x1000);
    let call = [
        number,
        empty.as_ptr() as usize,
        argv.as_ptr() as usize,
        envp.as_ptr() as usize,
        flags,
        0,
    ];
    // SAFETY: as for execve; the path is a live empty C string.
    // NEED: neither std nor rustix can execute a descriptor safely.
    let code = unsafe { syscall(libc::SYS_execveat, call) }
        .err()
        .unwrap_or(0);
    Error::new("execveat", format!("{number}, \"\", AT_EMPTY_PATH"), code)
}

/// Forbids core dumps and ptrace of this process by others without CAP_SYS_PTRACE (`PR_SET_DUMPABLE` 0).
///
/// # Errors
/// `prctl`.
pub fn set_undumpable() -> Result<()> {
    let behavior = rustix::process::DumpableBehavior::NotDumpable;
    check(
        "prctl",
        rustix::process::set_dumpable_behavior(behavior),
        || "PR_SET_DUMPABLE, 0".into(),
    )
}

/// Sets `no_new_privs`: no execve below this process can gain privileges.
///
/// # Errors
/// `prctl`.
pub fn set_no_new_privileges() -> Result<()> {
    check("prctl", rustix::thread::set_no_new_privs(true), || {
        "PR_SET_NO_NEW_PRIVS, 1".into()
    })
}

/// Makes orphans below this process its children (`PR_SET_CHILD_SUBREAPER`), or stops that.
///
/// # Errors
/// `prctl`.
pub fn set_child_subreaper(on: bool) -> Result<()> {
    // SAFETY: the option takes a number.
    // NEED: rustix wants a pid where the kernel wants a flag.
    let result = unsafe { syscall(libc::SYS_prctl, [36, usize::from(on), 0, 0, 0, 0]) };
    check_raw("prctl", result, || format!("PR_SET_CHILD_SUBREAPER, {on}")).map(drop)
}

/// Starts a new session, without a controlling terminal.
///
/// # Errors
/// `setsid`: EPERM for a process group leader.
pub fn new_session() -> Result<()> {
    check("setsid", rustix::process::setsid().map(drop), String::new)
}

/// Signals every process of a group.
///
/// # Errors
/// `kill`: ESRCH when the group is empty.
pub fn signal_group(group: u32, signal: u8) -> Result<()> {
    let shown = || format!("-{group}, {signal}");
    let id = i32::try_from(group).map_err(|_| Error::new("kill", shown(), libc::ESRCH))?;
    // SAFETY: the call takes no pointers.
    // NEED: rustix cannot express the real-time signals.
    if unsafe { libc::kill(-id, i32::from(signal)) } == 0 {
        Ok(())
    } else {
        Err(Error::new("kill", shown(), errno()))
    }
}

/// Sets the file mode creation mask.
pub fn set_umask(mask: u32) {
    rustix::process::umask(super::Mode::from_raw_mode(mask));
}

/// Changes the working directory to an open directory.
///
/// # Errors
/// `fchdir`.
pub fn change_directory(directory: BorrowedFd<'_>) -> Result<()> {
    check("fchdir", rustix::process::fchdir(directory), || {
        directory.as_raw_fd().to_string()
    })
}

/// The working directory, or ENOENT when it is not reachable from the root
/// (the kernel then answers `(unreachable)…`).
///
/// # Errors
/// `getcwd`.
pub fn reachable_directory() -> Result<CString> {
    let path = check("getcwd", rustix::process::getcwd(Vec::new()), String::new)?;
    if path.as_bytes().first() == Some(&b'/') {
        Ok(path)
    } else {
        Err(Error::new("getcwd", format!("{path:?}"), libc::ENOENT))
    }
}

/// Undoes [`set_undumpable`]: this process's files in procfs belong to its own user again.
///
/// # Errors
/// `prctl`.
pub fn set_dumpable() -> Result<()> {
    let behavior = rustix::process::DumpableBehavior::Dumpable;
    check(
        "prctl",
        rustix::process::set_dumpable_behavior(behavior),
        || "PR_SET_DUMPABLE, 1".into(),
    )
}

/// The process id behind a pidfd, in our pid namespace (`/proc/self/fdinfo`).
///
/// # Errors
/// `open`; ESRCH when the process has been collected.
pub fn number(pidfd: BorrowedFd<'_>) -> Result<u32> {
    let path = format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd());
    let shown = || path.clone();
    let text = std::fs::read_to_string(&path)
        .map_err(|error| Error::new("open", shown(), error.raw_os_error().unwrap_or(0)))?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pid:"));
    let pid = line
        .and_then(|number| number.trim().parse().ok())
        .filter(|pid| *pid > 0);
    pid.ok_or_else(|| Error::new("read", shown(), libc::ESRCH))
}

//! The filter a container gets when nobody asks for another one.
//!
//! Three answers are possible for a call that is not open, and they differ on purpose:
//! - **EPERM** for calls we know and deny. They are listed, so that runtimes know them, too.
//! - **ENOSYS** for calls newer than this file (the runtime's rule), for the newest that have not
//!   been judged yet, and where a libc then takes an older way: `clone3`, whose flags lie in
//!   memory where no filter can read them, and `socketcall`, whose arguments do.
//! - The thread ends when a call comes through an interface that is not listed at all (x32).
//!
//! The rules behind the lists: no new namespaces without CAP_SYS_ADMIN, for a user namespace
//! makes the whole kernel reachable as its root; nothing that talks to a kernel subsystem with
//! a long list of past holes (io_uring, bpf, userfaultfd, perf, keyrings); only socket families
//! that containers use; never more than Docker's default profile. A capability the user grants
//! opens the calls that are useless without it.
//!
//! Sources: seccomp(2), capabilities(7), the manual page of each call, `linux/socket.h`.

use serde_json::{Value, json};

const EPERM: u32 = 1;
const ENOSYS: u32 = 38;

/// CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET (clone(2)). A time
/// namespace cannot be made by `clone`: its bit means something else there.
const NEW_NAMESPACES: u64 = 0x7e02_0000;

/// Linux, Linux with a 32-bit `uname`, both with an old version number, and "only tell me"
/// (personality(2)). Others switch off address randomisation or map page zero.
const PERSONALITIES: [u64; 5] = [0, 8, 0x2_0000, 0x2_0008, 0xffff_ffff];

const AF_UNIX: u64 = 1;

/// Socket families for everybody: unix, inet, inet6, netlink, packet, can, smc, xdp.
const FAMILIES: [u64; 8] = [AF_UNIX, 2, 10, 16, 17, 29, 43, 44];

/// With CAP_NET_ADMIN also: key, rds, pppox, mpls, tipc, bluetooth, rxrpc, ieee802154, nfc,
/// kcm, qipcrtr, mctp. Never alg (38) and vsock (40, it leads to the hypervisor), nor families
/// of networks that are no more.
const FAMILIES_OF_NET_ADMIN: [u64; 12] = [15, 21, 24, 28, 30, 31, 33, 36, 39, 41, 42, 45];

/// The profile for a container that holds `capabilities` (names with `CAP_`), as the
/// `linux.seccomp` object of the runtime specification, for the machine this runs on.
#[must_use]
pub(crate) fn default_profile<S: AsRef<str>>(capabilities: &[S]) -> Value {
    profile(std::env::consts::ARCH, capabilities)
}

fn profile<S: AsRef<str>>(machine: &str, capabilities: &[S]) -> Value {
    let holds = |name: &str| capabilities.iter().any(|one| one.as_ref() == name);
    let mut open: Vec<&str> = OPEN.concat();
    for (capability, calls) in OPENED_BY {
        if holds(capability) {
            open.extend(
                calls
                    .iter()
                    .filter(|call| !open.contains(call))
                    .collect::<Vec<_>>(),
            );
        }
    }

    let mut families = FAMILIES.to_vec();
    if holds("CAP_NET_ADMIN") {
        families.extend(FAMILIES_OF_NET_ADMIN);
    }
    let mut rules = Vec::new();
    rules.extend(families.into_iter().map(|family| when("socket", 0, family)));
    rules.push(when("socketpair", 0, AF_UNIX));
    rules.extend(PERSONALITIES.map(|value| when("personality", 0, value)));
    if !open.contains(&"clone") {
        rules.push(clone_without_namespaces(machine));
    }
    let shut = |calls: &[&'static str]| -> Vec<&'static str> {
        let shut = calls.iter().filter(|call| !open.contains(call));
        shut.copied().collect()
    };
    rules.push(refuse(&shut(&ABSENT), ENOSYS));
    rules.push(refuse(&shut(&DENIED.concat()), EPERM));
    rules.insert(0, json!({ "names": open, "action": "SCMP_ACT_ALLOW" }));
    json!({
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": EPERM,
        "architectures": interfaces(machine),
        "syscalls": rules,
    })
}

/// The machine's own interface and its 32-bit one. x32 is left out: nearly no kernel offers it
/// and no image needs it, yet every hole in a call would be open a second time through it.
fn interfaces(machine: &str) -> &'static [&'static str] {
    match machine {
        "x86_64" => &["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
        "aarch64" => &["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"],
        "s390x" => &["SCMP_ARCH_S390X", "SCMP_ARCH_S390"],
        // The runtime adds its own interface by itself.
        _ => &[],
    }
}

fn when(name: &str, index: u32, value: u64) -> Value {
    json!({
        "names": [name],
        "action": "SCMP_ACT_ALLOW",
        "args": [{ "index": index, "value": value, "op": "SCMP_CMP_EQ" }],
    })
}

/// On s390 `clone` takes the stack first and the flags second.
fn clone_without_namespaces(machine: &str) -> Value {
    let index = u32::from(machine == "s390x");
    json!({
        "names": ["clone"],
        "action": "SCMP_ACT_ALLOW",
        "args": [{
            "index": index,
            "value": NEW_NAMESPACES,
            "valueTwo": 0,
            "op": "SCMP_CMP_MASKED_EQ",
        }],
    })
}

fn refuse(names: &[&str], errno: u32) -> Value {
    json!({ "names": names, "action": "SCMP_ACT_ERRNO", "errnoRet": errno })
}

/// Calls that a capability makes useful, and only that capability.
#[rustfmt::skip]
const OPENED_BY: [(&str, &[&str]); 14] = [
    ("CAP_BPF", &["bpf"]),
    ("CAP_DAC_READ_SEARCH", &["open_by_handle_at"]),
    ("CAP_PERFMON", &["perf_event_open"]),
    ("CAP_SYSLOG", &["syslog"]),
    ("CAP_SYS_ADMIN", &[
        "bpf", "clone", "clone3", "fanotify_init", "fsconfig", "fsmount", "fsopen", "fspick",
        "lsm_get_self_attr", "lsm_list_modules", "lsm_set_self_attr", "mount", "mount_setattr",
        "move_mount", "open_tree", "open_tree_attr", "perf_event_open", "quotactl", "quotactl_fd",
        "setdomainname", "sethostname", "setns", "syslog", "umount", "umount2", "unshare",
    ]),
    ("CAP_SYS_BOOT", &["reboot"]),
    ("CAP_SYS_CHROOT", &["chroot"]),
    ("CAP_SYS_MODULE", &["delete_module", "finit_module", "init_module"]),
    ("CAP_SYS_NICE", &["get_mempolicy", "mbind", "set_mempolicy", "set_mempolicy_home_node"]),
    ("CAP_SYS_PACCT", &["acct"]),
    ("CAP_SYS_PTRACE", &["kcmp", "pidfd_getfd", "process_madvise"]),
    ("CAP_SYS_RAWIO", &["ioperm", "iopl"]),
    ("CAP_SYS_TIME", &["clock_settime", "clock_settime64", "settimeofday", "stime"]),
    ("CAP_SYS_TTY_CONFIG", &["vhangup"]),
];

/// Answered as by an older kernel.
#[rustfmt::skip]
const ABSENT: [&str; 6] = [
    "clone3", "socketcall",
    // Not judged yet; programs that know them know how to do without.
    "file_getattr", "file_setattr", "listns", "rseq_slice_yield",
];

/// Open to every container, by subject.
#[rustfmt::skip]
const OPEN: [&[&str]; 15] = [
    // Files: contents
    &[
        "_llseek", "close", "close_range", "copy_file_range", "creat", "dup", "dup2", "dup3",
        "fadvise64", "fadvise64_64", "arm_fadvise64_64", "fallocate", "fcntl", "fcntl64",
        "fdatasync", "flock", "fsync", "ftruncate", "ftruncate64", "ioctl", "lseek", "open",
        "openat", "openat2", "pread64", "preadv", "preadv2", "pwrite64", "pwritev", "pwritev2",
        "read", "readahead", "readv", "sendfile", "sendfile64", "splice", "sync",
        "sync_file_range", "sync_file_range2", "arm_sync_file_range", "syncfs", "tee",
        "truncate", "truncate64", "vmsplice", "write", "writev", "cachestat",
    ],
    // Files: names and attributes
    &[
        "access", "chdir", "chmod", "chown", "chown32", "faccessat", "faccessat2", "fchdir",
        "fchmod", "fchmodat", "fchmodat2", "fchown", "fchown32", "fchownat", "fgetxattr",
        "flistxattr", "fremovexattr", "fsetxattr", "fstat", "fstat64", "fstatat64", "fstatfs",
        "fstatfs64", "futimesat", "getcwd", "getdents", "getdents64", "getxattr", "getxattrat",
        "lchown", "lchown32", "lgetxattr", "link", "linkat", "listxattr", "listxattrat",
        "llistxattr", "lremovexattr", "lsetxattr", "lstat", "lstat64", "mkdir", "mkdirat",
        "mknod", "mknodat", "name_to_handle_at", "newfstatat", "readlink", "readlinkat",
        "removexattr", "removexattrat", "rename", "renameat", "renameat2", "rmdir", "setxattr",
        "setxattrat", "stat", "stat64", "statfs", "statfs64", "statx", "symlink", "symlinkat",
        "umask", "unlink", "unlinkat", "utime", "utimensat", "utimensat_time64", "utimes",
    ],
    // Mounts: looking only
    &["listmount", "statmount"],
    // Waiting for events
    &[
        "_newselect", "epoll_create", "epoll_create1", "epoll_ctl", "epoll_ctl_old",
        "epoll_pwait", "epoll_pwait2", "epoll_wait", "epoll_wait_old", "eventfd", "eventfd2",
        "fanotify_mark", "inotify_add_watch", "inotify_init", "inotify_init1",
        "inotify_rm_watch", "poll", "ppoll", "ppoll_time64", "pselect6", "pselect6_time64",
        "select", "signalfd", "signalfd4",
    ],
    // Asynchronous I/O of the old kind
    &[
        "io_cancel", "io_destroy", "io_getevents", "io_pgetevents", "io_pgetevents_time64",
        "io_setup", "io_submit",
    ],
    // Memory
    &[
        "brk", "cacheflush", "madvise", "map_shadow_stack", "membarrier", "memfd_create",
        "memfd_secret", "mincore", "mlock", "mlock2", "mlockall", "mmap", "mmap2", "mprotect",
        "mremap", "mseal", "msync", "munlock", "munlockall", "munmap", "pkey_alloc", "pkey_free",
        "pkey_mprotect", "remap_file_pages", "riscv_flush_icache",
    ],
    // Processes and threads
    &[
        "arch_prctl", "breakpoint", "capget", "capset", "execve", "execveat", "exit",
        "exit_group", "fork", "get_robust_list", "get_thread_area", "getcpu", "getpgid",
        "getpgrp", "getpid", "getppid", "getrlimit", "getrusage", "getsid", "gettid",
        "modify_ldt", "pidfd_open", "prctl", "prlimit64", "process_mrelease",
        "process_vm_readv", "process_vm_writev", "ptrace", "restart_syscall", "riscv_hwprobe",
        "rseq", "s390_pci_mmio_read", "s390_pci_mmio_write", "s390_runtime_instr",
        "set_robust_list", "set_thread_area", "set_tid_address", "set_tls", "setpgid",
        "setrlimit", "setsid", "swapcontext", "sysinfo", "ugetrlimit", "uname", "uretprobe",
        "vfork", "wait4", "waitid", "waitpid",
    ],
    // Users and groups
    &[
        "getegid", "getegid32", "geteuid", "geteuid32", "getgid", "getgid32", "getgroups",
        "getgroups32", "getresgid", "getresgid32", "getresuid", "getresuid32", "getuid",
        "getuid32", "setfsgid", "setfsgid32", "setfsuid", "setfsuid32", "setgid", "setgid32",
        "setgroups", "setgroups32", "setregid", "setregid32", "setresgid", "setresgid32",
        "setresuid", "setresuid32", "setreuid", "setreuid32", "setuid", "setuid32",
    ],
    // Signals
    &[
        "alarm", "kill", "pause", "pidfd_send_signal", "rt_sigaction", "rt_sigpending",
        "rt_sigprocmask", "rt_sigqueueinfo", "rt_sigreturn", "rt_sigsuspend", "rt_sigtimedwait",
        "rt_sigtimedwait_time64", "rt_tgsigqueueinfo", "sigaltstack", "sigprocmask",
        "sigreturn", "tgkill", "tkill",
    ],
    // Scheduling
    &[
        "getpriority", "ioprio_get", "ioprio_set", "sched_get_priority_max",
        "sched_get_priority_min", "sched_getaffinity", "sched_getattr", "sched_getparam",
        "sched_getscheduler", "sched_rr_get_interval", "sched_rr_get_interval_time64",
        "sched_setaffinity", "sched_setattr", "sched_setparam", "sched_setscheduler",
        "sched_yield", "setpriority",
    ],
    // Locks between threads
    &[
        "futex", "futex_requeue", "futex_time64", "futex_wait", "futex_waitv", "futex_wake",
    ],
    // Time; setting it needs a capability that the kernel checks for adjtimex itself
    &[
        "adjtimex", "clock_adjtime", "clock_adjtime64", "clock_getres", "clock_getres_time64",
        "clock_gettime", "clock_gettime64", "clock_nanosleep", "clock_nanosleep_time64",
        "getitimer", "gettimeofday", "nanosleep", "setitimer", "time", "timer_create",
        "timer_delete", "timer_getoverrun", "timer_gettime", "timer_gettime64",
        "timer_settime", "timer_settime64", "timerfd_create", "timerfd_gettime",
        "timerfd_gettime64", "timerfd_settime", "timerfd_settime64", "times",
    ],
    // Sockets, once `socket` or `socketpair` has made one
    &[
        "accept", "accept4", "bind", "connect", "getpeername", "getsockname", "getsockopt",
        "listen", "recv", "recvfrom", "recvmmsg", "recvmmsg_time64", "recvmsg", "send",
        "sendmmsg", "sendmsg", "sendto", "setsockopt", "shutdown",
    ],
    // Pipes, queues, shared memory
    &[
        "ipc", "mq_getsetattr", "mq_notify", "mq_open", "mq_timedreceive",
        "mq_timedreceive_time64", "mq_timedsend", "mq_timedsend_time64", "mq_unlink", "msgctl",
        "msgget", "msgrcv", "msgsnd", "pipe", "pipe2", "semctl", "semget", "semop",
        "semtimedop", "semtimedop_time64", "shmat", "shmctl", "shmdt", "shmget",
    ],
    // A process may tie itself down, and ask for random numbers
    &[
        "getrandom", "landlock_add_rule", "landlock_create_ruleset", "landlock_restrict_self",
        "seccomp",
    ],
];

/// Known and denied, by reason; a capability may still open some.
#[rustfmt::skip]
const DENIED: [&[&str]; 7] = [
    // Change the mount table or the namespaces
    &[
        "chroot", "fsconfig", "fsmount", "fsopen", "fspick", "mount", "mount_setattr",
        "move_mount", "open_tree", "open_tree_attr", "pivot_root", "setns", "umount", "umount2",
        "unshare",
    ],
    // Belong to the whole machine
    &[
        "acct", "clock_settime", "clock_settime64", "delete_module", "finit_module",
        "init_module", "ioperm", "iopl", "kexec_file_load", "kexec_load", "pciconfig_iobase",
        "pciconfig_read", "pciconfig_write", "quotactl", "quotactl_fd", "reboot", "rtas",
        "setdomainname", "sethostname", "settimeofday", "stime", "swapoff", "swapon", "syslog",
        "vhangup",
    ],
    // Large pieces of kernel with a history of holes
    &[
        "bpf", "fanotify_init", "io_uring_enter", "io_uring_register", "io_uring_setup",
        "lookup_dcookie", "perf_event_open", "userfaultfd",
    ],
    // Keyrings are not separated by namespaces
    &["add_key", "keyctl", "request_key"],
    // Reach into other processes or around the file permissions
    &[
        "kcmp", "lsm_get_self_attr", "lsm_list_modules", "lsm_set_self_attr",
        "open_by_handle_at", "pidfd_getfd", "process_madvise",
    ],
    // Memory placement of the machine
    &[
        "get_mempolicy", "mbind", "migrate_pages", "move_pages", "set_mempolicy",
        "set_mempolicy_home_node",
    ],
    // Relics
    &[
        "_sysctl", "afs_syscall", "bdflush", "create_module", "get_kernel_syms", "getpmsg",
        "nfsservctl", "putpmsg", "query_module", "security", "sysfs", "tuxcall", "uselib",
        "ustat", "vm86", "vm86old", "vserver",
    ],
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    const NONE: [&str; 0] = [];

    fn rules(profile: &Value) -> &Vec<Value> {
        profile["syscalls"].as_array().unwrap()
    }

    fn names(rule: &Value) -> HashSet<&str> {
        let names = rule["names"].as_array().unwrap();
        names.iter().map(|name| name.as_str().unwrap()).collect()
    }

    /// What a profile says about a call: the answers of all rules without conditions, and the
    /// values its first argument may have in the others.
    fn said<'a>(profile: &'a Value, name: &str) -> (Vec<&'a Value>, Vec<u64>) {
        let about = rules(profile)
            .iter()
            .filter(|rule| names(rule).contains(name));
        let (conditional, fixed): (Vec<_>, Vec<_>) =
            about.partition(|rule| rule.get("args").is_some());
        let values = conditional
            .iter()
            .map(|rule| rule["args"][0]["value"].as_u64().unwrap());
        (fixed, values.collect())
    }

    fn answer(profile: &Value, name: &str) -> (String, u64) {
        let (fixed, _) = said(profile, name);
        assert_eq!(fixed.len(), 1, "{name} is in one rule");
        let action = fixed[0]["action"].as_str().unwrap().into();
        (action, fixed[0]["errnoRet"].as_u64().unwrap_or(0))
    }

    fn open(profile: &Value, name: &str) -> bool {
        answer(profile, name).0 == "SCMP_ACT_ALLOW"
    }

    #[test]
    fn no_name_is_said_twice() {
        for capabilities in [&NONE[..], &["CAP_SYS_ADMIN", "CAP_BPF", "CAP_SYSLOG"][..]] {
            let profile = profile("x86_64", capabilities);
            let mut seen = HashSet::new();
            for rule in rules(&profile)
                .iter()
                .filter(|rule| rule.get("args").is_none())
            {
                let listed = rule["names"].as_array().unwrap().len();
                assert_eq!(listed, names(rule).len());
                for name in names(rule) {
                    assert!(seen.insert(name.to_owned()), "{name}");
                }
            }
        }
    }

    #[test]
    fn dangerous_calls_are_shut_and_known() {
        let profile = profile("x86_64", &NONE);
        for name in [
            "mount",
            "unshare",
            "setns",
            "pivot_root",
            "bpf",
            "userfaultfd",
            "perf_event_open",
            "keyctl",
            "add_key",
            "request_key",
            "io_uring_setup",
            "kexec_load",
            "open_by_handle_at",
            "pidfd_getfd",
        ] {
            assert_eq!(
                answer(&profile, name),
                ("SCMP_ACT_ERRNO".into(), 1),
                "{name}"
            );
        }
        for name in ["clone3", "socketcall"] {
            assert_eq!(
                answer(&profile, name),
                ("SCMP_ACT_ERRNO".into(), 38),
                "{name}"
            );
        }
        assert_eq!(profile["defaultAction"], "SCMP_ACT_ERRNO");
        assert_eq!(profile["defaultErrnoRet"], 1);
    }

    /// Names Docker's default profile (August 2026) does not open without capabilities, save
    /// those of `DENIED` and `ABSENT`: none of them may be open here. It opens 377 names.
    #[test]
    fn nothing_is_open_that_docker_keeps_shut() {
        let profile = profile("x86_64", &NONE);
        let open = names(&rules(&profile)[0]);
        let shut = DENIED.concat().into_iter().chain(ABSENT);
        let more = [
            "break",
            "ftime",
            "gtty",
            "idle",
            "lock",
            "mpx",
            "multiplexer",
            "nice",
            "oldfstat",
            "oldlstat",
            "oldolduname",
            "oldstat",
            "olduname",
            "prof",
            "profil",
            "readdir",
            "rtas",
            "s390_guarded_storage",
            "s390_sthyi",
            "sgetmask",
            "sigaction",
            "signal",
            "sigpending",
            "sigsuspend",
            "spu_create",
            "spu_run",
            "ssetmask",
            "stty",
            "subpage_prot",
            "switch_endian",
            "sys_debug_setcontext",
            "ulimit",
            "uprobe",
            "usr26",
            "usr32",
            "get_tls",
        ];
        for name in shut.chain(more) {
            assert!(!open.contains(name), "{name}");
        }
        assert!(open.len() <= 375, "{} calls are open", open.len());
    }

    #[test]
    fn only_living_socket_families_are_open() {
        let plain = profile("x86_64", &NONE);
        let (fixed, families) = said(&plain, "socket");
        assert!(fixed.is_empty());
        assert_eq!(families, [1, 2, 10, 16, 17, 29, 43, 44]);
        assert_eq!(said(&plain, "socketpair").1, [1]);

        let admin = profile("x86_64", &["CAP_NET_ADMIN"]);
        let (_, families) = said(&admin, "socket");
        assert_eq!(families.len(), 20);
        let docker = |family| !matches!(family, 12 | 19 | 20 | 23 | 25 | 34 | 37 | 38 | 40 | 46..);
        for family in families {
            assert!(docker(family), "{family}");
        }
    }

    #[test]
    fn capabilities_open_their_own_calls_and_no_others() {
        let plain = profile("x86_64", &NONE);
        let opened = |capability: &str| -> Vec<String> {
            let with = profile("x86_64", &[capability]);
            let before = names(&rules(&plain)[0]);
            let mut new: Vec<String> = names(&rules(&with)[0])
                .difference(&before)
                .map(|name| (*name).to_owned())
                .collect();
            new.sort();
            new
        };
        assert_eq!(opened("CAP_SYS_CHROOT"), ["chroot"]);
        assert_eq!(
            opened("CAP_SYS_PTRACE"),
            ["kcmp", "pidfd_getfd", "process_madvise"]
        );
        assert_eq!(opened("CAP_NET_RAW"), NONE);
        let admin = opened("CAP_SYS_ADMIN");
        assert!(admin.contains(&"mount".into()) && admin.contains(&"clone3".into()));
        for (capability, calls) in OPENED_BY {
            assert_eq!(opened(capability).len(), calls.len(), "{capability}");
        }
    }

    #[test]
    fn namespaces_need_sys_admin() {
        let plain = profile("x86_64", &NONE);
        let (fixed, values) = said(&plain, "clone");
        assert!(fixed.is_empty());
        assert_eq!(values, [NEW_NAMESPACES]);
        let admin = profile("x86_64", &["CAP_SYS_ADMIN"]);
        assert!(open(&admin, "clone") && open(&admin, "clone3") && open(&admin, "unshare"));
        assert!(said(&admin, "clone").1.is_empty());
    }

    #[test]
    fn the_flags_of_clone_stand_elsewhere_on_s390() {
        for (machine, index) in [("x86_64", 0), ("aarch64", 0), ("s390x", 1)] {
            let profile = profile(machine, &NONE);
            let rule = rules(&profile)
                .iter()
                .find(|rule| names(rule).contains("clone"));
            assert_eq!(rule.unwrap()["args"][0]["index"], index, "{machine}");
        }
    }

    #[test]
    fn x32_is_not_admitted() {
        let interfaces = &profile("x86_64", &NONE)["architectures"];
        assert_eq!(interfaces, &json!(["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]));
    }
}

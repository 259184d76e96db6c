//! S-ORDER: the order of what the runtime asks of the kernel is a security property. One `run` with
//! everything on, traced: each step stands after what it relies on and before what it protects
//! from. The numbers are those of ARCHITECTURE.md's picture of a birth.

use dhow_tests::console::DescriptorSocket;
use dhow_tests::{Bundle, Output, Test, Trace, for_runtimes, needs};
use serde_json::json;

/// A container that asks for something in every step.
fn everything(test: &Test, no_new_privileges: bool) -> Bundle {
    test.bundle_with(|config| {
        let process = &mut config["process"];
        process["terminal"] = json!(true);
        process["user"] = json!({"uid": 1000, "gid": 1000, "additionalGids": [50]});
        process["noNewPrivileges"] = json!(no_new_privileges);
        process["oomScoreAdj"] = json!(100);
        process["cwd"] = json!("/tmp");
        process["capabilities"]["inheritable"] = json!(["CAP_KILL"]);
        process["capabilities"]["ambient"] = json!(["CAP_KILL"]);
        config["root"]["readonly"] = json!(true);
        config["linux"]["sysctl"] = json!({"net.ipv4.ip_unprivileged_port_start": "80"});
        config["linux"]["seccomp"] = json!({
            "defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [{"names": ["swapon"], "action": "SCMP_ACT_ERRNO"}]
        });
    })
}

fn traced(test: &Test, bundle: &Bundle) -> (Output, Trace) {
    let socket = DescriptorSocket::listen(test.root().join("console.sock"));
    let path = socket.path().to_str().expect("a path");
    let options = ["--detach", "--console-socket", path];
    let (output, trace) = Trace::of_run(test, bundle, &options, "a");
    let _terminal = socket.terminal();
    (output.ok(), trace)
}

/// What stands before the clone: this process protects itself before it reads a word of the
/// bundle, and opens what it needs of the host before there is a child.
const BEFORE: [&[&str]; 7] = [
    &["open(\"/proc/self/exe\""],
    &["execveat(", "\"\"", "AT_EMPTY_PATH"],
    &["prctl(PR_SET_DUMPABLE, SUID_DUMP_DISABLE"],
    &["close_range(3, 4294967295, CLOSE_RANGE_CLOEXEC)"],
    &["config.json\", O_RDONLY"],
    &["fsopen(\"proc\""],
    &["clone3(", "CLONE_PIDFD", "CLONE_NEWNS", "CLONE_NEWPID"],
];

/// Root and mounts: cut off from the host before the first is made, all by descriptor.
const MOUNTS: [&[&str]; 10] = [
    &["setsid()"],
    &["keyctl(KEYCTL_JOIN_SESSION_KEYRING, \"_ses."],
    &["unshare(CLONE_NEWCGROUP)"],
    &["open_tree(", "\"/dev/null\"", "OPEN_TREE_CLONE"],
    &["mount(NULL, \"/\", NULL, MS_REC|MS_SLAVE"],
    &["mount_setattr(", "AT_RECURSIVE", "MS_PRIVATE"],
    &[
        "move_mount(",
        "MOVE_MOUNT_F_EMPTY_PATH|MOVE_MOUNT_T_EMPTY_PATH",
    ],
    &["fsopen(\"proc\""],
    &["mknodat(", "</dev>, \"null\""],
    &["pivot_root(\".\", \".\")"],
];

/// Inside: the terminal by its controlling side, settings through the private procfs, masks after
/// everything that writes where they will lie, the root read-only after the last mount point.
const INSIDE: [&[&str]; 10] = [
    &["umount2(\".\", MNT_DETACH)"],
    &["fchdir("],
    &["openat2(", "\"dev/pts\"", "RESOLVE_NO_SYMLINKS"],
    &["ioctl(", "TIOCGPTPEER"],
    &["move_mount(", "</dev/console>, \"\""],
    &[
        "write(",
        "</sys/net/ipv4/ip_unprivileged_port_start>, \"80\"",
    ],
    &["sethostname("],
    &["move_mount(", "</proc/keys>, \"\""],
    &["move_mount(", "</proc/sys>, \"\""],
    &["mount_setattr(", "MOUNT_ATTR_RDONLY"],
];

/// From root to the user, in the only order that leaves nothing behind, and verified.
const IDENTITY: [&[&str]; 9] = [
    &["ioctl(", "TIOCSCTTY"],
    &["prctl(PR_CAPBSET_DROP"],
    &["setgroups("],
    &["setresgid(1000, 1000, 1000)"],
    &["prctl(PR_SET_KEEPCAPS, 1"],
    &["setresuid(1000, 1000, 1000)"],
    &["capset("],
    &["prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE"],
    &["capget("],
];

/// Last: where we are, no way back to privileges, no descriptor, the filter, the program.
const END: [&[&str]; 5] = [
    &["getcwd(\"/tmp\""],
    &["rt_sigprocmask(SIG_SETMASK, []"],
    &["close_range("],
    &["seccomp(SECCOMP_SET_MODE_FILTER"],
    &["execve("],
];

fn each_step_in_its_place(test: &Test) {
    needs!(test, root, strace);
    let (_, trace) = traced(test, &everything(test, true));
    let mut steps = Vec::new();
    for part in [&BEFORE[..], &MOUNTS, &INSIDE, &IDENTITY, &END] {
        steps.extend_from_slice(part);
    }
    trace.assert_order(&steps);
    trace.assert_order(&[
        &["getcwd(\"/tmp\""],
        &["prctl(PR_SET_NO_NEW_PRIVS, 1"],
        &["close_range("],
    ]);
    filter_is_last(&trace);
}

/// Without `no_new_privs` a filter needs a capability; it is still installed last.
fn the_filter_is_last_without_no_new_privileges_too(test: &Test) {
    needs!(test, root, strace);
    let (_, trace) = traced(test, &everything(test, false));
    trace.assert_order(&[IDENTITY[6], END[3], END[4]]);
    filter_is_last(&trace);
}

fn filter_is_last(trace: &Trace) {
    let mut calls = trace.of(trace.first_process());
    let filter = calls.find(|call| call.is(&["seccomp(SECCOMP_SET_MODE_FILTER"]));
    assert!(filter.is_some(), "no filter");
    let next = calls.next().expect("a call after the filter");
    assert_eq!(next.name(), "execve", "{}", next.text);
}

/// Calls that name a file by an absolute path, made by the child before its execve. Each is the
/// host's own, or leads through our own descriptors.
const BY_NAME: [&str; 5] = [
    "open(\"/\", O_RDONLY",
    "open_tree(AT_FDCWD",
    "mount(NULL, \"/\", NULL, MS_REC|MS_SLAVE",
    "mount(\"cgroup",
    "open(\"/proc/self",
];

/// Invariant 12 as the kernel sees it: of what the child calls with a name, nothing is a path of
/// the container but the program itself.
fn no_path_of_the_container_is_a_string(test: &Test) {
    needs!(test, root, strace);
    let (_, trace) = traced(test, &everything(test, true));
    let calls = trace.of(trace.first_process());
    let before = calls.take_while(|call| call.name() != "execve");
    let mut strange = Vec::new();
    for call in before {
        // A call relative to a descriptor has it in the first place.
        let arguments = call.text.split_once('(').map_or("", |(_, rest)| rest);
        let by_name = arguments.starts_with('"') || arguments.starts_with("AT_FDCWD");
        let is_mount = matches!(call.name(), "mount" | "umount2");
        let is_known = BY_NAME.iter().any(|known| call.text.starts_with(known));
        let is_here = arguments.starts_with("\".\"") || call.name() == "getcwd";
        // What these take first is no path: a name, a kind of file system, the text of a link.
        let is_text = matches!(call.name(), "sethostname" | "fsopen" | "symlinkat");
        if (by_name || is_mount) && !is_known && !is_here && !is_text {
            strange.push(&call.text);
        }
        if call.text.starts_with("mount(\"cgroup") {
            assert!(call.text.contains("\"/proc/self/fd/"), "{}", call.text);
        }
        if call.text.starts_with("open_tree(AT_FDCWD") {
            assert!(call.text.contains("\"/dev/null\""), "{}", call.text);
        }
    }
    assert!(strange.is_empty(), "{strange:#?}");
}

for_runtimes!([Dhow];
    each_step_in_its_place,
    the_filter_is_last_without_no_new_privileges_too,
    no_path_of_the_container_is_a_string,
);

//! `linux.seccomp`: the filter that is really in force.

use dhow_tests::console::DescriptorSocket;
use dhow_tests::{Config, Kind, Test, for_each_runtime, for_runtimes};
use serde_json::{Value, json};

const ERRNO: &str = "SCMP_ACT_ERRNO";

/// Everything a static program and a runtime behind its own filter need, and no more.
const TIGHT: &str = "read write open openat close mmap munmap brk execve exit exit_group rt_sigaction \
    rt_sigprocmask arch_prctl set_tid_address set_robust_list rseq prlimit64 getrandom \
    mprotect poll ppoll sigaltstack fstat newfstatat stat lstat readlink \
    sched_getaffinity gettid tgkill futex madvise mremap ioctl fcntl getuid getgid \
    geteuid getegid getppid getpid uname getcwd capset capget prctl chdir fchdir \
    setgroups setuid setgid setresuid setresgid close_range execveat fstatfs statfs \
    getdents64 epoll_ctl epoll_pwait nanosleep clone clone3 lseek pread64 dup dup3 \
    statx sendto recvfrom recvmsg sendmsg epoll_create1 eventfd2 pipe2 getsockopt tkill \
    sched_yield rt_sigreturn seccomp umask socket openat2 keyctl setsid";

fn filter(config: &mut Config, rules: Value) {
    config["linux"]["seccomp"] = json!({"defaultAction": "SCMP_ACT_ALLOW"});
    config["linux"]["seccomp"]["syscalls"] = rules;
}

fn a_call_fails_with_the_errno_asked_for(test: &Test) {
    let output = test.run_with(|config| {
        filter(
            config,
            json!([
                {"names": ["mkdir", "mkdirat"], "action": ERRNO, "errnoRet": 95},
                {"names": ["chroot"], "action": ERRNO}
            ]),
        );
        config.args(&["sh", "-c", "probe mkdir /x; probe chroot /; probe getcwd"]);
    });
    let text = output.ok().stdout();
    let answers: Vec<Value> = text
        .lines()
        .map(|l| serde_json::from_str(l).expect("JSON"))
        .collect();
    let errno: Vec<_> = answers
        .iter()
        .map(|answer| answer["errno"].as_i64())
        .collect();
    assert_eq!(errno, [Some(95), Some(1), None], "{text}");
}

fn the_kernel_shows_the_filter(test: &Test) {
    for privileges in [true, false] {
        let report = test.probe_with(|config| {
            config["process"]["noNewPrivileges"] = json!(privileges);
            filter(config, json!([{"names": ["chroot"], "action": ERRNO}]));
        });
        assert_eq!(report["seccomp"]["mode"], "2");
        assert_eq!(report["seccomp"]["filters"], "1");
        // The call that installs it needs a capability; the container must not keep it.
        assert_eq!(report["capabilities"]["effective"], "0000000020000420");
    }
    let report = test.probe_with(|_| {});
    assert_eq!(report["seccomp"]["mode"], "0");
}

fn exec_has_the_same_filter(test: &Test) {
    let bundle = test.bundle_with(|config| {
        filter(
            config,
            json!([{"names": ["mkdir", "mkdirat"], "action": ERRNO, "errnoRet": 95}]),
        );
        config.args(&["sleep", "1000"]);
    });
    let container = test.create(&bundle, "a");
    container.start();
    assert_eq!(
        container.exec(&["probe", "mkdir", "/x"]).ok().json()["errno"],
        95
    );
}

fn kill_ends_the_process(test: &Test) {
    for action in [
        "SCMP_ACT_KILL",
        "SCMP_ACT_KILL_PROCESS",
        "SCMP_ACT_KILL_THREAD",
    ] {
        let output = test.run_with(|config| {
            filter(config, json!([{"names": ["chroot"], "action": action}]));
            config.args(&["probe", "chroot", "/"]);
        });
        // 128 + SIGSYS.
        output.code_is(159);
    }
}

fn arguments_are_compared(test: &Test) {
    // AF_UNIX 1, AF_INET 2, AF_NETLINK 16.
    let cases = [
        ("SCMP_CMP_EQ", 16, 0, [false, false, true]),
        ("SCMP_CMP_NE", 16, 0, [true, true, false]),
        ("SCMP_CMP_LT", 2, 0, [true, false, false]),
        ("SCMP_CMP_LE", 2, 0, [true, true, false]),
        ("SCMP_CMP_GT", 2, 0, [false, false, true]),
        ("SCMP_CMP_GE", 2, 0, [false, true, true]),
        ("SCMP_CMP_MASKED_EQ", 0x12, 0x10, [false, false, true]),
    ];
    for (op, value, second, refused) in cases {
        let rule = json!([{"names": ["socket"], "action": ERRNO, "errnoRet": 95, "args": [
            {"index": 0, "value": value, "valueTwo": second, "op": op}
        ]}]);
        let output = test.run_with(|config| {
            filter(config, rule);
            config.args(&["sh", "-c", "for f in 1 2 16; do probe socket $f; done"]);
        });
        let text = output.ok().stdout();
        let found: Vec<bool> = text
            .lines()
            .map(|line| line.contains("\"errno\":95"))
            .collect();
        assert_eq!(found, refused, "{op}: {text}");
    }
}

fn a_tight_default_with_its_errno(test: &Test) {
    let output = test.run_with(|config| {
        let allowed: Vec<_> = TIGHT.split_whitespace().collect();
        config["linux"]["seccomp"] = json!({
            "defaultAction": ERRNO, "defaultErrnoRet": 38,
            "syscalls": [{"names": allowed, "action": "SCMP_ACT_ALLOW"}]
        });
        config.args(&["/bin/probe", "mkdir", "/x"]);
    });
    assert_eq!(output.ok().json()["errno"], 38);
}

fn unknown_names_are_tolerated(test: &Test) {
    let report = test.probe_with(|config| {
        filter(
            config,
            json!([{"names": ["moon_walk", "chroot"], "action": ERRNO}]),
        );
    });
    assert_eq!(report["seccomp"]["mode"], "2");
}

fn other_architectures_may_be_named(test: &Test) {
    let report = test.probe_with(|config| {
        filter(config, json!([{"names": ["chroot"], "action": ERRNO}]));
        config["linux"]["seccomp"]["architectures"] =
            json!(["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]);
        // runc 1.1 takes no flags.
        if !test.is(Kind::Runc) {
            config["linux"]["seccomp"]["flags"] = json!(["SECCOMP_FILTER_FLAG_LOG"]);
        }
    });
    assert_eq!(report["seccomp"]["mode"], "2");
}

fn wrong_words_are_refused_by_path(test: &Test) {
    for (pointer, path) in [
        ("/defaultAction", "linux.seccomp.defaultAction"),
        ("/architectures/0", "linux.seccomp.architectures[0]"),
        ("/syscalls/0/action", "linux.seccomp.syscalls[0].action"),
        (
            "/syscalls/0/args/0/op",
            "linux.seccomp.syscalls[0].args[0].op",
        ),
    ] {
        let output = test.run_with(|config| {
            let mut profile = json!({
                "defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"],
                "syscalls": [{"names": ["chroot"], "action": ERRNO,
                    "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}]}]
            });
            *profile.pointer_mut(pointer).expect("it is there") = json!("MOON");
            config["linux"]["seccomp"] = profile;
        });
        output.fails(path);
    }
}

/// The listener gets the state and a descriptor; when it closes that, the call says ENOSYS.
fn notify_hands_the_call_to_a_listener(test: &Test) {
    let socket = DescriptorSocket::listen(test.root().join("notify.sock"));
    let bundle = test.bundle_with(|config| {
        filter(
            config,
            json!([{"names": ["chroot"], "action": "SCMP_ACT_NOTIFY"}]),
        );
        config["linux"]["seccomp"]["listenerPath"] = json!(socket.path());
        config["linux"]["seccomp"]["listenerMetadata"] = json!("some data");
        config["annotations"] = json!({"a": "b"});
        config.args(&["probe", "chroot", "/"]);
    });
    let running = test.run_command(&bundle, "a").spawn();
    let (message, descriptors) = socket.receive();
    let state: Value = serde_json::from_slice(&message).expect("a state document");
    assert_eq!(state["metadata"], "some data");
    assert_eq!(state["fds"], json!(["seccompFd"]));
    assert_eq!(state["state"]["id"], test.id("a"));
    assert_eq!(state["state"]["status"], "creating");
    assert_eq!(state["state"]["annotations"]["a"], "b");
    assert!(state["pid"].as_i64().is_some_and(|pid| pid > 1), "{state}");
    assert_eq!(descriptors.len(), 1);
    drop(descriptors);
    assert_eq!(running.wait().ok().json()["errno"], 38);
}

fn notify_without_a_listener_is_refused(test: &Test) {
    let output = test.run_with(|config| {
        filter(
            config,
            json!([{"names": ["chroot"], "action": "SCMP_ACT_NOTIFY"}]),
        );
    });
    output.refuses(["listenerPath", "listenerPath", ""]);
}

fn a_listener_that_is_not_there_is_named(test: &Test) {
    let output = test.run_with(|config| {
        filter(
            config,
            json!([{"names": ["chroot"], "action": "SCMP_ACT_NOTIFY"}]),
        );
        config["linux"]["seccomp"]["listenerPath"] = json!("/nonexistent.sock");
    });
    output.refuses(["/nonexistent.sock", "", ""]);
}

for_each_runtime!(
    a_call_fails_with_the_errno_asked_for,
    the_kernel_shows_the_filter,
    exec_has_the_same_filter,
    kill_ends_the_process,
    arguments_are_compared,
    a_tight_default_with_its_errno,
    unknown_names_are_tolerated,
    other_architectures_may_be_named,
    notify_hands_the_call_to_a_listener,
    a_listener_that_is_not_there_is_named,
);

// The rivals name the word, not its place.
for_runtimes!([Dhow]; wrong_words_are_refused_by_path);

// crun starts it all the same.
for_runtimes!([Dhow, Runc]; notify_without_a_listener_is_refused);

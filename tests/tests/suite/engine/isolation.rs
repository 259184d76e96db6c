//! Capabilities, filter, namespaces, network and the walls that `--privileged` takes away.

use dhow_tests::{Dhow, Test, for_runtimes, needs};
use serde_json::Value;
use std::fs;

fn effective(report: &Value) -> u64 {
    let text = report["capabilities"]["effective"].as_str().expect("a set");
    u64::from_str_radix(text, 16).expect("a number")
}

const CHOWN: u64 = 1 << 0;
const KILL: u64 = 1 << 5;
const SYS_ADMIN: u64 = 1 << 21;
const SYS_TIME: u64 = 1 << 25;

fn capabilities(test: &Test) {
    needs!(test, root, busybox);
    let dhow = Dhow::new(test);
    let usual = effective(&dhow.probe(&[]));
    assert_eq!(usual.count_ones(), 11, "{usual:x}");
    assert_eq!(usual & (CHOWN | KILL | SYS_ADMIN), CHOWN | KILL);
    let changed = effective(&dhow.probe(&["--cap-add", "SYS_TIME", "--cap-drop", "CAP_CHOWN"]));
    assert_eq!(changed, (usual | SYS_TIME) & !CHOWN);
    let only = effective(&dhow.probe(&["--cap-drop", "ALL", "--cap-add", "KILL"]));
    assert_eq!(only, KILL);
    let wrong = dhow.shell(&["--cap-add", "NONSENSE"], "true").run();
    wrong.code_is(125).fails("NONSENSE");
}

fn the_filter_and_without(test: &Test) {
    needs!(test, root, busybox);
    let dhow = Dhow::new(test);
    let report = dhow.probe(&[]);
    assert_eq!(report["seccomp"]["mode"], "2");
    assert_eq!(report["noNewPrivs"], "1");
    let report = dhow.probe(&["--security-opt", "seccomp=unconfined"]);
    assert_eq!(report["seccomp"]["mode"], "0");
    let report = dhow.probe(&["--security-opt", "no-new-privileges=false"]);
    assert_eq!(report["noNewPrivs"], "0");
    let profile = test.root().join("profile.json");
    let text = r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls":
        [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}]}"#;
    fs::write(&profile, text).expect("write");
    let option = format!("seccomp={}", profile.display());
    let output = dhow
        .shell(&["--security-opt", &option], "mkdir /tmp/new")
        .run();
    output.code_is(1).fails("not implemented");
    fs::write(&profile, "{").expect("write");
    let output = dhow.shell(&["--security-opt", &option], "true").run();
    output.code_is(125).fails("profile.json");
}

fn namespaces_and_names(test: &Test) {
    needs!(test, root, busybox);
    let dhow = Dhow::new(test);
    let report = dhow.probe(&["--hostname", "by-hand"]);
    assert_eq!(report["hostname"], "by-hand");
    for kind in ["mnt", "pid", "net", "ipc", "uts", "cgroup"] {
        let host = fs::read_link(format!("/proc/self/ns/{kind}")).expect("a namespace");
        let inside = report["namespaces"][kind].as_str().expect("a namespace");
        assert_ne!(inside, host.to_string_lossy(), "{kind}");
    }
    assert_eq!(report["pid"], 1);
}

fn networks(test: &Test) {
    needs!(test, root, busybox);
    let dhow = Dhow::new(test);
    let line = "ls /sys/class/net; ping -c 1 127.0.0.1 >/dev/null 2>&1; ip -o addr show lo";
    for options in [&[][..], &["--network", "none"]] {
        let text = dhow.shell(options, line).run().ok().stdout();
        assert!(
            text.starts_with("lo\n") && text.contains("127.0.0.1"),
            "{text}"
        );
        assert_eq!(text.lines().next(), Some("lo"));
        assert!(!text.contains("eth0"), "{text}");
    }
    let report = dhow.probe(&["--network", "host"]);
    let host = fs::read_link("/proc/self/ns/net").expect("a namespace");
    assert_eq!(report["namespaces"]["net"], host.to_string_lossy().as_ref());
    let unknown = dhow.shell(&["--network", "bridge-of-nobody"], "true").run();
    unknown.code_is(125).fails("bridge-of-nobody");
}

fn privileged(test: &Test) {
    needs!(test, root, busybox);
    let dhow = Dhow::new(test);
    let report = dhow.probe(&["--privileged"]);
    let own = fs::read_to_string("/proc/self/status").expect("status");
    let bounding = own.lines().find_map(|line| line.strip_prefix("CapBnd:"));
    let bounding = u64::from_str_radix(bounding.expect("a set").trim(), 16).expect("a number");
    assert_eq!(effective(&report), bounding);
    assert_eq!(report["seccomp"]["mode"], "0");
    let line = "mkdir /tmp/m && mount -t tmpfs none /tmp/m && echo mounted";
    let output = dhow.shell(&["--privileged"], line).run().ok();
    assert_eq!(output.stdout(), "mounted\n");
    dhow.shell(&[], line).run().code_is(1);
}

fn user_namespaces(test: &Test) {
    needs!(test, root, busybox, userns);
    let dhow = Dhow::new(test);
    let report = dhow.probe(&["--userns", "host"]);
    let host = fs::read_link("/proc/self/ns/user").expect("a namespace");
    assert_eq!(
        report["namespaces"]["user"],
        host.to_string_lossy().as_ref()
    );
    let wrong = dhow.shell(&["--userns", "nonsense"], "true").run();
    wrong.code_is(125).fails("nonsense");
}

for_runtimes!([Dhow];
    capabilities,
    the_filter_and_without,
    namespaces_and_names,
    networks,
    privileged,
    user_namespaces,
);

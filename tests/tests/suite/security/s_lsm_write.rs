//! S-LSMWRITE (CVE-2025-52881, CVE-2025-62596, CVE-2019-16884): what the runtime writes to procfs (a
//! label, a sysctl, an adjustment, an id map) is caught by a mount over that file, which the
//! config or a volume of the image put there.
//!
//! The label itself needs a security module: `config/process.rs::an_apparmor_profile_is_applied`.

use dhow_tests::{Bundle, Config, Output, Test, Trace, for_runtimes, needs};
use serde_json::json;
use std::fs;
use std::path::Path;

/// Files of procfs that a runtime writes to, and directories above them.
const COVERED: [&str; 8] = [
    "/proc/self/attr/exec",
    "/proc/self/attr",
    "/proc/thread-self/attr/current",
    "/proc/self/oom_score_adj",
    "/proc/self",
    "/proc/sys/net/ipv4/ip_unprivileged_port_start",
    "/proc/sys/net/ipv4",
    "/proc/sys",
];

const SETTING: &str = "net.ipv4.ip_unprivileged_port_start";
const SETTING_FILE: &str = "sys/net/ipv4/ip_unprivileged_port_start";

/// How a path is covered: by what, and before or after the real procfs.
struct Cover<'a> {
    path: &'a str,
    source: &'a Path,
    is_first: bool,
}

impl Cover<'_> {
    /// A container that asks for writes, with the cover in its way.
    fn bundle(&self, test: &Test) -> Bundle {
        test.bundle_with(|config: &mut Config| {
            let mount = json!({"destination": self.path, "type": "bind",
                "source": self.source, "options": ["bind"]});
            let mounts = config["mounts"].as_array_mut().expect("a list");
            let at = if self.is_first { 0 } else { mounts.len() };
            mounts.insert(at, mount);
            config["process"]["oomScoreAdj"] = json!(321);
            config["linux"]["sysctl"] = json!({SETTING: "77"});
            config.args(&["sleep", "1000"]);
        })
    }
}

/// Every cover that can be laid over: files over files, directories over directories.
fn each_cover(test: &Test, mut check: impl FnMut(&Cover<'_>)) {
    let sources = [test.root().join("sched"), test.root().join("directory")];
    fs::write(&sources[0], "cover").expect("write");
    fs::create_dir(&sources[1]).expect("mkdir");
    for path in COVERED {
        for source in &sources {
            for is_first in [true, false] {
                check(&Cover {
                    path,
                    source,
                    is_first,
                });
            }
        }
    }
    assert_eq!(fs::read_to_string(&sources[0]).expect("read"), "cover");
    let written = fs::read_dir(&sources[1]).expect("list").flatten().count();
    assert_eq!(written, 0, "files were made in what lies over procfs");
}

fn refused(output: &Output, cover: &Cover<'_>) -> bool {
    let is_refused = output.code != Some(0);
    assert!(
        !is_refused || output.stderr().contains(cover.path),
        "{output}"
    );
    is_refused
}

/// What was asked for is in force, whatever the container sees at the file.
fn what_is_written_is_in_force(test: &Test) {
    needs!(test, root);
    let mut in_force = 0;
    each_cover(test, |cover| {
        let container = test.container("c");
        let output = container.create_command(&cover.bundle(test)).run();
        if refused(&output, cover) {
            return;
        }
        let pid = container.pid();
        let read = |file: &str| fs::read_to_string(file).unwrap_or_default();
        let adjustment = read(&format!("/proc/{pid}/oom_score_adj"));
        assert_eq!(adjustment.trim(), "321", "{}", cover.path);
        // The files of /proc/sys show the namespace of who opens them.
        let pid = pid.to_string();
        let enter = ["nsenter", "--target", &pid, "--net", "cat"];
        let value = test
            .command(&enter)
            .arg(Path::new("/proc").join(SETTING_FILE));
        assert_eq!(value.run().ok().stdout().trim(), "77", "{}", cover.path);
        container.verb(&["delete", "--force"]).run().ok();
        in_force += 1;
    });
    assert!(in_force >= COVERED.len(), "only {in_force} were created");
}

/// Every write to procfs goes through the mount that is attached nowhere: strace shows its files
/// without `/proc` in front, and they were opened without leaving it.
fn every_write_goes_through_the_private_procfs(test: &Test) {
    needs!(test, root, strace);
    let mut number = 0;
    each_cover(test, |cover| {
        let bundle = cover.bundle(test);
        bundle.edit(|config| config.args(&["true"]));
        number += 1;
        let (output, trace) = Trace::of_run(test, &bundle, &[], &format!("c{number}"));
        if !refused(&output, cover) {
            assert_private(&trace, &["oom_score_adj>", SETTING_FILE]);
        }
    });
}

/// The same for the maps of a user namespace.
fn id_maps_go_through_the_private_procfs(test: &Test) {
    needs!(test, root, userns, strace);
    let bundle = test.bundle_with(|config| {
        config.add_namespace("user", None);
        let map = json!([{"containerID": 0, "hostID": 515_000_000, "size": 65536}]);
        config["linux"]["uidMappings"] = map.clone();
        config["linux"]["gidMappings"] = map;
    });
    let (output, trace) = Trace::of_run(test, &bundle, &[], "a");
    output.ok();
    assert_private(&trace, &["/uid_map>", "/gid_map>"]);
}

fn assert_private(trace: &Trace, expected: &[&str]) {
    let wrote = |file: &&str| trace.calls().iter().any(|call| call.is(&["write(", file]));
    let missing: Vec<_> = expected.iter().filter(|file| !wrote(file)).collect();
    assert!(missing.is_empty(), "not written, a blind test: {missing:?}");
    for call in trace.calls().iter().filter(|call| call.name() == "write") {
        assert!(!call.text.contains("</proc/"), "{}", call.text);
    }
    let opened = trace.calls().iter().filter(|call| {
        let is_for_writing = call.is(&["openat2(", "</>, ", "O_WRONLY"]);
        is_for_writing && expected.iter().any(|file| call.text.contains(file))
    });
    let mut count = 0;
    for call in opened {
        for flag in ["RESOLVE_NO_XDEV", "RESOLVE_NO_SYMLINKS", "RESOLVE_BENEATH"] {
            assert!(call.text.contains(flag), "{}", call.text);
        }
        count += 1;
    }
    assert!(count >= expected.len(), "opened in another way");
}

for_runtimes!([Dhow];
    what_is_written_is_in_force,
    every_write_goes_through_the_private_procfs,
    id_maps_go_through_the_private_procfs,
);

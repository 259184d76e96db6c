//! Memory, processors and processes: what the cgroup files say, and that it holds.

use dhow_tests::{Dhow, Test, for_runtimes, host, needs};
use std::fs;
use std::path::PathBuf;

/// The container's directory in the hierarchy that has this controller.
fn directory(dhow: &Dhow<'_>, name: &str, controller: &str) -> PathBuf {
    let about = dhow.words(&["inspect", name]).run().ok().json();
    let pid = about[0]["state"]["pid"].as_u64().expect("a process id");
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).expect("its cgroups");
    let (hierarchy, mount) = match host::v1_controller(controller) {
        Some(mount) => (controller, mount),
        None => ("", host::unified().expect("cgroup2")),
    };
    let line = text
        .lines()
        .find(|line| line.split(':').nth(1) == Some(hierarchy))
        .expect("its line");
    let path = line.splitn(3, ':').nth(2).expect("its path");
    mount.join(path.trim_start_matches('/'))
}

fn file(directory: &std::path::Path, v1: &str, v2: &str) -> String {
    let path = [v1, v2].map(|name| directory.join(name));
    let text = path.iter().find_map(|path| fs::read_to_string(path).ok());
    text.unwrap_or_else(|| panic!("none of {path:?}"))
        .trim()
        .to_owned()
}

fn are_written(test: &Test) {
    needs!(test, root, busybox);
    let dhow = Dhow::new(test);
    let options = ["--memory", "64m", "--cpus", "0.5", "--pids-limit", "17"];
    dhow.sleeper("small", &options);
    let memory = directory(&dhow, "small", "memory");
    assert_eq!(
        file(&memory, "memory.limit_in_bytes", "memory.max"),
        "67108864"
    );
    let cpu = directory(&dhow, "small", "cpu");
    let quota = file(&cpu, "cpu.cfs_quota_us", "cpu.max");
    assert!(
        ["50000", "50000 100000"].contains(&quota.as_str()),
        "{quota}"
    );
    let pids = directory(&dhow, "small", "pids");
    assert_eq!(file(&pids, "pids.max", "pids.max"), "17");
    dhow.words(&["rm", "-f", "small"]).run().ok();
    for directory in [memory, cpu, pids] {
        assert!(!directory.exists(), "{} stays", directory.display());
    }
}

fn hold(test: &Test) {
    needs!(test, root, busybox);
    let dhow = Dhow::new(test);
    let line = "a=x; while :; do a=$a$a; done";
    dhow.shell(&["--memory", "16m"], line).run().code_is(137);
    let line = "for i in 1 2 3 4 5 6 7 8 9; do sleep 1 & done; echo made";
    let output = dhow.shell(&["--pids-limit", "4"], line).run();
    assert!(output.stderr().contains("fork"), "{output}");
    dhow.assert_nothing_left();
}

fn wrong_ones_are_refused(test: &Test) {
    needs!(test, root, busybox);
    let dhow = Dhow::new(test);
    for (option, value) in [
        ("--memory", "lots"),
        ("--memory", "1k"),
        ("--cpus", "-1"),
        ("--cpus", "many"),
        ("--pids-limit", "x"),
    ] {
        let words = format!("{option}={value}");
        let output = dhow
            .run(&["--rm", &words], &["/bin/true"])
            .run()
            .code_is(125);
        output.fails(option.trim_start_matches('-'));
    }
    dhow.assert_nothing_left();
}

for_runtimes!([Dhow]; are_written, hold, wrong_ones_are_refused);

//! The life of a group, from the limits to the last process.

use super::{Fixture, eventually, plan, resources, try_plan, waiting_shell};
use dhow_cgroup::{ErrorKind, Group, Resources};
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

#[test]
fn limits_stand_in_the_kernel_before_a_process_joins() {
    let Some(test) = Fixture::new("limits") else {
        return;
    };
    let v2_only = test.host.is_v2_only();
    let mut wanted = resources(r#"{"pids":{"limit":50}}"#);
    let has = |name: &str| test.host.controllers().any(|known| known == name);
    if has("memory") {
        wanted.memory =
            Some(serde_json::from_str(r#"{"limit":67108864,"swap":134217728}"#).unwrap());
    }
    if has("cpu") {
        wanted.cpu =
            Some(serde_json::from_str(r#"{"quota":50000,"period":100000,"shares":512}"#).unwrap());
    }
    if has("cpuset") {
        wanted.cpu.get_or_insert_default().cpus = Some("0".into());
    }
    test.group.create(&wanted).unwrap();
    let expect = |controller: &str, v1: &str, v2: &str, in_v1: &str, in_v2: &str| match test
        .directory(controller)
    {
        None => println!("skipped: no {controller} controller"),
        Some((_, unified)) => {
            let found = test.read(controller, v1, v2).unwrap();
            assert_eq!(found, if unified { in_v2 } else { in_v1 }, "{controller}");
        }
    };
    expect("pids", "pids.max", "pids.max", "50", "50");
    expect(
        "memory",
        "memory.limit_in_bytes",
        "memory.max",
        "67108864",
        "67108864",
    );
    if !v2_only
        || test
            .directory("memory")
            .is_some_and(|(path, _)| path.join("memory.swap.max").exists())
    {
        expect(
            "memory",
            "memory.memsw.limit_in_bytes",
            "memory.swap.max",
            "134217728",
            "67108864",
        );
    }
    expect(
        "cpu",
        "cpu.cfs_quota_us",
        "cpu.max",
        "50000",
        "50000 100000",
    );
    expect("cpu", "cpu.shares", "cpu.weight", "512", "59");
    expect("cpuset", "cpuset.cpus", "cpuset.cpus", "0", "0");
}

#[test]
fn a_process_is_held_frozen_counted_and_killed() {
    let Some(test) = Fixture::new("life") else {
        return;
    };
    let path = test.group.directories().next().map_or("", own_path);
    let early = plan(&test.host, path, false);
    test.create("{}");
    let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
    test.group.add(child.id(), false).unwrap();
    assert_eq!(test.group.pids().unwrap(), [child.id()]);
    let own = std::fs::read_to_string(format!("/proc/{}/cgroup", child.id())).unwrap();
    let outside: Vec<&str> = own
        .lines()
        .filter(|line| !line.ends_with("-life"))
        .collect();
    assert_eq!(outside, Vec::<&str>::new(), "in every hierarchy");

    test.group.freeze().unwrap();
    assert!(test.group.is_frozen().unwrap());
    test.group.thaw().unwrap();
    assert!(!test.group.is_frozen().unwrap());

    let stats = test.group.stats().unwrap();
    if let Some(pids) = stats.pids {
        assert_eq!((pids.current, pids.limit), (1, None));
    }
    assert!(stats.cpu.is_some());

    // Neither a plan made now nor one made before may touch it.
    let path = test.group.directories().next().map_or("", own_path);
    let error = try_plan(&test.host, path, false).expect_err("the group is in use");
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    let error = early
        .create(&Resources::default())
        .expect_err("the group is in use");
    assert_eq!(early.directories().count(), 0);
    early.remove().unwrap();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert!(
        error.to_string().contains("already holds 1 processes"),
        "{error}"
    );

    // A frozen group can be killed as well.
    test.group.freeze().unwrap();
    test.group.kill().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(9));
    test.group.remove().unwrap();
    assert!(
        test.group
            .directories()
            .all(|directory| !directory.exists())
    );
    test.group.remove().unwrap();
    test.group.kill().unwrap();
    assert_eq!(test.group.pids().unwrap(), Vec::<u32>::new());
}

/// `/dhow-test-…` of a directory.
fn own_path(directory: &Path) -> &str {
    let text = directory.to_str().unwrap();
    &text[text.find("/dhow-test").unwrap()..]
}

#[test]
fn a_state_file_is_enough_to_kill_and_remove() {
    let Some(test) = Fixture::at(&format!("/dhow-test-{}-parent/a/state", std::process::id()))
    else {
        return;
    };
    // Written down before anything exists, as an intent: it must be enough after a crash at any point.
    let text = serde_json::to_string(&test.group).unwrap();
    test.create("{}");
    let mut child = waiting_shell("sleep 1000 & sleep 1000 & wait");
    test.group.add(child.id(), false).unwrap();
    child.stdin.take().unwrap().write_all(b"go\n").unwrap();
    eventually("three processes", || test.group.pids().unwrap().len() == 3);
    let again: Group = serde_json::from_str(&text).unwrap();
    again.kill().unwrap();
    again.remove().unwrap();
    child.wait().unwrap();
    // The parents were made for it, so they go too.
    for directory in test.group.directories() {
        let parent = directory.parent().and_then(Path::parent).unwrap();
        assert!(
            parent.to_str().unwrap().ends_with("-parent") && !parent.exists(),
            "{}",
            parent.display()
        );
    }
}

#[test]
fn a_clone_target_is_a_directory_of_the_unified_hierarchy() {
    let Some(test) = Fixture::new("clone") else {
        return;
    };
    test.create("{}");
    let unified = test.host.mounts().any(|(_, _, unified)| unified);
    assert_eq!(test.group.clone_target().unwrap().is_some(), unified);
}

#[test]
fn memory_limits_are_raised_and_lowered() {
    let Some(test) = Fixture::new("memory") else {
        return;
    };
    if test.directory("memory").is_none() {
        println!("skipped: no memory controller");
        return;
    }
    let limits =
        |limit: u64, swap: u64| format!(r#"{{"memory":{{"limit":{limit},"swap":{swap}}}}}"#);
    test.create(&limits(64 << 20, 64 << 20));
    for (limit, swap) in [
        (256 << 20, 512 << 20),
        (16 << 20, 32 << 20),
        (48 << 20, 48 << 20),
    ] {
        test.group.apply(&resources(&limits(limit, swap))).unwrap();
        let found = test
            .read("memory", "memory.limit_in_bytes", "memory.max")
            .unwrap();
        assert_eq!(found, limit.to_string());
    }
    test.group
        .apply(&resources(r#"{"memory":{"limit":-1}}"#))
        .unwrap();
    let found = test
        .read("memory", "memory.limit_in_bytes", "memory.max")
        .unwrap();
    assert!(
        found == "max" || found.parse::<u64>().unwrap() > 1 << 60,
        "{found}"
    );
}

#[test]
fn a_limit_below_the_usage_is_refused_when_asked() {
    let Some(test) = Fixture::new("usage") else {
        return;
    };
    if test.directory("memory").is_none() {
        println!("skipped: no memory controller");
        return;
    }
    test.create("{}");
    let mut child = waiting_shell("x=$(head -c 4000000 /dev/zero | tr '\\0' a); sleep 1000");
    test.group.add(child.id(), false).unwrap();
    child.stdin.take().unwrap().write_all(b"go\n").unwrap();
    let usage = || -> u64 {
        let text = test.read("memory", "memory.usage_in_bytes", "memory.current");
        text.unwrap().parse().unwrap()
    };
    eventually("memory in use", || usage() > 4_000_000);
    let json = r#"{"memory":{"limit":1048576,"checkBeforeUpdate":true}}"#;
    let error = test
        .group
        .apply(&resources(json))
        .expect_err("below the usage");
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    assert!(
        error.to_string().contains("below the present usage"),
        "{error}"
    );
    assert!(
        test.group
            .stats()
            .unwrap()
            .memory
            .is_some_and(|memory| memory.usage > 4_000_000)
    );
    test.group.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn an_impossible_limit_names_itself_and_leaves_nothing() {
    let Some(test) = Fixture::at(&format!("/dhow-test-{}-undo/x", std::process::id())) else {
        return;
    };
    let cases = [
        (r#"{"cpu":{"cpus":"4000"}}"#, "linux.resources.cpu.cpus: "),
        (
            r#"{"unified":{"memory.no_such_file":"1"}}"#,
            "linux.resources.unified.memory.no_such_file: ",
        ),
        (
            r#"{"rdma":{"no_such_device":{"hcaHandles":1}}}"#,
            "linux.resources.rdma.no_such_device: ",
        ),
        (
            r#"{"network":{"classID":1}}"#,
            "linux.resources.network.classID: ",
        ),
        (
            r#"{"memory":{"limit":-7}}"#,
            "linux.resources.memory.limit: ",
        ),
    ];
    for (json, start) in cases {
        let path = test.group.directories().next().map_or("", own_path);
        let error = plan(&test.host, path, false)
            .create(&resources(json))
            .expect_err(json);
        assert!(error.to_string().starts_with(start), "{json}: {error}");
        for directory in test.group.directories() {
            assert!(
                !directory.exists() && !directory.parent().unwrap().exists(),
                "{json}: {}",
                directory.display()
            );
        }
    }
}

#[test]
fn groups_that_the_container_made_go_with_it() {
    let Some(test) = Fixture::new("nested") else {
        return;
    };
    test.create("{}");
    for directory in test.group.directories() {
        let mut deep = directory.to_owned();
        for level in 0..40 {
            deep.push(format!("level.{level}"));
            std::fs::create_dir(&deep).unwrap();
            std::fs::create_dir(deep.join("beside")).unwrap();
        }
    }
    let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
    let (lowest, _) = test
        .directory("pids")
        .or_else(|| test.directory("hugetlb"))
        .unwrap();
    test.group.add(child.id(), false).unwrap();
    let lowest = lowest.join("level.0/beside/cgroup.procs");
    if std::fs::write(lowest, child.id().to_string()).is_ok() {
        assert_eq!(test.group.pids().unwrap(), [child.id()]);
    }
    test.group.kill().unwrap();
    child.wait().unwrap();
    test.group.remove().unwrap();
    assert!(
        test.group
            .directories()
            .all(|directory| !directory.exists())
    );
}

#[test]
fn many_processes_that_keep_forking_are_killed() {
    let Some(test) = Fixture::new("forks") else {
        return;
    };
    test.create(r#"{"pids":{"limit":1000}}"#);
    let mut child = waiting_shell(
        "n=0; while [ $n -lt 80 ]; do (while :; do sleep 0.01; done) & n=$((n+1)); done; wait",
    );
    test.group.add(child.id(), false).unwrap();
    child.stdin.take().unwrap().write_all(b"go\n").unwrap();
    eventually("many processes", || test.group.pids().unwrap().len() > 50);
    let start = Instant::now();
    test.group.kill().unwrap();
    child.wait().unwrap();
    test.group.remove().unwrap();
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
    assert!(
        test.group
            .directories()
            .all(|directory| !directory.exists())
    );
}

#[test]
fn neighbours_do_not_disturb_each_other() {
    let base = format!("/dhow-test-{}-shared", std::process::id());
    // The first one makes the shared parent, and outlives the others.
    let Some(first) = Fixture::at(&format!("{base}/first")) else {
        return;
    };
    first.create("{}");
    std::thread::scope(|scope| {
        for number in 0..8 {
            let base = &base;
            scope.spawn(move || {
                for round in 0..10 {
                    let test = Fixture::at(&format!("{base}/{number}-{round}")).unwrap();
                    test.create(r#"{"pids":{"limit":5}}"#);
                    test.group.remove().unwrap();
                }
            });
        }
    });
    first.group.remove().unwrap();
    assert!(
        first
            .group
            .directories()
            .all(|directory| !directory.parent().unwrap().exists())
    );
}

#[test]
fn raw_values_go_to_the_unified_hierarchy_only() {
    let Some(test) = Fixture::new("raw") else {
        return;
    };
    let wanted = resources(r#"{"unified":{"pids.max":"77","memory.high":"1000001536"}}"#);
    if test.host.is_v2_only() {
        test.group.create(&wanted).unwrap();
        assert_eq!(test.read("pids", "", "pids.max").unwrap(), "77");
        // The kernel rounds to pages.
        assert_eq!(
            test.read("memory", "", "memory.high").unwrap(),
            "1000001536"
        );
    } else {
        let error = test.group.create(&wanted).expect_err("v1 controllers");
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
        let text = error.to_string();
        assert!(
            text.starts_with("linux.resources.unified.memory.high: the controller"),
            "{text}"
        );
    }
}

#[test]
fn huge_pages_are_limited_where_their_controller_is() {
    let Some(test) = Fixture::new("huge") else {
        return;
    };
    let Some((directory, unified)) = test.directory("hugetlb") else {
        println!("skipped: no hugetlb controller");
        return;
    };
    let switch = directory.parent().unwrap().join("cgroup.subtree_control");
    let before = std::fs::read_to_string(&switch).unwrap_or_default();
    test.create(r#"{"hugepageLimits":[{"pageSize":"2MB","limit":4194304}]}"#);
    let found = test.read("hugetlb", "hugetlb.2MB.limit_in_bytes", "hugetlb.2MB.max");
    assert_eq!(found.unwrap(), "4194304");
    // No such size: the error names the property, and the kernel the file.
    let error = test
        .group
        .apply(&resources(
            r#"{"hugepageLimits":[{"pageSize":"3MB","limit":1}]}"#,
        ))
        .expect_err("no such page size");
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    let text = error.to_string();
    assert!(
        text.starts_with("linux.resources.hugepageLimits[0].limit: "),
        "{text}"
    );
    test.group.remove().unwrap();
    if unified && !before.contains("hugetlb") {
        std::fs::write(switch, "-hugetlb").unwrap();
    }
}

/// The same group without some of its hierarchies, as an older host would have it.
fn without(group: &Group, left_out: impl Fn(&serde_json::Value) -> bool) -> Group {
    let mut state = serde_json::to_value(group).unwrap();
    let list = state["hierarchies"].as_array_mut().unwrap();
    list.retain(|hierarchy| !left_out(hierarchy));
    serde_json::from_value(state).unwrap()
}

#[test]
fn version_1_alone_freezes_and_kills_too() {
    let Some(test) = Fixture::new("walk") else {
        return;
    };
    if !test.host.controllers().any(|name| name == "freezer") {
        println!("skipped: no v1 freezer");
        return;
    }
    test.create("{}");
    let version_1 = without(&test.group, |hierarchy| hierarchy["version"] == "v2");
    let names = |hierarchy: &serde_json::Value| hierarchy["controllers"].to_string();
    let no_freezer = without(&test.group, |hierarchy| {
        hierarchy["version"] == "v2" || names(hierarchy).contains("freezer")
    });
    assert!(version_1.clone_target().unwrap().is_none());
    for group in [&version_1, &no_freezer] {
        let mut child =
            waiting_shell("n=0; while [ $n -lt 20 ]; do sleep 1000 & n=$((n+1)); done; wait");
        group.add(child.id(), false).unwrap();
        test.group.add(child.id(), false).unwrap();
        child.stdin.take().unwrap().write_all(b"go\n").unwrap();
        eventually("all children", || group.pids().unwrap().len() == 21);
        if version_1.freeze().is_ok() {
            assert!(version_1.is_frozen().unwrap());
            version_1.thaw().unwrap();
        }
        group.kill().unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(9));
        eventually("all gone", || group.pids().unwrap().is_empty());
    }
    // Killing thaws: v1 delivers no signal to a frozen process.
    let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
    version_1.add(child.id(), false).unwrap();
    version_1.freeze().unwrap();
    version_1.kill().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(9));
    version_1.remove().unwrap();
    assert!(version_1.directories().all(|directory| !directory.exists()));
}

//! `linux.memoryPolicy`, as /proc/self/numa_maps shows it.

use dhow_tests::{Test, for_runtimes};
use serde_json::{Value, json};

/// The policy that the program's memory has.
fn shown(test: &Test, policy: Value) -> String {
    let output = test.run_with(|config| {
        config["linux"]["memoryPolicy"] = policy;
        config.args(&["head", "-n", "1", "/proc/self/numa_maps"]);
    });
    let text = output.ok().stdout();
    text.split_whitespace()
        .nth(1)
        .unwrap_or_default()
        .to_owned()
}

fn missing(test: &Test) -> bool {
    let is_there = std::path::Path::new("/proc/self/numa_maps").exists();
    if !is_there {
        test.skip("needs a kernel with NUMA");
    }
    !is_there
}

fn each_mode_is_set(test: &Test) {
    if missing(test) {
        return;
    }
    for (mode, nodes, expected) in [
        ("MPOL_DEFAULT", "", "default"),
        ("MPOL_BIND", "0", "bind:0"),
        ("MPOL_INTERLEAVE", "0", "interleave:0"),
        ("MPOL_WEIGHTED_INTERLEAVE", "0", "weighted interleave:0"),
        ("MPOL_PREFERRED", "0", "prefer:0"),
        ("MPOL_PREFERRED_MANY", "0-0", "prefer (many):0"),
        ("MPOL_LOCAL", "", "local"),
    ] {
        let found = shown(test, json!({"mode": mode, "nodes": nodes}));
        // Some names hold a space.
        assert!(
            expected.starts_with(&found) && !found.is_empty(),
            "{mode}: {found}"
        );
    }
}

fn each_flag_is_set(test: &Test) {
    if missing(test) {
        return;
    }
    for (mode, flag, expected) in [
        ("MPOL_BIND", "MPOL_F_STATIC_NODES", "bind=static:0"),
        (
            "MPOL_INTERLEAVE",
            "MPOL_F_RELATIVE_NODES",
            "interleave=relative:0",
        ),
        ("MPOL_BIND", "MPOL_F_NUMA_BALANCING", "bind"),
    ] {
        let found = shown(test, json!({"mode": mode, "nodes": "0", "flags": [flag]}));
        assert!(found.starts_with(expected), "{flag}: {found}");
    }
}

/// A process that `exec` brings in is one of the container: it has its policy too.
fn exec_has_it_too(test: &Test) {
    if missing(test) {
        return;
    }
    let bundle = test.bundle_with(|config| {
        config["linux"]["memoryPolicy"] = json!({"mode": "MPOL_BIND", "nodes": "0"});
        config.args(&["sleep", "1000"]);
    });
    let container = test.create(&bundle, "a");
    container.start();
    let text = container
        .exec(&["head", "-n", "1", "/proc/self/numa_maps"])
        .ok()
        .stdout();
    assert!(text.contains(" bind:0"), "{text}");
}

fn impossible_policies_are_refused(test: &Test) {
    for (policy, path) in [
        (json!({"mode": "MPOL_MOON"}), "linux.memoryPolicy.mode"),
        (
            json!({"mode": "MPOL_BIND", "nodes": "x"}),
            "linux.memoryPolicy.nodes",
        ),
        (
            json!({"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_MOON"]}),
            "linux.memoryPolicy.flags[0]",
        ),
        // The kernel is the one who knows its nodes, and which modes want none.
        (
            json!({"mode": "MPOL_BIND", "nodes": "1000"}),
            "memory policy",
        ),
        (json!({"mode": "MPOL_BIND"}), "memory policy"),
        (json!({"mode": "MPOL_LOCAL", "nodes": "0"}), "memory policy"),
    ] {
        let output = test.run_with(|config| config["linux"]["memoryPolicy"] = policy);
        output.fails(path);
    }
}

// Neither runc 1.1 nor crun 1.8 knows it.
for_runtimes!([Dhow];
    each_mode_is_set,
    each_flag_is_set,
    exec_has_it_too,
    impossible_policies_are_refused,
);

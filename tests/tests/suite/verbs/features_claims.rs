//! `features` is true: what it names is tried, one claim after the other, and what it does not name is
//! refused by name.

use dhow_tests::console::DescriptorSocket;
use dhow_tests::{Config, Test, for_runtimes, host, needs};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

fn features(test: &Test) -> Value {
    test.runtime().arg("features").run().ok().json()
}

/// A list of words in the document.
fn words(features: &Value, pointer: &str) -> Vec<String> {
    let list = features.pointer(pointer).and_then(Value::as_array);
    let list = list.unwrap_or_else(|| panic!("no list at {pointer} in {features:#}"));
    list.iter()
        .map(|word| word.as_str().expect("text").to_owned())
        .collect()
}

/// Every place of the document that makes a claim has a test here, or is about nothing that can be tried.
fn every_claim_is_walked(test: &Test) {
    let mut found = Vec::new();
    walk(&features(test), String::new(), &mut found);
    let walked = [
        "/annotations/org.dhow.runtime.version",
        "/hooks",
        "/linux/apparmor/enabled",
        "/linux/capabilities",
        "/linux/cgroup/rdma",
        "/linux/cgroup/systemd",
        "/linux/cgroup/systemdUser",
        "/linux/cgroup/v1",
        "/linux/cgroup/v2",
        "/linux/intelRdt/enabled",
        "/linux/intelRdt/monitoring",
        "/linux/intelRdt/schemata",
        "/linux/memoryPolicy/flags",
        "/linux/memoryPolicy/modes",
        "/linux/mountExtensions/idmap/enabled",
        "/linux/namespaces",
        "/linux/netDevices/enabled",
        "/linux/seccomp/actions",
        "/linux/seccomp/archs",
        "/linux/seccomp/enabled",
        "/linux/seccomp/knownFlags",
        "/linux/seccomp/operators",
        "/linux/seccomp/supportedFlags",
        "/linux/selinux/enabled",
        "/mountOptions",
        "/ociVersionMax",
        "/ociVersionMin",
        "/potentiallyUnsafeConfigAnnotations",
    ];
    let unknown: Vec<_> = found
        .iter()
        .filter(|place| !walked.contains(&place.as_str()))
        .collect();
    assert!(
        unknown.is_empty(),
        "claims that no test here tries: {unknown:?}"
    );
}

fn walk(value: &Value, at: String, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                walk(member, format!("{at}/{name}"), found);
            }
        }
        _ => found.push(at),
    }
}

fn the_versions_are_accepted(test: &Test) {
    let features = features(test);
    for name in ["ociVersionMin", "ociVersionMax"] {
        test.run_with(|config| config["ociVersion"] = features[name].clone())
            .ok();
    }
    let version = test.runtime().arg("--version").run().ok().stdout();
    let own = features["annotations"]["org.dhow.runtime.version"]
        .as_str()
        .expect("text");
    assert!(version.contains(own), "{own} is not in {version}");
    let spec = features["ociVersionMax"].as_str().expect("text");
    assert!(
        version.contains(&format!("spec: {spec}")),
        "{spec} is not in {version}"
    );
}

fn each_hook_runs(test: &Test) {
    let kinds = words(&features(test), "/hooks");
    let bundle = test.bundle();
    let host = bundle.rootfs().display().to_string();
    bundle.edit(|config| {
        for kind in &kinds {
            let root = if kind == "startContainer" { "" } else { &host };
            let hook = json!({"path": "/bin/sh", "env": ["PATH=/bin:/usr/bin"],
                "args": ["sh", "-c", format!(": >{root}/ran-{kind}")]});
            config.add_hook(kind, hook);
        }
    });
    test.run_bundle(&bundle).ok();
    for kind in &kinds {
        assert!(
            bundle.rootfs().join(format!("ran-{kind}")).exists(),
            "{kind} did not run"
        );
    }
    // The specification has no other kind, so any other is an unknown property.
    assert_eq!(kinds.len(), 6);
}

/// Each is another than the caller's.
fn each_namespace_is_made(test: &Test) {
    needs!(test, root, userns);
    for kind in words(&features(test), "/linux/namespaces") {
        let bundle = test.bundle_with(|config| {
            config.drop_namespace(&kind);
            config.add_namespace(&kind, None);
            if kind == "user" {
                let map = json!([{"containerID": 0, "hostID": 600_000_000, "size": 65_536}]);
                config["linux"]["uidMappings"] = map.clone();
                config["linux"]["gidMappings"] = map;
            }
            config.args(&["/bin/probe"]);
        });
        bundle.give_to(if kind == "user" { 600_000_000 } else { 0 });
        let report = test.run_command(&bundle, &kind).run().ok().json();
        let file = match kind.as_str() {
            "mount" => "mnt",
            "network" => "net",
            other => other,
        };
        let ours = fs::read_link(format!("/proc/self/ns/{file}")).expect("a namespace");
        assert_ne!(report["namespaces"][file], json!(ours), "{kind}");
    }
    let output = test.run_with(|config| config.add_namespace("moon", None));
    output.fails("linux.namespaces").fails("moon");
}

/// Each that this process holds reaches the program; the others are told to be missing.
fn each_capability_is_granted(test: &Test) {
    needs!(test, root);
    let names = words(&features(test), "/linux/capabilities");
    let log = test.root().join("out/log");
    let bundle = test.bundle_with(|config| {
        let all: Vec<&str> = names.iter().map(String::as_str).collect();
        config.capabilities(&all);
        config.args(&["/bin/probe"]);
    });
    let command = test.runtime().arg("--log").arg(&log);
    let command = command.args(["run", "--bundle"]).arg(bundle.path());
    let report = command.arg(test.id("a")).run().ok().json();
    let text = report["capabilities"]["effective"].as_str().expect("text");
    let set = u64::from_str_radix(text, 16).expect("a number");
    let said = fs::read_to_string(&log).unwrap_or_default();
    for (number, name) in names.iter().enumerate() {
        let number = u32::try_from(number).expect("few");
        let granted = set >> number & 1 == 1;
        assert_eq!(granted, host::has_capability(number), "{name}");
        assert_ne!(granted, said.contains(name.as_str()), "{name}: {said}");
    }
    assert!(names.windows(2).all(|pair| pair[0] != pair[1]));
}

/// This host's kind of control groups works; what the others are is shown in the test VM.
fn the_claims_about_cgroups_hold(test: &Test) {
    needs!(test, root);
    let features = features(test);
    let claims = &features["linux"]["cgroup"];
    for name in ["v1", "v2", "systemd", "systemdUser", "rdma"] {
        assert_eq!(claims[name], true, "{name}");
    }
    let container = super::super::config::cgroups::limited(test, json!({"pids": {"limit": 33}}));
    let controller = if host::v1_controller("pids").is_some() {
        "pids"
    } else {
        ""
    };
    let limit = super::super::config::cgroups::read(&container, controller, "pids.max");
    assert_eq!(limit, "33");
    // A limit of the controller is written, or its absence named: never left out.
    let output = test.run_with(|config| {
        config["linux"]["resources"] = json!({"rdma": {"mlx5_1": {"hcaHandles": 3}}});
    });
    output.fails("linux.resources.rdma.mlx5_1");
}

/// A profile with one rule for chroot.
fn filtered(test: &Test, change: impl FnOnce(&mut Value)) -> dhow_tests::Output {
    test.run_with(|config: &mut Config| {
        let rule = json!({"names": ["chroot"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95});
        config["linux"]["seccomp"] = json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]});
        change(&mut config["linux"]["seccomp"]);
        config.capabilities(&["CAP_SYS_CHROOT"]);
        config.args(&["/bin/probe", "chroot", "/"]);
    })
}

fn each_seccomp_action_acts(test: &Test) {
    let features = features(test);
    assert_eq!(features["linux"]["seccomp"]["enabled"], true);
    for action in words(&features, "/linux/seccomp/actions") {
        let takes_errno = ["SCMP_ACT_ERRNO", "SCMP_ACT_TRACE"].contains(&action.as_str());
        let socket = DescriptorSocket::listen(test.root().join(format!("{action}.sock")));
        let asks = action == "SCMP_ACT_NOTIFY";
        let bundle = test.bundle_with(|config| {
            let mut rule = json!({"names": ["chroot"], "action": action});
            if takes_errno {
                rule["errnoRet"] = json!(95);
            }
            config["linux"]["seccomp"] =
                json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]});
            if asks {
                config["linux"]["seccomp"]["listenerPath"] = json!(socket.path());
            }
            config.capabilities(&["CAP_SYS_CHROOT"]);
            config.args(&["/bin/probe", "chroot", "/"]);
        });
        let running = test.run_command(&bundle, &action).spawn();
        if asks {
            drop(socket.receive());
        }
        let output = running.wait();
        match action.as_str() {
            "SCMP_ACT_ALLOW" | "SCMP_ACT_LOG" => assert_eq!(output.ok().json()["ok"], true),
            "SCMP_ACT_ERRNO" => assert_eq!(output.ok().json()["errno"], 95),
            // Nobody traces, nobody answers: no such call.
            "SCMP_ACT_TRACE" | "SCMP_ACT_NOTIFY" => assert_eq!(output.ok().json()["errno"], 38),
            "SCMP_ACT_KILL"
            | "SCMP_ACT_KILL_PROCESS"
            | "SCMP_ACT_KILL_THREAD"
            | "SCMP_ACT_TRAP" => {
                output.code_is(159);
            }
            other => panic!("nobody knows what {other} does"),
        }
    }
    let output = filtered(test, |profile| {
        profile["syscalls"][0]["action"] = json!("SCMP_ACT_MOON");
    });
    output
        .fails("linux.seccomp.syscalls[0].action")
        .fails("SCMP_ACT_MOON");
}

fn each_seccomp_operator_compares(test: &Test) {
    // Of the numbers 1, 2 and 16, those for which the comparison holds.
    let expected = |operator: &str| match operator {
        "SCMP_CMP_EQ" => (2, 0, "010"),
        "SCMP_CMP_NE" => (2, 0, "101"),
        "SCMP_CMP_LT" => (2, 0, "100"),
        "SCMP_CMP_LE" => (2, 0, "110"),
        "SCMP_CMP_GT" => (2, 0, "001"),
        "SCMP_CMP_GE" => (2, 0, "011"),
        "SCMP_CMP_MASKED_EQ" => (0x12, 0x10, "001"),
        other => panic!("nobody knows what {other} compares"),
    };
    for operator in words(&features(test), "/linux/seccomp/operators") {
        let (value, second, holds) = expected(&operator);
        let output = test.run_with(|config| {
            let rule = json!({"names": ["socket"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95, "args": [
                {"index": 0, "value": value, "valueTwo": second, "op": operator}]});
            config["linux"]["seccomp"] =
                json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]});
            config.args(&["/bin/probe", "sockets", "1", "2", "16"]);
        });
        let report = output.ok().json();
        let refused = ["1", "2", "16"].map(|family| report[family]["errno"] == 95);
        let found: String = refused
            .iter()
            .map(|is| if *is { '1' } else { '0' })
            .collect();
        assert_eq!(found, holds, "{operator}: {report}");
    }
}

/// A filter for each interface is made; one that is not listed is refused by name.
fn each_seccomp_architecture_is_taken(test: &Test) {
    let listed = words(&features(test), "/linux/seccomp/archs");
    for arch in &listed {
        let output = filtered(test, |profile| profile["architectures"] = json!([arch]));
        assert_eq!(output.ok().json()["errno"], 95, "{arch}");
    }
    let output = filtered(test, |profile| profile["architectures"] = json!(listed));
    assert_eq!(output.ok().json()["errno"], 95, "all of them");
    let output = filtered(test, |profile| {
        profile["architectures"] = json!(["SCMP_ARCH_MOON"]);
    });
    output.fails("linux.seccomp.architectures[0]");
    // The specification's list: none of them is a mistake.
    assert_eq!(listed.len(), 23);
}

fn each_seccomp_flag_is_taken(test: &Test) {
    let features = features(test);
    let known = words(&features, "/linux/seccomp/knownFlags");
    let supported = words(&features, "/linux/seccomp/supportedFlags");
    for flag in &known {
        let output = if flag.ends_with("WAIT_KILLABLE_RECV") {
            // Of use to a listener only.
            let socket = DescriptorSocket::listen(test.root().join("flag.sock"));
            let bundle = test.bundle_with(|config| {
                let rule = json!({"names": ["chroot"], "action": "SCMP_ACT_NOTIFY"});
                config["linux"]["seccomp"] = json!({"defaultAction": "SCMP_ACT_ALLOW",
                    "flags": [flag], "listenerPath": socket.path(), "syscalls": [rule]});
                config.args(&["true"]);
            });
            let running = test.run_command(&bundle, "flag").spawn();
            drop(socket.receive());
            running.wait()
        } else {
            filtered(test, |profile| profile["flags"] = json!([flag]))
        };
        if supported.contains(flag) {
            output.ok();
        } else {
            output.fails("linux.seccomp.flags[0]");
        }
    }
    assert!(supported.iter().all(|flag| known.contains(flag)));
    let output = filtered(test, |profile| {
        profile["flags"] = json!(["SECCOMP_FILTER_FLAG_MOON"]);
    });
    output.fails("linux.seccomp.flags[0]");
}

/// True where the kernel has the module, and then a label is taken; else it is refused by name.
fn the_claims_about_labels_are_the_kernel_s(test: &Test) {
    let features = features(test);
    for (module, property, label) in [
        ("apparmor", "apparmorProfile", "unconfined"),
        (
            "selinux",
            "selinuxLabel",
            "system_u:system_r:container_t:s0",
        ),
    ] {
        let claim = features["linux"][module]["enabled"] == true;
        let there = match module {
            "apparmor" => fs::read_to_string("/sys/module/apparmor/parameters/enabled")
                .is_ok_and(|text| text.starts_with('Y')),
            _ => Path::new("/sys/fs/selinux/enforce").exists(),
        };
        assert_eq!(claim, there, "{module}");
        let output = test.run_with(|config| config["process"][property] = json!(label));
        if claim {
            output.ok();
        } else {
            output.fails(&format!("process.{property}"));
        }
    }
    if features["linux"]["selinux"]["enabled"] != true {
        let label = json!("system_u:object_r:container_file_t:s0");
        let output = test.run_with(|config| config["linux"]["mountLabel"] = label);
        output.fails("linux.mountLabel");
    }
}

fn each_memory_policy_is_set(test: &Test) {
    let features = features(test);
    if !Path::new("/proc/self/numa_maps").exists() {
        test.skip("needs a kernel with NUMA");
        return;
    }
    let run = |policy: Value| {
        test.run_with(|config| {
            config["linux"]["memoryPolicy"] = policy;
            config.args(&["head", "-n", "1", "/proc/self/numa_maps"]);
        })
    };
    for mode in words(&features, "/linux/memoryPolicy/modes") {
        let without = ["MPOL_DEFAULT", "MPOL_LOCAL"].contains(&mode.as_str());
        let nodes = if without { "" } else { "0" };
        run(json!({"mode": mode, "nodes": nodes})).ok();
    }
    for flag in words(&features, "/linux/memoryPolicy/flags") {
        run(json!({"mode": "MPOL_BIND", "nodes": "0", "flags": [flag]})).ok();
    }
    run(json!({"mode": "MPOL_MOON"})).fails("linux.memoryPolicy.mode");
}

fn the_claim_about_id_maps_holds(test: &Test) {
    needs!(test, root, userns);
    let claim = &features(test)["linux"]["mountExtensions"]["idmap"]["enabled"];
    assert_eq!(*claim, true);
    let source = test.root().join("source");
    fs::create_dir(&source).expect("mkdir");
    let output = test.run_with(|config| {
        config.add_mount(
            "none",
            source.to_str().expect("a path"),
            "/mnt",
            &["bind", "idmap"],
        );
        let map = json!([{"containerID": 0, "hostID": 4321, "size": 10}]);
        config["mounts"][5]["uidMappings"] = map.clone();
        config["mounts"][5]["gidMappings"] = map;
        config.args(&["/bin/probe", "stat", "/mnt"]);
    });
    assert_eq!(output.ok().json()["/mnt"]["value"]["uid"], 4321);
}

/// Claimed: then it is done, or this host's lack is what is named. Not claimed: refused by name.
fn the_claims_about_devices_and_caches_hold(test: &Test) {
    needs!(test, root);
    let features = features(test);
    let output = test.run_with(|config| {
        config["linux"]["netDevices"] = json!({"no-such-dev": {"name": "eth0"}});
    });
    let claimed = features["linux"]["netDevices"]["enabled"] == true;
    output.fails(if claimed {
        "no-such-dev"
    } else {
        "linux.netDevices"
    });
    let rdt = &features["linux"]["intelRdt"];
    for (claim, property) in [
        ("enabled", json!({"closID": "dhow-no-such-class"})),
        (
            "schemata",
            json!({"closID": "dhow-no-such-class", "schemata": ["L3:0=f"]}),
        ),
        ("monitoring", json!({"enableMonitoring": true})),
    ] {
        if rdt[claim] == true && Path::new("/sys/fs/resctrl/schemata").exists() {
            continue;
        }
        // Without the hardware it cannot be done, whatever is claimed; it is never left out.
        let output = test.run_with(|config| config["linux"]["intelRdt"] = property);
        output.fails("linux.intelRdt");
    }
}

/// Those annotations that change what is done: only systemd's properties are, and only by its driver.
fn the_unsafe_annotations_are_named(test: &Test) {
    let listed = words(&features(test), "/potentiallyUnsafeConfigAnnotations");
    assert_eq!(listed, ["org.systemd.property."]);
    let bundle = test.bundle_with(|config| {
        config["annotations"] = json!({"org.systemd.property.TasksMax": "uint64 7"});
    });
    // Without systemd's driver there is no unit for it to be a property of.
    test.run_bundle(&bundle).ok();
}

for_runtimes!([Dhow];
    every_claim_is_walked,
    the_versions_are_accepted,
    each_hook_runs,
    each_namespace_is_made,
    each_capability_is_granted,
    the_claims_about_cgroups_hold,
    each_seccomp_action_acts,
    each_seccomp_operator_compares,
    each_seccomp_architecture_is_taken,
    each_seccomp_flag_is_taken,
    the_claims_about_labels_are_the_kernel_s,
    each_memory_policy_is_set,
    the_claim_about_id_maps_holds,
    the_claims_about_devices_and_caches_hold,
    the_unsafe_annotations_are_named,
);

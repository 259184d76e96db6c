//! The systemd driver against a real systemd: the system's as root, the user's otherwise.

use super::{eventually, is_root, resources, run_inside};
use dhow_cgroup::{Driver, ErrorKind, Group, Host, Request};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command};

/// A scope of one test; killed and stopped when the test ends.
struct Scope {
    group: Group,
    unit: String,
}

impl Drop for Scope {
    fn drop(&mut self) {
        let _ = self.group.kill();
        let _ = self.group.remove();
    }
}

/// Whether a systemd is there that we may talk to; says why not.
fn has_systemd() -> bool {
    let user = format!("/run/user/{}", dhow_sys::id::effective_user());
    let why = if !Path::new("/run/systemd/system").is_dir() {
        "this host is not run by systemd"
    } else if !is_root() && !Path::new(&user).join("systemd/private").exists() {
        "this user has no systemd of their own"
    } else if !Host::detect().unwrap().is_v2_only() {
        "needs the unified hierarchy alone"
    } else {
        return true;
    };
    println!("skipped: {why}");
    false
}

fn scope(name: &str, annotations: &BTreeMap<String, String>) -> Scope {
    let name = format!("{}-{name}", std::process::id());
    let path = format!(":dhow-test:{name}");
    let request = Request {
        id: &name,
        path: Some(&path),
        driver: Driver::Systemd,
        rootless: !is_root(),
        annotations,
    };
    let group = Group::plan(&Host::detect().unwrap(), &request).unwrap();
    let unit = format!("dhow-test-{name}.scope");
    Scope { group, unit }
}

fn systemctl(arguments: &[&str]) -> String {
    let mut command = Command::new("systemctl");
    if !is_root() {
        command.arg("--user");
    }
    let output = command.args(arguments).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

impl Scope {
    fn show(&self, property: &str) -> String {
        systemctl(&["show", "--value", "-p", property, &self.unit])
    }

    fn read(&self, file: &str) -> String {
        let directory = self.group.directories().next().unwrap();
        let text = std::fs::read_to_string(directory.join(file)).unwrap();
        text.trim().to_owned()
    }

    fn start(&self, json: &str) -> Child {
        self.group.create(&resources(json)).unwrap();
        assert!(self.group.clone_target().unwrap().is_none(), "no scope yet");
        let child = Command::new("sleep").arg("1000").spawn().unwrap();
        self.group.add(child.id(), false).unwrap();
        child
    }
}

#[test]
fn a_scope_is_started_limited_updated_and_stopped() {
    if !has_systemd() {
        return;
    }
    let annotations = BTreeMap::from([(
        "org.systemd.property.TimeoutStopSec".to_owned(),
        "uint64 7".to_owned(),
    )]);
    let scope = scope("life", &annotations);
    let limits = r#"{"memory":{"limit":67108864},"pids":{"limit":50},"cpu":{"shares":512,"quota":33333,"period":100000}}"#;
    let mut child = scope.start(limits);
    assert_eq!(scope.group.pids().unwrap(), [child.id()]);
    assert_eq!(scope.show("ActiveState"), "active");
    assert_eq!(scope.show("Delegate"), "yes");
    assert_eq!(scope.show("TimeoutStopUSec"), "7s");
    assert_eq!(
        (
            scope.show("MemoryMax").as_str(),
            scope.show("TasksMax").as_str()
        ),
        ("67108864", "50")
    );
    let files = || ["memory.max", "pids.max", "cpu.weight", "cpu.max"].map(|file| scope.read(file));
    assert_eq!(files(), ["67108864", "50", "59", "33333 100000"]);
    assert!(scope.group.clone_target().unwrap().is_some());

    // What systemd knows it writes again on a reload: it must know the same.
    systemctl(&["daemon-reload"]);
    assert_eq!(files()[..3], ["67108864", "50", "59"]);

    scope
        .group
        .apply(&resources(
            r#"{"memory":{"limit":134217728},"pids":{"limit":-1}}"#,
        ))
        .unwrap();
    assert_eq!(files()[..2], ["134217728", "max"]);
    assert_eq!(
        (
            scope.show("MemoryMax").as_str(),
            scope.show("TasksMax").as_str()
        ),
        ("134217728", "infinity")
    );

    // The state file is enough for another process.
    let text = serde_json::to_string(&scope.group).unwrap();
    let again: Group = serde_json::from_str(&text).unwrap();
    assert!(again.clone_target().unwrap().is_some());
    again.kill().unwrap();
    child.wait().unwrap();
    again.remove().unwrap();
    assert!(!scope.group.directories().next().unwrap().exists());
    eventually("the unit is forgotten", || {
        scope.show("LoadState") == "not-found"
    });
    again.remove().unwrap();
}

#[test]
fn device_rules_survive_a_reload() {
    if !has_systemd() || !is_root() {
        println!("skipped: needs root");
        return;
    }
    let scope = scope("devices", &BTreeMap::new());
    let mut child = scope.start(r#"{"devices":[{"allow":false,"access":"rwm"}]}"#);
    for _ in 0..2 {
        let output = run_inside(&scope.group, "head -c 0 /dev/null && ! head -c 0 /dev/kmsg");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            output.status.success() && text.contains("Operation not permitted"),
            "{text}"
        );
        systemctl(&["daemon-reload"]);
    }
    scope.group.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_taken_unit_and_a_missing_slice_are_refused() {
    if !has_systemd() {
        return;
    }
    let first = scope("taken", &BTreeMap::new());
    let second = scope("taken", &BTreeMap::new());
    let mut child = first.start("{}");
    second.group.create(&resources("{}")).unwrap();
    let mut other = Command::new("sleep").arg("1000").spawn().unwrap();
    let error = second
        .group
        .add(other.id(), false)
        .expect_err("the unit is there");
    other.kill().unwrap();
    other.wait().unwrap();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert_eq!(first.show("ActiveState"), "active");
    first.group.kill().unwrap();
    child.wait().unwrap();

    let request = |path| Request {
        id: "x",
        path: Some(path),
        driver: Driver::Systemd,
        rootless: !is_root(),
        annotations: const { &BTreeMap::new() },
    };
    let error =
        Group::plan(&Host::detect().unwrap(), &request("no-slice:p:n")).expect_err("no slice");
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
}

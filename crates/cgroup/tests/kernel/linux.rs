//! What all kernel tests share: a group that is removed whatever happens, and processes to put into it.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test's helpers may panic, and say what they skip"
)]

mod devices;
mod groups;
mod rootless;
mod systemd;

use dhow_cgroup::{Driver, Group, Host, Request, Resources};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// A group of one test; killed and removed when the test ends, however it ends.
struct Fixture {
    host: Host,
    group: Group,
}

impl Fixture {
    /// Plans `/dhow-test-PID-NAME` in every hierarchy; `None`, after saying why, where that is impossible.
    fn new(name: &str) -> Option<Self> {
        Self::at(&format!("/dhow-test-{}-{name}", std::process::id()))
    }

    fn at(path: &str) -> Option<Self> {
        if !is_root() {
            println!("skipped: needs root");
            return None;
        }
        let host = Host::detect().unwrap();
        if host.mounts().next().is_none() {
            println!("skipped: no control group hierarchy is mounted");
            return None;
        }
        let group = plan(&host, path, false);
        Some(Self { host, group })
    }

    fn create(&self, json: &str) {
        self.group.create(&resources(json)).unwrap();
    }

    /// The directory in the hierarchy with a controller, and whether that is the unified one.
    fn directory(&self, controller: &str) -> Option<(PathBuf, bool)> {
        let fits = |list: &[String]| list.iter().any(|name| name == controller);
        let (mount, _, unified) = self.host.mounts().find(|(_, list, _)| fits(list))?;
        // Longest first: one mount may be below another (`/sys/fs/cgroup/unified`).
        let directory = self
            .group
            .directories()
            .find(|directory| directory.starts_with(mount))?;
        Some((directory.to_owned(), unified))
    }

    /// The content of a control file, by its name in v1 or in v2.
    fn read(&self, controller: &str, v1: &str, v2: &str) -> Option<String> {
        let (directory, unified) = self.directory(controller)?;
        let text = std::fs::read_to_string(directory.join(if unified { v2 } else { v1 })).unwrap();
        Some(text.trim().to_owned())
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let _ = self.group.kill();
        let _ = self.group.remove();
    }
}

fn is_root() -> bool {
    dhow_sys::id::effective_user() == 0
}

fn plan(host: &Host, path: &str, rootless: bool) -> Group {
    try_plan(host, path, rootless).unwrap()
}

fn try_plan(host: &Host, path: &str, rootless: bool) -> dhow_cgroup::Result<Group> {
    let request = Request {
        id: "test",
        path: (!path.is_empty()).then_some(path),
        driver: Driver::Fs,
        rootless,
        annotations: &BTreeMap::new(),
    };
    Group::plan(host, &request)
}

fn resources(json: &str) -> Resources {
    serde_json::from_str(json).unwrap()
}

/// A shell that waits for a line before it goes on to `script`, so that it can be moved first.
fn waiting_shell(script: &str) -> Child {
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(format!("read line; {script}"));
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// Runs a script inside the group.
fn run_inside(group: &Group, script: &str) -> Output {
    let mut child = waiting_shell(script);
    group.add(child.id(), false).unwrap();
    child.stdin.take().unwrap().write_all(b"go\n").unwrap();
    child.wait_with_output().unwrap()
}

fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

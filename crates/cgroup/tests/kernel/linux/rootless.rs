//! What somebody without rights on the host gets: no group, or a clear refusal.

use super::{is_root, plan, resources, run_inside};
use dhow_cgroup::{ErrorKind, Group, Host, Resources};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Runs one of the `rootless_…` tests below as nobody, from a copy of this binary where they can reach it.
fn as_nobody(test: &str) {
    if !is_root() {
        println!("skipped: needs root to become somebody else");
        return;
    }
    let copy =
        std::env::temp_dir().join(format!("dhow-cgroup-{}-{}", std::process::id(), test.len()));
    std::fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
    let output = Command::new(&copy)
        .args(["--exact", test, "--ignored", "--nocapture"])
        .uid(65534)
        .gid(65534)
        .current_dir("/")
        .output();
    std::fs::remove_file(&copy).unwrap();
    let output = output.unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn without_rights_and_limits_there_is_no_group() {
    as_nobody("linux::rootless::rootless_without_limits");
}

#[test]
#[ignore = "run by without_rights_and_limits_there_is_no_group"]
fn rootless_without_limits() {
    let host = Host::detect().unwrap();
    let group = plan(&host, "", true);
    group
        .create(&resources(
            r#"{"devices":[{"allow":false,"access":"rwm"}]}"#,
        ))
        .unwrap();
    assert_eq!(group.directories().count(), 0);
    group.add(std::process::id(), false).unwrap();
    assert!(group.clone_target().unwrap().is_none());
    let error = group.kill().expect_err("no group to kill");
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    group.remove().unwrap();
    let again: Group = serde_json::from_str(&serde_json::to_string(&group).unwrap()).unwrap();
    assert_eq!(again.directories().count(), 0);
}

#[test]
fn without_rights_a_limit_or_a_path_is_an_error() {
    as_nobody("linux::rootless::rootless_with_limits");
}

#[test]
#[ignore = "run by without_rights_a_limit_or_a_path_is_an_error"]
fn rootless_with_limits() {
    let host = Host::detect().unwrap();
    let error = plan(&host, "", true)
        .create(&resources(r#"{"pids":{"limit":5}}"#))
        .expect_err("a limit");
    assert_eq!(error.kind(), ErrorKind::Permission, "{error}");
    assert!(
        error
            .to_string()
            .starts_with("linux.resources.pids.limit: "),
        "{error}"
    );
    let error = plan(&host, "/dhow-test-nobody", true)
        .create(&Resources::default())
        .expect_err("a path");
    assert_eq!(error.kind(), ErrorKind::Permission, "{error}");
    assert!(error.to_string().contains("dhow-test-nobody"), "{error}");
}

/// Run this one as an ordinary user in a delegated scope: `systemd-run --user --scope -p Delegate=yes`.
#[test]
fn a_delegated_group_is_used() {
    if is_root() {
        println!("skipped: needs an ordinary user");
        return;
    }
    let group = plan(&Host::detect().unwrap(), "", true);
    let limits = resources(r#"{"pids":{"limit":20},"devices":[{"allow":false,"access":"rwm"}]}"#);
    match group.create(&limits) {
        Err(error) if error.kind() == ErrorKind::Permission => {
            println!("skipped: no group is delegated to this user");
            return;
        }
        result => result.unwrap(),
    }
    let directory = group.directories().next().unwrap().to_owned();
    let output = run_inside(&group, "cat /proc/self/cgroup");
    let result = std::fs::read_to_string(directory.join("pids.max"));
    group.kill().unwrap();
    group.remove().unwrap();
    assert!(
        String::from_utf8_lossy(&output.stdout)
            .trim()
            .ends_with("/dhow-test")
    );
    assert_eq!(result.unwrap().trim(), "20");
    assert!(!directory.exists());
}

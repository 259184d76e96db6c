//! S-CGROUPRO (CVE-2023-25809): an ordinary user's container without a cgroup namespace gets the
//! host's cgroup tree with `/sys`, and writes to what belongs to the user.

use dhow_tests::{Config, Test, for_runtimes, host, needs};
use rustix::fs::{Gid, Uid, chown};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

/// A group in each hierarchy that is given to the user, as a session's is; removed when dropped.
struct Delegated(Vec<PathBuf>);

impl Delegated {
    fn to(test: &Test, user: u32) -> Self {
        let mut made = Vec::new();
        for mount in host::cgroup_mounts() {
            let group = mount.point.join(format!("{}-given", test.mark()));
            fs::create_dir(&group).expect("make a cgroup");
            let (uid, gid) = (Uid::from_raw(user), Gid::from_raw(user));
            chown(&group, Some(uid), Some(gid)).expect("give it to the user");
            made.push(group);
        }
        Self(made)
    }
}

impl Drop for Delegated {
    fn drop(&mut self) {
        for group in &self.0 {
            let below = fs::read_dir(group).into_iter().flatten().flatten();
            for entry in below {
                let _ = fs::remove_dir(entry.path());
            }
            let _ = fs::remove_dir(group);
        }
    }
}

/// Tries to make a group in each, from inside, and expects to be refused.
fn mkdir_everywhere(test: &Test, groups: &Delegated, change: impl Fn(&mut Config)) {
    for group in &groups.0 {
        let target = group.join("made");
        let output = test.run_with(|config| {
            config.drop_namespace("cgroup");
            change(config);
            config.args(&["/bin/probe", "mkdir", target.to_str().expect("a path")]);
        });
        let answer: Value = output.ok().json();
        // EROFS, EACCES; ENOENT where the hierarchy is not to be seen at all.
        let errno = answer["errno"].as_i64();
        assert!(matches!(errno, Some(30 | 13 | 2)), "{target:?}: {answer}");
        assert!(!target.exists(), "{target:?}");
    }
}

/// `/sys` bound with all that lies below it, as the rootless template has it.
fn sys_bound_recursively(test: &Test) {
    needs!(test, root, userns);
    let user = test.become_user();
    let groups = Delegated::to(test, user.id);
    mkdir_everywhere(test, &groups, |_| {});
}

/// And a mount of type cgroup besides, which shows the container's own group alone.
fn a_cgroup_mount_shows_no_other_group(test: &Test) {
    needs!(test, root, userns);
    let user = test.become_user();
    let groups = Delegated::to(test, user.id);
    mkdir_everywhere(test, &groups, |config| {
        config.add_mount("cgroup", "cgroup", "/sys/fs/cgroup", &["ro"]);
    });
    mkdir_everywhere(test, &groups, |config| {
        config.add_mount("cgroup", "cgroup", "/sys/fs/cgroup", &[]);
    });
}

/// Root of the host in a user namespace, the same way.
fn root_with_a_user_namespace(test: &Test) {
    needs!(test, root, userns);
    let groups = Delegated::to(test, 515_000_000);
    mkdir_everywhere(test, &groups, |config| {
        config.add_namespace("user", None);
        let map = json!([{"containerID": 0, "hostID": 515_000_000, "size": 65536}]);
        config["linux"]["uidMappings"] = map.clone();
        config["linux"]["gidMappings"] = map;
        config.drop_mount("/sys");
        let options = ["rbind", "nosuid", "noexec", "nodev", "ro"];
        config.add_mount("none", "/sys", "/sys", &options);
    });
    assert!(Path::new("/sys/fs/cgroup").exists());
}

for_runtimes!([Dhow];
    sys_bound_recursively,
    a_cgroup_mount_shows_no_other_group,
    root_with_a_user_namespace,
);

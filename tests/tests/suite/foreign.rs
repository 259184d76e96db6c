//! Real peers: engines of others that drive a runtime by its command line.

mod buildah;
mod containerd;
mod cri;
mod docker;
mod podman;
mod podman_ordinary_user;

use dhow_tests::host;
use std::fs;
use std::path::Path;

/// Removes the empty cgroups that an engine leaves behind where it was told to put its containers.
fn remove_groups(name: &str) {
    for mount in host::cgroup_mounts() {
        remove_empty(&Path::new(&mount.point).join(name));
    }
}

fn remove_empty(group: &Path) {
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_empty(&entry.path());
        }
    }
    let _ = fs::remove_dir(group);
}

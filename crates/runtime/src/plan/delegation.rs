//! To whom the container's cgroup is given, so that its program can make groups of its own.
//!
//! Source: config-linux.md (Cgroup ownership).

use super::mounts::{Mount, RDONLY, Source};
use super::namespaces::{Kind, Namespaces};
use crate::spec::linux::IdMapping;

/// The host's id of the container's user, where the container gets a cgroup namespace of its own and a
/// writable cgroup filesystem. None where its id on the host is not to be known from the document: in a user
/// namespace that is joined.
#[must_use]
pub fn owner(
    namespaces: &Namespaces,
    mounts: &[Mount],
    user: u32,
    uid_mappings: &[IdMapping],
) -> Option<u32> {
    let writable = |mount: &Mount| {
        matches!(mount.source, Source::Cgroup)
            && mount.destination.trim_end_matches('/') == "/sys/fs/cgroup"
            && mount.attributes.set & RDONLY == 0
    };
    let wanted = namespaces.makes(Kind::Cgroup) && mounts.iter().any(writable);
    if !wanted || namespaces.joins(Kind::User) {
        return None;
    }
    if !namespaces.makes(Kind::User) {
        return Some(user);
    }
    uid_mappings
        .iter()
        .find(|map| user >= map.container_id && user - map.container_id < map.size)
        .map(|map| map.host_id + (user - map.container_id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::mounts;
    use crate::spec;

    fn owner_of(kinds: &[&str], option: &str, user: u32) -> Option<u32> {
        let list: Vec<_> = kinds
            .iter()
            .map(|kind| spec::linux::Namespace {
                kind: (*kind).into(),
                path: None,
            })
            .collect();
        let mount = spec::Mount {
            destination: "/sys/fs/cgroup/".into(),
            kind: Some("cgroup".into()),
            options: vec![option.into()],
            ..Default::default()
        };
        let mount = mounts::parse(&mount, "mounts[0]").expect("a mount");
        let map = IdMapping {
            container_id: 10,
            host_id: 1000,
            size: 5,
        };
        owner(
            &Namespaces::parse(&list).expect("kinds"),
            &[mount],
            user,
            &[map],
        )
    }

    #[test]
    fn it_is_the_user_of_the_process_on_the_host() {
        assert_eq!(owner_of(&["cgroup"], "rw", 7), Some(7));
        assert_eq!(owner_of(&["cgroup", "user"], "rw", 12), Some(1002));
        assert_eq!(owner_of(&["cgroup", "user"], "rw", 15), None);
    }

    #[test]
    fn nobody_without_a_namespace_and_a_writable_mount() {
        assert_eq!(owner_of(&["cgroup"], "ro", 7), None);
        assert_eq!(owner_of(&["pid"], "rw", 7), None);
    }
}

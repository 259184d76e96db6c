//! Which kernel parameters a container may set: only those that a namespace of its own holds.

use super::invalid::Invalid;
use super::namespaces::{Kind, Namespaces};
use serde::Serialize;
use std::collections::BTreeMap;

const IPC: [&str; 8] = [
    "kernel/msgmax",
    "kernel/msgmnb",
    "kernel/msgmni",
    "kernel/sem",
    "kernel/shmall",
    "kernel/shmmax",
    "kernel/shmmni",
    "kernel/shm_rmid_forced",
];

/// A kernel parameter to set.
#[derive(Debug, Clone, Serialize)]
pub struct Parameter {
    /// Its name as the document has it.
    pub key: String,
    /// Its path below `/proc/sys`.
    pub path: String,
    /// Its value.
    pub value: String,
    /// The kind of namespace that holds it.
    pub holder: Kind,
}

/// Checks `linux.sysctl` and returns what to write where.
///
/// # Errors
/// [`Invalid`]: no namespace holds the parameter, that namespace is the host's, or the name or
/// value is malformed.
pub fn parse(
    sysctl: &BTreeMap<String, String>,
    namespaces: &Namespaces,
) -> Result<Vec<Parameter>, Invalid> {
    sysctl
        .iter()
        .map(|(key, value)| check(key, value, namespaces))
        .collect()
}

fn check(key: &str, value: &str, namespaces: &Namespaces) -> Result<Parameter, Invalid> {
    let refuse = |reason: String| Err(Invalid::new(format!("linux.sysctl[{key:?}]"), reason));
    let path = path_of(key);
    let fine =
        |part: &str| !part.is_empty() && part != "." && part != ".." && part.bytes().all(plain);
    if !path.split('/').all(fine) {
        return refuse("is not the name of a kernel parameter".into());
    }
    if value.contains(['\0', '\n']) {
        return refuse("the value must be one line".into());
    }
    let holder = if IPC.contains(&path.as_str()) || path.starts_with("fs/mqueue/") {
        Kind::Ipc
    } else if path.starts_with("net/") {
        Kind::Network
    } else if path == "kernel/domainname" || path == "kernel/hostname" {
        Kind::Uts
    } else if path.starts_with("user/") {
        Kind::User
    } else {
        return refuse("is a parameter of the whole host: no namespace holds it".into());
    };
    if !namespaces.separates(holder) {
        let word = holder.word();
        return refuse(format!(
            "would change the host: the container has no {word} namespace of its own"
        ));
    }
    Ok(Parameter {
        key: key.into(),
        path,
        value: value.into(),
        holder,
    })
}

fn plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._-:@".contains(&byte)
}

/// Both spellings, `net.ipv4.ip_forward` and `net/ipv4/ip_forward`; whichever separator comes first
/// is the one, so that interface names may hold the other (`sysctl.d(5)`).
fn path_of(key: &str) -> String {
    match key.find(['.', '/']) {
        Some(index) if key.as_bytes()[index] == b'.' => key
            .chars()
            .map(|c| {
                if c == '.' {
                    '/'
                } else if c == '/' {
                    '.'
                } else {
                    c
                }
            })
            .collect(),
        _ => key.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_and_dotted_interfaces() {
        assert_eq!(
            path_of("net.ipv4.conf.eth0/1.forwarding"),
            "net/ipv4/conf/eth0.1/forwarding"
        );
        assert_eq!(
            path_of("net/ipv4/conf/eth0.1/forwarding"),
            "net/ipv4/conf/eth0.1/forwarding"
        );
    }

    #[test]
    fn the_host_is_out_of_reach() {
        let network = Namespaces {
            new: vec![Kind::Network],
            join: vec![],
        };
        assert!(check("net.ipv4.ip_forward", "1", &network).is_ok());
        for (key, value) in [
            ("kernel.shmmax", "1"),
            ("kernel.core_pattern", "|/bin/x"),
            ("net.ipv4.ip_forward", "1\n2"),
            ("net..ipv4", "1"),
            ("net/../kernel/core_pattern", "1"),
            ("net.ipv4+kernel", "1"),
        ] {
            assert!(check(key, value, &network).is_err(), "{key}");
        }
        assert!(check("net.ipv4.ip_forward", "1", &Namespaces::default()).is_err());
    }
}

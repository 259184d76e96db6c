//! `linux.netDevices`: network devices that move from the runtime's namespace into the container's.

use super::invalid::Invalid;
use super::namespaces::{Kind, Namespaces};
use crate::spec::linux::NetDevice as Document;
use serde::Serialize;
use std::collections::BTreeMap;

/// `IFNAMSIZ` without the final 0.
const LONGEST: usize = 15;

/// A device that moves.
#[derive(Debug, Clone, Serialize)]
pub struct NetDevice {
    /// Its name in the runtime's network namespace.
    pub host: String,
    /// Its name in the container; a `%d` is replaced by the first free number.
    pub name: String,
}

impl NetDevice {
    /// Where it stands in the document.
    #[must_use]
    pub fn path(&self) -> String {
        format!("linux.netDevices[{:?}]", self.host)
    }

    /// Whether the kernel chooses the number in the name.
    #[must_use]
    pub fn is_template(&self) -> bool {
        self.name.contains("%d")
    }
}

/// Reads `linux.netDevices`.
///
/// # Errors
/// [`Invalid`]: a name that no device can have, one given twice, or no network namespace to move to.
pub fn parse(
    devices: &BTreeMap<String, Document>,
    namespaces: &Namespaces,
) -> Result<Vec<NetDevice>, Invalid> {
    if !devices.is_empty() && !namespaces.separates(Kind::Network) {
        return Err(Invalid::new(
            "linux.netDevices",
            "needs a network namespace in linux.namespaces",
        ));
    }
    let mut moved: Vec<NetDevice> = Vec::new();
    for (host, document) in devices {
        let name = document.name.as_ref().filter(|name| !name.is_empty());
        let device = NetDevice {
            host: host.clone(),
            name: name.unwrap_or(host).clone(),
        };
        check(host).map_err(|why| Invalid::new(device.path(), why))?;
        let at = || format!("{}.name", device.path());
        check(&device.name).map_err(|why| Invalid::new(at(), why))?;
        let taken = moved.iter().find(|other| other.name == device.name);
        if let Some(other) = taken.filter(|_| !device.is_template()) {
            let reason = format!("{:?} is the name of {:?} already", device.name, other.host);
            return Err(Invalid::new(at(), reason));
        }
        moved.push(device);
    }
    Ok(moved)
}

/// Whether the kernel would take a name (`netdevice(7)`; `dev_valid_name`).
fn check(name: &str) -> Result<(), String> {
    let foreign = |c: char| matches!(c, '/' | ':' | '\0') || c.is_whitespace();
    let reason = if name.is_empty() {
        "a device's name must not be empty"
    } else if name.len() > LONGEST {
        "is longer than a device's name can be (15 bytes)"
    } else if matches!(name, "." | "..") || name.contains(foreign) {
        "is no device's name: no slash, colon or white space, not . or .."
    } else if name.replacen("%d", "", 1).contains('%') {
        "may contain one %d, which becomes the first free number, and no other %"
    } else {
        return Ok(());
    };
    Err(format!("{name:?} {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: Option<&str>, namespaces: &Namespaces) -> Result<Vec<NetDevice>, Invalid> {
        let document = Document {
            name: name.map(str::to_owned),
        };
        parse(&BTreeMap::from([("eth7".into(), document)]), namespaces)
    }

    fn own_network() -> Namespaces {
        Namespaces {
            new: vec![Kind::Network],
            join: Vec::new(),
        }
    }

    #[test]
    fn a_name_is_kept_unless_another_is_given() {
        for (given, expected) in [(None, "eth7"), (Some(""), "eth7"), (Some("lan%d"), "lan%d")] {
            let devices = with(given, &own_network()).expect("fine");
            assert_eq!(devices[0].name, expected);
        }
    }

    #[test]
    fn impossible_names_are_refused() {
        for name in [
            ".",
            "..",
            "a/b",
            "a:b",
            "a b",
            "1234567890123456",
            "a%s",
            "%d%d",
        ] {
            let error = with(Some(name), &own_network()).expect_err(name);
            assert_eq!(error.path, "linux.netDevices[\"eth7\"].name");
        }
    }

    #[test]
    fn there_must_be_somewhere_to_move_to() {
        let error = with(None, &Namespaces::default()).expect_err("the host's own network");
        assert_eq!(error.path, "linux.netDevices");
    }

    #[test]
    fn one_name_is_for_one_device() {
        let same = |name: &str| Document {
            name: Some(name.into()),
        };
        let both =
            |name: &str| BTreeMap::from([("a".into(), same(name)), ("b".into(), same(name))]);
        assert!(parse(&both("eth0"), &own_network()).is_err());
        assert_eq!(
            parse(&both("eth%d"), &own_network())
                .expect("a template")
                .len(),
            2
        );
    }
}

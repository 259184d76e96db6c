//! Device nodes: the six that every container has, and those that the bundle asks for.
//!
//! Source: config-linux.md (Devices, Default Devices).

use super::invalid::Invalid;
use crate::spec;
use serde::Serialize;

/// What kind of node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Character device.
    Character,
    /// Block device.
    Block,
    /// Named pipe.
    Fifo,
}

/// A node to make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Device {
    /// Absolute path inside the container.
    pub path: String,
    /// Kind of node.
    pub kind: Kind,
    /// Major number.
    pub major: u32,
    /// Minor number.
    pub minor: u32,
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

const DEFAULTS: [(&str, u32, u32); 6] = [
    ("/dev/null", 1, 3),
    ("/dev/zero", 1, 5),
    ("/dev/full", 1, 7),
    ("/dev/random", 1, 8),
    ("/dev/urandom", 1, 9),
    ("/dev/tty", 5, 0),
];

/// The default devices and those of `linux.devices`, which replace a default of the same path.
///
/// # Errors
/// [`Invalid`]: an unknown type, a relative or repeated path, numbers out of range.
pub fn parse(list: &[spec::linux::Device]) -> Result<Vec<Device>, Invalid> {
    let mut devices: Vec<Device> = DEFAULTS
        .iter()
        .map(|&(path, major, minor)| default(path, major, minor))
        .collect();
    for (index, device) in list.iter().enumerate() {
        let device = one(device, &format!("linux.devices[{index}]"))?;
        let taken = list[..index]
            .iter()
            .any(|earlier| earlier.path == device.path);
        if taken {
            return Err(Invalid::new(
                format!("linux.devices[{index}].path"),
                format!("{:?} is given twice", device.path),
            ));
        }
        devices.retain(|known| known.path != device.path);
        devices.push(device);
    }
    Ok(devices)
}

fn default(path: &str, major: u32, minor: u32) -> Device {
    Device {
        path: path.into(),
        kind: Kind::Character,
        major,
        minor,
        mode: 0o666,
        uid: 0,
        gid: 0,
    }
}

fn one(device: &spec::linux::Device, path: &str) -> Result<Device, Invalid> {
    let at = |field: &str| format!("{path}.{field}");
    let kind = match device.kind.as_str() {
        "c" | "u" => Kind::Character,
        "b" => Kind::Block,
        "p" => Kind::Fifo,
        other => {
            return Err(Invalid::new(
                at("type"),
                format!("unknown type {other:?}; known are c, u, b, p"),
            ));
        }
    };
    if !device.path.starts_with('/') || device.path.contains('\0') || device.path.ends_with('/') {
        return Err(Invalid::new(
            at("path"),
            format!("{:?} is not the absolute path of a file", device.path),
        ));
    }
    let number = |value: Option<i64>, field: &str| {
        let value = value
            .ok_or_else(|| Invalid::new(at(field), "is missing; only a pipe has no number"))?;
        u32::try_from(value)
            .map_err(|_| Invalid::new(at(field), format!("{value} is no device number")))
    };
    let (major, minor) = match kind {
        Kind::Fifo => (0, 0),
        _ => (
            number(device.major, "major")?,
            number(device.minor, "minor")?,
        ),
    };
    let mode = device.file_mode.unwrap_or(0o666);
    if mode & !0o177_777 != 0 {
        return Err(Invalid::new(
            at("fileMode"),
            format!("{mode} holds more than permission bits"),
        ));
    }
    Ok(Device {
        path: device.path.clone(),
        kind,
        major,
        minor,
        mode: mode & 0o7777,
        uid: device.uid.unwrap_or(0),
        gid: device.gid.unwrap_or(0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_of_the_bundle_replaces_a_default() {
        let device = spec::linux::Device {
            kind: "c".into(),
            path: "/dev/null".into(),
            major: Some(1),
            minor: Some(3),
            file_mode: Some(0o600),
            ..Default::default()
        };
        let devices = parse(std::slice::from_ref(&device)).expect("valid");
        assert_eq!(devices.len(), 6);
        assert_eq!(devices.last().map(|device| device.mode), Some(0o600));
        let error = parse(&[device.clone(), device]).expect_err("twice");
        assert_eq!(error.path, "linux.devices[1].path");
    }
}

//! The systemd driver: the group is a transient scope that systemd makes and knows.
//!
//! systemd owns the tree above the scope; the scope itself is delegated to us (`Delegate=yes`), so
//! limits that systemd has no property for are written to its files as with the other driver. Those
//! it has are told to systemd too, since it writes them again after `daemon-reload`. The device program
//! is only ours: systemd detaches none but its own.
//!
//! Sources: org.freedesktop.systemd1(5), systemd.resource-control(5), systemd.slice(5).

mod annotations;
mod dbus;
mod message;
mod properties;

use super::group::Request;
use super::host::{Host, read_own};
use super::settings::Setting;
use crate::{Error, Result};
use dbus::Connection;
use message::Value;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// A transient scope.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Unit {
    name: String,
    slice: String,
    /// The user's own systemd, else the system's.
    user: bool,
    /// Properties from annotations, checked.
    #[serde(default)]
    properties: Vec<(String, Value)>,
    #[serde(default)]
    started: AtomicBool,
}

impl Unit {
    /// Decides the unit's name and its group's path below the mount; asks systemd nothing, but a user's
    /// systemd for the place of its own group.
    pub(crate) fn plan(host: &Host, request: &Request<'_>) -> Result<(Self, String)> {
        if !host.is_v2_only() {
            return Err(Error::NoSystemd {
                why: "it needs the unified hierarchy alone (cgroup v2); use the cgroupfs driver on this host",
            });
        }
        if !Path::new("/run/systemd/system").is_dir() {
            return Err(Error::NoSystemd {
                why: "this host is not run by systemd (no /run/systemd/system); use the cgroupfs driver",
            });
        }
        let configured = request.path.filter(|path| !path.is_empty());
        let (slice, name) = parse(request.id, configured, request.rootless)?;
        let mut path = expand(&slice, configured.unwrap_or_default())?;
        if request.rootless {
            let above = Connection::open(true)?.manager_property("ControlGroup")?;
            path = format!("{}{path}", above.trim_end_matches('/'));
        }
        let unit = Self {
            properties: annotations::properties(request.annotations)?,
            name,
            slice,
            user: request.rootless,
            started: AtomicBool::new(false),
        };
        let path = format!("{}/{}", path.trim_matches('/'), unit.name);
        Ok((unit, path.trim_start_matches('/').to_owned()))
    }

    pub(crate) fn is_started(&self) -> bool {
        self.started.load(Ordering::Relaxed)
    }

    /// Starts the scope with its first process.
    pub(crate) fn start(&self, pid: u32, settings: &[Setting]) -> Result<()> {
        let text = |text: &str| Value::Text(text.to_owned());
        let fixed = [
            (
                "Description",
                text(&format!(
                    "dhow container {}",
                    self.name.trim_end_matches(".scope")
                )),
            ),
            ("Slice", text(&self.slice)),
            ("Delegate", Value::Bool(true)),
            ("PIDs", Value::Numbers(vec![pid])),
            ("MemoryAccounting", Value::Bool(true)),
            ("CPUAccounting", Value::Bool(true)),
            ("IOAccounting", Value::Bool(true)),
            ("TasksAccounting", Value::Bool(true)),
        ];
        let mut all: Vec<(String, Value)> =
            fixed.map(|(name, value)| (name.to_owned(), value)).into();
        // Defaults that an annotation may change: an ended scope leaves nothing behind, and the order at
        // shutdown is the engine's business.
        let defaults = [
            ("DefaultDependencies", Value::Bool(false)),
            ("CollectMode", text("inactive-or-failed")),
        ];
        for (name, value) in defaults {
            if !self.properties.iter().any(|(given, _)| given == name) {
                all.push((name.to_owned(), value));
            }
        }
        all.extend(self.properties.iter().cloned());
        all.extend(properties::of(settings));
        let mut connection = Connection::open(self.user)?;
        let result = match connection.start_unit(&self.name, &all) {
            Err(Error::Systemd { name, .. }) if name.ends_with(".UnitExists") => {
                // The remains of a failed unit of that name; a living one is still there afterwards.
                connection.reset_failed(&self.name)?;
                connection.start_unit(&self.name, &all)
            }
            result => result,
        };
        result?;
        self.started.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Tells systemd changed limits.
    pub(crate) fn set(&self, settings: &[Setting]) -> Result<()> {
        let properties = properties::of(settings);
        if properties.is_empty() || !self.is_started() {
            return Ok(());
        }
        Connection::open(self.user)?.set_properties(&self.name, &properties)
    }

    /// Stops the scope and forgets it; one that is gone is no error.
    pub(crate) fn stop(&self) -> Result<()> {
        let mut connection = Connection::open(self.user)?;
        let result = connection.stop_unit(&self.name);
        connection.reset_failed(&self.name)?;
        result
    }
}

fn refuse<T>(path: &str, why: &str) -> Result<T> {
    Err(Error::Path {
        path: path.chars().take(200).collect(),
        why: why.to_owned(),
    })
}

/// Slice and unit name from `slice:prefix:name`; parts may be empty.
fn parse(id: &str, path: Option<&str>, rootless: bool) -> Result<(String, String)> {
    let default = format!(":dhow:{id}");
    let path = path.unwrap_or(&default);
    let parts: Vec<&str> = path.split(':').collect();
    let [slice, prefix, name] = parts.as_slice() else {
        return refuse(path, "the systemd driver needs slice:prefix:name");
    };
    let slice = match (*slice, rootless) {
        ("", false) => "system.slice",
        ("", true) => "user.slice",
        (slice, _) => slice,
    };
    if name.is_empty() {
        return refuse(path, "names no unit (slice:prefix:name)");
    }
    if name.ends_with(".slice") {
        return refuse(
            path,
            "a container cannot be a slice: slices hold no processes",
        );
    }
    let unit = if prefix.is_empty() {
        format!("{name}.scope")
    } else {
        format!("{prefix}-{name}.scope")
    };
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-@\\".contains(&byte);
    for part in [slice, &unit] {
        if part.len() > 255 || !part.bytes().all(allowed) {
            return refuse(
                path,
                "a unit's name has at most 255 characters out of letters, digits and _.-@\\",
            );
        }
    }
    Ok((slice.to_owned(), unit))
}

/// The path of a slice: `a-b.slice` is below `a.slice`, and `-.slice` is the root.
fn expand(slice: &str, path: &str) -> Result<String> {
    let Some(name) = slice.strip_suffix(".slice") else {
        return refuse(
            path,
            "the first part must be a slice, such as machine.slice",
        );
    };
    if name == "-" {
        return Ok(String::new());
    }
    let mut expanded = String::new();
    let mut prefix = String::new();
    for part in name.split('-') {
        if part.is_empty() {
            return refuse(path, "the slice has an empty part between dashes");
        }
        prefix.push_str(part);
        expanded.push_str(&format!("/{prefix}.slice"));
        prefix.push('-');
    }
    Ok(expanded)
}

/// The user's number outside of our user namespace, by which its runtime directory is named.
fn outer_user() -> Result<u32> {
    let own = dhow_sys::id::effective_user();
    let map = read_own("uid_map")?;
    let outer = map.lines().find_map(|line| {
        let mut fields = line
            .split_whitespace()
            .map(|field| field.parse::<u32>().ok());
        let (inside, outside, count) = (fields.next()??, fields.next()??, fields.next()??);
        let offset = own.checked_sub(inside)?;
        (offset < count)
            .then(|| outside.checked_add(offset))
            .flatten()
    });
    Ok(outer.unwrap_or(own))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let good = |path, rootless| parse("web", path, rootless).unwrap();
        assert_eq!(
            good(None, false),
            ("system.slice".into(), "dhow-web.scope".into())
        );
        assert_eq!(
            good(None, true),
            ("user.slice".into(), "dhow-web.scope".into())
        );
        let machine = good(Some("machine.slice:libpod:abc"), false);
        assert_eq!(machine, ("machine.slice".into(), "libpod-abc.scope".into()));
        for path in [
            "/a/b",
            "a:b",
            "a:b:c:d",
            "s.slice:p:",
            "s.slice:p:x/../y",
            "s.slice:p:x.slice",
            "s.slice:a b:c",
        ] {
            let text = parse("web", Some(path), false).expect_err(path).to_string();
            assert!(text.starts_with("linux.cgroupsPath"), "{text}");
        }
    }

    #[test]
    fn slices() {
        assert_eq!(
            expand("a-b-c.slice", "").unwrap(),
            "/a.slice/a-b.slice/a-b-c.slice"
        );
        assert_eq!(expand("-.slice", "").unwrap(), "");
        for slice in ["a--b.slice", "-a.slice", ".slice", "a"] {
            assert!(expand(slice, "").is_err(), "{slice}");
        }
    }
}

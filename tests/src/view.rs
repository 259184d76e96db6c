//! A private view of the host for one command: other files in place of some of its own.
//!
//! Two tests need it. crun refuses hybrid cgroup hosts, so an empty file covers the list of
//! controllers of the unified hierarchy. And rootless tests need an ordinary user with ranges
//! of subordinate ids; the user exists only in copies of `/etc/passwd`, `/etc/group`,
//! `/etc/subuid` and `/etc/subgid` that only that command sees. The host is not changed.

use crate::{host, program::Kind};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

const SCRIPT: &str = include_str!("rig/view.sh");

/// The user of the rootless tests: uid and gid. Chosen high so that no host has it.
const USER: u32 = 51_500;

/// The first of the test user's 65,536 subordinate ids.
const SUBORDINATE: u32 = 515_000_000;

/// An ordinary user.
#[derive(Clone, Copy, Debug)]
pub struct User {
    /// Uid and gid.
    pub id: u32,
    /// The first of its subordinate ids, uids and gids alike.
    pub subordinate: u32,
    /// Whether it exists only in a [`View`]; else it is whoever runs the tests.
    is_made: bool,
}

impl User {
    /// The user for rootless tests: ourselves, or when we are root one that only a view shows.
    ///
    /// # Panics
    /// When we are an ordinary user without a range in `/etc/subuid`.
    #[must_use]
    pub fn ordinary() -> Self {
        let id = rustix::process::geteuid().as_raw();
        if id == 0 {
            return Self {
                id: USER,
                subordinate: SUBORDINATE,
                is_made: true,
            };
        }
        Self {
            id,
            subordinate: range_of(id).expect("/etc/subuid has a range for us"),
            is_made: false,
        }
    }
}

/// The first subordinate id of a user, by name or number (subuid(5)).
fn range_of(id: u32) -> Option<u32> {
    let passwd = fs::read_to_string("/etc/passwd").ok()?;
    let number = id.to_string();
    let name = passwd.lines().find_map(|line| {
        let fields: Vec<_> = line.split(':').collect();
        (fields.get(2) == Some(&number.as_str())).then(|| fields[0].to_owned())
    })?;
    let ranges = fs::read_to_string("/etc/subuid").ok()?;
    ranges.lines().find_map(|line| {
        let fields: Vec<_> = line.split(':').collect();
        let is_ours = fields[0] == name || fields[0] == number;
        is_ours.then(|| fields.get(1)?.parse().ok()).flatten()
    })
}

/// What a command sees instead of the host's own files, and as whom it runs.
#[derive(Clone, Debug, Default)]
pub struct View {
    binds: Vec<(PathBuf, PathBuf)>,
    user: bool,
}

impl View {
    /// The view in which this runtime works on this host.
    #[must_use]
    pub fn for_runtime(kind: Kind, directory: &Path) -> Self {
        let mut view = Self::default();
        if kind == Kind::Crun
            && !host::is_cgroup2_only()
            && let Some(unified) = host::unified()
        {
            let empty = write(directory, "empty", "");
            view.binds.push((empty, unified.join("cgroup.controllers")));
        }
        view
    }

    /// The same, run by this user.
    #[must_use]
    pub fn as_user(mut self, user: User, directory: &Path) -> Self {
        if !user.is_made {
            return self;
        }
        let account = format!("dhowtest:x:{USER}:{USER}:dhow test user:/:/bin/sh\n");
        let group = format!("dhowtest:x:{USER}:\n");
        let range = format!("dhowtest:{SUBORDINATE}:65536\n");
        for (file, line) in [
            ("/etc/passwd", account),
            ("/etc/group", group),
            ("/etc/subuid", range.clone()),
            ("/etc/subgid", range),
        ] {
            // Without the file there is no mount point: then the host has no such ranges at all.
            let text = fs::read_to_string(file).unwrap_or_default();
            let copy = write(directory, &file.replace('/', "_"), &(text + &line));
            self.binds.push((copy, PathBuf::from(file)));
        }
        self.user = true;
        self
    }

    /// The words to put before a command.
    #[must_use]
    pub fn prefix(&self, directory: &Path) -> Vec<OsString> {
        let mut words: Vec<OsString> = Vec::new();
        if !self.binds.is_empty() {
            let script = write(directory, "view.sh", SCRIPT);
            words.extend(["unshare", "--mount", "sh"].map(OsString::from));
            words.push(script.into());
            for (source, target) in &self.binds {
                words.extend([source.into(), target.into()]);
            }
            words.push("--".into());
        }
        if self.user {
            let ids = [format!("--reuid={USER}"), format!("--regid={USER}")];
            words.push("setpriv".into());
            words.extend(ids.map(OsString::from));
            words.push("--clear-groups".into());
            // Programs that look for ranges by name take it from here.
            words.extend(["env", "USER=dhowtest", "LOGNAME=dhowtest"].map(OsString::from));
        }
        words
    }
}

fn write(directory: &Path, name: &str, text: &str) -> PathBuf {
    let path = directory.join(name);
    if !path.exists() {
        fs::write(&path, text).unwrap_or_else(|error| panic!("cannot write {path:?}: {error}"));
    }
    path
}

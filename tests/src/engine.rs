//! The `dhow` command with a store of its own, and the check that its containers are gone.
//!
//! The engine names containers and cgroups by random ids, so a test's mark is in neither. Each
//! container gets the mark in its environment instead, and a cgroup counts as left behind when it
//! is new, empty and stays: those of neighbours are new too, but they hold a process or vanish.

use crate::{Cmd, Test, host, processes, program};
use rustix::fs::{Gid, Uid, chown};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a stopped container's leavings may take to vanish.
const SETTLE: Duration = Duration::from_secs(5);

/// An engine of its own within a test. At its end its containers are removed, and anything that
/// is left of them then is a failure.
#[derive(Debug)]
pub struct Dhow<'t> {
    test: &'t Test,
    home: PathBuf,
    rootfs: PathBuf,
    cgroups: BTreeSet<PathBuf>,
}

impl<'t> Dhow<'t> {
    /// An empty store, and a root filesystem of busybox and the probe. It belongs to whom the test
    /// has become (see [`Test::become_user`]).
    ///
    /// # Panics
    /// When a directory cannot be made.
    #[must_use]
    pub fn new(test: &'t Test) -> Self {
        let rootfs = test.bundle().rootfs();
        let home = test.root().join("home");
        fs::create_dir_all(home.join("xdg")).expect("make a home");
        if let Some(user) = test.user() {
            let (uid, gid) = (Uid::from_raw(user.id), Gid::from_raw(user.id));
            for path in [home.clone(), home.join("xdg")] {
                chown(&path, Some(uid), Some(gid)).expect("give it to the user");
            }
        }
        Self {
            test,
            home,
            rootfs,
            cgroups: empty_cgroups(),
        }
    }

    /// Where it keeps images and containers.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.home.join("store")
    }

    /// Where it keeps sockets and locks.
    #[must_use]
    pub fn run_directory(&self) -> PathBuf {
        self.home.join("run")
    }

    /// The root filesystem that [`run`](Self::run) uses.
    #[must_use]
    pub fn rootfs(&self) -> &Path {
        &self.rootfs
    }

    /// `dhow` with its own directories; the command is yet to come.
    #[must_use]
    pub fn command(&self) -> Cmd {
        self.command_after(&[])
    }

    /// The same behind other words, such as `unshare --mount`.
    ///
    /// # Panics
    /// When `dhow` is not built.
    #[must_use]
    pub fn command_after(&self, words: &[&str]) -> Cmd {
        let program = program::binary("dhow").unwrap_or_else(|reason| panic!("{reason}"));
        let command = self.test.program_after(words, &program);
        let command = command
            .env("HOME", &self.home)
            .env("XDG_RUNTIME_DIR", self.home.join("xdg"))
            .arg("--root")
            .arg(self.store());
        command.arg("--runroot").arg(self.run_directory())
    }

    /// `dhow` with these words.
    #[must_use]
    pub fn words(&self, words: &[&str]) -> Cmd {
        self.command().args(words)
    }

    /// `dhow run OPTIONS --rootfs DIR:O WORDS`.
    #[must_use]
    pub fn run(&self, options: &[&str], words: &[&str]) -> Cmd {
        let root = format!("{}:O", self.rootfs.display());
        let command = self.marked_run().args(options);
        command.args(["--rootfs", &root]).args(words)
    }

    /// `dhow run OPTIONS IMAGE WORDS`.
    #[must_use]
    pub fn run_image(&self, options: &[&str], image: &str, words: &[&str]) -> Cmd {
        self.marked_run().args(options).arg(image).args(words)
    }

    /// `dhow run --rm` of a line of shell.
    #[must_use]
    pub fn shell(&self, options: &[&str], line: &str) -> Cmd {
        let options = [&["--rm"], options].concat();
        self.run(&options, &["/bin/sh", "-c", line])
    }

    /// The probe's report from a container with these options.
    ///
    /// # Panics
    /// When the container fails.
    #[must_use]
    pub fn probe(&self, options: &[&str]) -> serde_json::Value {
        let options = [&["--rm"], options].concat();
        self.run(&options, &["/bin/probe"]).run().ok().json()
    }

    /// A container in the background that sleeps, by this name.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn sleeper(&self, name: &str, options: &[&str]) {
        let options = [&["-d", "--name", name], options].concat();
        self.run(&options, &["/bin/sleep", "1000"]).run().ok();
    }

    /// Its state, as `dhow ps` says it.
    ///
    /// # Panics
    /// When there is no such container.
    #[must_use]
    pub fn state(&self, name: &str) -> String {
        let words = ["ps", "--all", "--format", "json"];
        let list = self.words(&words).run().ok().stdout();
        let entries = list
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON lines"));
        let mut found = entries.filter(|entry| entry["Names"] == name);
        let entry = found.next().expect("it is in the list");
        entry["State"].as_str().expect("a word").to_owned()
    }

    /// All that is left of containers in its directories.
    #[must_use]
    pub fn left(&self) -> Vec<PathBuf> {
        let (store, run) = (self.store(), self.run_directory());
        let places = [
            store.join("containers"),
            store.join("container-names"),
            store.join("roots"),
            run.join("containers"),
            run.join("runtime"),
        ];
        places.iter().flat_map(|place| entries(place)).collect()
    }

    /// Every path below the store but locks, with the size of files: equal before and after a
    /// command that must change nothing.
    #[must_use]
    pub fn contents(&self) -> BTreeSet<(PathBuf, u64)> {
        let mut all = BTreeSet::new();
        list(&self.store(), &mut all);
        all.retain(|(path, _)| !path.starts_with(self.store().join("locks")));
        all
    }

    /// Asserts that a moment from now nothing is left of any container.
    ///
    /// # Panics
    /// Listing what is.
    #[track_caller]
    pub fn assert_nothing_left(&self) {
        let is_gone = processes::eventually(SETTLE, || self.left().is_empty());
        assert!(is_gone, "left in the store: {:#?}", self.left());
        let new = || {
            let now = empty_cgroups();
            now.difference(&self.cgroups).cloned().collect::<Vec<_>>()
        };
        let suspects = new();
        let is_gone = processes::eventually(SETTLE, || {
            let now = new();
            !suspects.iter().any(|path| now.contains(path))
        });
        assert!(is_gone, "empty cgroups stay: {:#?}", new());
    }

    fn marked_run(&self) -> Cmd {
        let mark = format!("{}={}", crate::command::MARK, self.test.mark());
        self.command().args(["run", "-e", &mark])
    }

    fn remove_all(&self) {
        let ids = self.words(&["ps", "--all", "--quiet", "--no-trunc"]).run();
        for id in ids.stdout().lines() {
            self.words(&["rm", "--force", id]).run();
        }
    }
}

impl Drop for Dhow<'_> {
    fn drop(&mut self) {
        self.remove_all();
        if !std::thread::panicking() {
            self.assert_nothing_left();
        }
    }
}

/// The engine's cgroups without a process, in every hierarchy.
fn empty_cgroups() -> BTreeSet<PathBuf> {
    let mounts = host::cgroup_mounts();
    let all = mounts.iter().flat_map(|mount| entries(&mount.point));
    let is_ours = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default();
        name.to_string_lossy().starts_with("dhow-")
    };
    let is_empty = |path: &PathBuf| {
        fs::read_to_string(path.join("cgroup.procs")).is_ok_and(|text| text.is_empty())
    };
    all.filter(|path| is_ours(path) && is_empty(path)).collect()
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

fn list(directory: &Path, all: &mut BTreeSet<(PathBuf, u64)>) {
    for path in entries(directory) {
        let Ok(about) = path.symlink_metadata() else {
            continue;
        };
        if about.is_dir() {
            all.insert((path.clone(), 0));
            list(&path, all);
        } else {
            all.insert((path, about.len()));
        }
    }
}

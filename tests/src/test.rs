//! One test's life: a root of its own, the body, and proof that nothing is left.

use crate::command::Output;
use crate::view::{User, View};
use crate::{Bundle, Cmd, Config, Container, Kind, leak::Snapshot, needs, processes};
use serde_json::Value;
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A running test: where it may write, and which runtime it drives.
#[derive(Debug)]
pub struct Test {
    name: String,
    kind: Kind,
    mark: String,
    root: PathBuf,
    user: Cell<Option<User>>,
    bundles: Cell<u32>,
    used: RefCell<BTreeSet<String>>,
}

impl Test {
    /// Runs the body in a root of its own. A runtime that is not installed is a counted skip,
    /// unless it is ours: then the test fails.
    ///
    /// # Panics
    /// When the body does, or when something is left behind.
    pub fn run(name: &str, kind: Kind, body: fn(&Self)) {
        if let Err(reason) = kind.program() {
            assert!(kind != Kind::Dhow, "{reason}");
            needs::report_skip(name, &reason);
            return;
        }
        let test = Self::prepare(name, kind);
        let before = Snapshot::take(&test.mark, &test.root);
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            body(&test);
            test.delete_all();
            before.assert_unchanged();
        }));
        test.clear();
        if let Err(panic) = outcome {
            resume_unwind(panic);
        }
    }

    fn prepare(name: &str, kind: Kind) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        // Ends with a letter, so that no mark is the beginning of another.
        let mark = format!("dt{}n{number}x", std::process::id());
        let root = run_directory().join(&mark);
        for directory in ["state", "out", "xdg"] {
            fs::create_dir_all(root.join(directory)).expect("make the root of the test");
        }
        let test = Self {
            name: name.to_owned(),
            kind,
            mark,
            root,
            user: Cell::new(None),
            bundles: Cell::new(0),
            used: RefCell::default(),
        };
        fs::set_permissions(&test.root, fs::Permissions::from_mode(0o711))
            .expect("let the test user pass through");
        test
    }

    /// The runtime it drives.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether the runtime is this one.
    #[must_use]
    pub fn is(&self, kind: Kind) -> bool {
        self.kind == kind
    }

    /// The groups a process shows that asked for these and has this primary group, sorted. Ours
    /// always has the primary group among them, so that "deny by group" cannot be got around
    /// (CVE-2022-36109); the rivals leave that to the engine.
    #[must_use]
    pub fn expected_groups(&self, primary: u32, additional: &[u32]) -> Value {
        let mut groups = additional.to_vec();
        if self.kind == Kind::Dhow && !groups.contains(&primary) {
            groups.push(primary);
        }
        groups.sort_unstable();
        groups.into()
    }

    /// The word that everything of this test carries.
    #[must_use]
    pub fn mark(&self) -> &str {
        &self.mark
    }

    /// A directory of its own, removed at the end.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where the runtime keeps its state (`--root`).
    #[must_use]
    pub fn state_root(&self) -> PathBuf {
        self.root.join("state")
    }

    /// Counts the test as skipped, for this reason. The caller returns.
    pub fn skip(&self, reason: &str) {
        needs::report_skip(&self.name, reason);
    }

    /// From here on everything is done by an ordinary user with subordinate ids (see [`User`]).
    ///
    /// # Panics
    /// When called after bundles were made.
    pub fn become_user(&self) -> User {
        assert_eq!(self.bundles.get(), 0, "become_user() comes before bundle()");
        let user = User::ordinary();
        self.user.set(Some(user));
        for directory in ["state", "xdg"] {
            chown(self.root.join(directory), Some(user.id), Some(user.id)).expect("chown");
        }
        user
    }

    /// A new bundle with the base config (its rootless form after [`become_user`](Self::become_user)).
    #[must_use]
    pub fn bundle(&self) -> Bundle {
        let number = self.bundles.get();
        self.bundles.set(number + 1);
        let bundle = Bundle::new(self.root.join(format!("bundle{number}")), &self.mark);
        if let Some(user) = self.user.get() {
            bundle.edit(|config| config.rootless(user.id));
            bundle.give_to(user.id);
        }
        bundle
    }

    /// A bundle with changes.
    #[must_use]
    pub fn bundle_with(&self, change: impl FnOnce(&mut Config)) -> Bundle {
        let bundle = self.bundle();
        bundle.edit(change);
        bundle
    }

    /// A bundle that runs these words.
    #[must_use]
    pub fn bundle_running(&self, args: &[&str]) -> Bundle {
        self.bundle_with(|config| config.args(args))
    }

    /// A container id of this test. What bears it is deleted at the end.
    #[must_use]
    pub fn id(&self, name: &str) -> String {
        let id = format!("{}-{name}", self.mark);
        self.used.borrow_mut().insert(id.clone());
        id
    }

    /// The runtime with its `--root`; the verb is yet to come.
    #[must_use]
    pub fn runtime(&self) -> Cmd {
        self.bare_runtime().arg("--root").arg(self.state_root())
    }

    /// The same behind other words, such as `setsid --ctty`.
    #[must_use]
    pub fn runtime_after(&self, words: &[&str]) -> Cmd {
        let words = words.iter().map(OsString::from).collect();
        self.runtime_behind(words)
            .arg("--root")
            .arg(self.state_root())
    }

    /// The same, with `count` descriptors from 3 on that lead to `path`.
    ///
    /// # Panics
    /// When the script cannot be written.
    #[must_use]
    pub fn runtime_with_descriptors(&self, count: u32, path: &str) -> Cmd {
        let script = self.root.join("out/descriptors.sh");
        fs::write(&script, include_str!("rig/descriptors.sh")).expect("write the script");
        let count = count.to_string();
        let words = ["bash".into(), script.into(), count.into(), path.into()];
        self.runtime_behind(words.into())
            .arg("--root")
            .arg(self.state_root())
    }

    /// The runtime without any option.
    #[must_use]
    pub fn bare_runtime(&self) -> Cmd {
        self.runtime_behind(Vec::new())
    }

    /// The user it has become, if it has.
    #[must_use]
    pub fn user(&self) -> Option<User> {
        self.user.get()
    }

    /// Another of our programs, as the test's user, behind these words.
    #[must_use]
    pub fn program_after(&self, words: &[&str], program: &Path) -> Cmd {
        let words = words.iter().map(OsString::from).collect();
        self.behind(words, program)
    }

    fn runtime_behind(&self, wrapper: Vec<OsString>) -> Cmd {
        let program = self.kind.program().expect("checked before the test");
        self.behind(wrapper, &program)
    }

    fn behind(&self, wrapper: Vec<OsString>, program: &Path) -> Cmd {
        let out = self.root.join("out");
        let mut view = View::for_runtime(self.kind, &out);
        if let Some(user) = self.user.get() {
            view = view.as_user(user, &out);
        }
        let mut words = wrapper;
        words.extend(view.prefix(&out));
        words.push(program.into());
        let command = Cmd::new(&out, &self.mark, &words).of(self.kind);
        match self.user.get() {
            Some(_) => command.env("XDG_RUNTIME_DIR", self.root.join("xdg")),
            None => command,
        }
    }

    /// The container of that name, wherever it was made.
    #[must_use]
    pub fn container(&self, name: &str) -> Container<'_> {
        Container::new(self, self.id(name))
    }

    /// Any other command, with its output in this test's root.
    #[must_use]
    pub fn command<W: Into<OsString> + Clone>(&self, words: &[W]) -> Cmd {
        let words: Vec<OsString> = words.iter().cloned().map(Into::into).collect();
        Cmd::new(&self.root.join("out"), &self.mark, &words)
    }

    /// The command `run` for this bundle.
    #[must_use]
    pub fn run_command(&self, bundle: &Bundle, name: &str) -> Cmd {
        let command = self.runtime().args(["run", "--bundle"]).arg(bundle.path());
        command.arg(self.id(name))
    }

    /// Runs the bundle in the foreground, to its end.
    pub fn run_bundle(&self, bundle: &Bundle) -> Output {
        self.run_command(bundle, "run").run()
    }

    /// Runs a container with this config, to its end.
    pub fn run_with(&self, change: impl FnOnce(&mut Config)) -> Output {
        self.run_bundle(&self.bundle_with(change))
    }

    /// Runs the probe in this bundle and returns its report.
    ///
    /// # Panics
    /// When the container fails.
    #[must_use]
    pub fn probe(&self, bundle: &Bundle) -> Value {
        bundle.edit(|config| config.args(&["/bin/probe"]));
        self.run_bundle(bundle).ok().json()
    }

    /// Runs the probe with this config.
    #[must_use]
    pub fn probe_with(&self, change: impl FnOnce(&mut Config)) -> Value {
        self.probe(&self.bundle_with(change))
    }

    /// Creates a container; it waits for `start`.
    ///
    /// # Panics
    /// When it fails.
    #[must_use]
    pub fn create(&self, bundle: &Bundle, name: &str) -> Container<'_> {
        let container = Container::new(self, self.id(name));
        container.create_command(bundle).run().ok();
        container
    }

    /// Creates and starts a container that sleeps, and waits until it does.
    #[must_use]
    pub fn sleeper(&self, name: &str) -> Container<'_> {
        let container = self.create(&self.bundle_running(&["sleep", "1000"]), name);
        container.start();
        container
    }

    fn delete_all(&self) {
        let ids = self.used.borrow().clone();
        for id in ids {
            self.runtime().args(["delete", "--force", &id]).run().ok();
        }
    }

    /// Removes everything, whatever the outcome was.
    fn clear(&self) {
        for id in self.used.borrow().iter() {
            if self.state_root().join(id).exists() {
                let words = ["delete", "--force", id];
                let _ = catch_unwind(AssertUnwindSafe(|| self.runtime().args(words).run()));
            }
        }
        processes::end_marked(&self.mark);
        crate::leak::remove(&self.mark, &self.root);
        // Gone with the last test of the run.
        let _ = fs::remove_dir(run_directory());
    }
}

/// The directory of this run of the suite, shared by its tests.
fn run_directory() -> PathBuf {
    let run = std::env::var("NEXTEST_RUN_ID")
        .unwrap_or_else(|_| std::os::unix::process::parent_id().to_string());
    let short: String = run.chars().take(8).collect();
    std::env::temp_dir().join(format!("dhow-tests-{short}"))
}

/// Makes tests of functions that take a [`Test`]: one per function and runtime.
///
/// `for_each_runtime!(a, b)` runs them on ours, runc and crun. `for_runtimes!([Dhow, Runc]; a)`
/// names the runtimes; the reason why one is missing stands in a comment before it.
#[macro_export]
macro_rules! for_each_runtime {
    ($($body:ident),+ $(,)?) => {
        $crate::for_runtimes!([Dhow, Runc, Crun]; $($body),+);
    };
}

/// See [`for_each_runtime!`].
#[macro_export]
macro_rules! for_runtimes {
    ($kinds:tt; $($body:ident),+ $(,)?) => {
        $(mod $body { $crate::tests_of!($kinds $body); })+
    };
}

/// One test per runtime of one function.
#[doc(hidden)]
#[macro_export]
macro_rules! tests_of {
    ([$($kind:ident),+] $body:ident) => {
        $($crate::test_of!($kind $body);)+
    };
}

/// One test.
#[doc(hidden)]
#[macro_export]
macro_rules! test_of {
    (Dhow $body:ident) => {
        #[test]
        fn dhow() {
            let name = concat!(module_path!(), "::dhow");
            $crate::Test::run(name, $crate::Kind::Dhow, super::$body);
        }
    };
    (Runc $body:ident) => {
        #[test]
        fn runc() {
            let name = concat!(module_path!(), "::runc");
            $crate::Test::run(name, $crate::Kind::Runc, super::$body);
        }
    };
    (Crun $body:ident) => {
        #[test]
        fn crun() {
            let name = concat!(module_path!(), "::crun");
            $crate::Test::run(name, $crate::Kind::Crun, super::$body);
        }
    };
}

//! The verbs on one container, as a test writes them.

use crate::command::{Cmd, Output};
use crate::{Bundle, Test, processes};
use serde_json::Value;
use std::time::Duration;

/// A container of a test. It is deleted when the test ends.
#[derive(Debug)]
pub struct Container<'a> {
    test: &'a Test,
    id: String,
}

impl<'a> Container<'a> {
    pub(crate) fn new(test: &'a Test, id: String) -> Self {
        Self { test, id }
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// `create` for this bundle.
    #[must_use]
    pub fn create_command(&self, bundle: &Bundle) -> Cmd {
        let command = self.test.runtime().args(["create", "--bundle"]);
        command.arg(bundle.path()).arg(&self.id)
    }

    /// A verb with this container's id as the last word.
    #[must_use]
    pub fn verb(&self, words: &[&str]) -> Cmd {
        self.test.runtime().args(words).arg(&self.id)
    }

    /// Starts it.
    ///
    /// # Panics
    /// When it fails.
    pub fn start(&self) {
        self.verb(&["start"]).run().ok();
    }

    /// Its state document.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn state(&self) -> Value {
        self.verb(&["state"]).run().ok().json()
    }

    /// Its status.
    #[must_use]
    pub fn status(&self) -> String {
        self.state()["status"]
            .as_str()
            .unwrap_or("no status")
            .to_owned()
    }

    /// The number of its first process.
    ///
    /// # Panics
    /// When the state has none.
    #[must_use]
    pub fn pid(&self) -> i32 {
        let pid = self.state()["pid"].as_i64().expect("the state has a pid");
        i32::try_from(pid).expect("a pid")
    }

    /// Sends it a signal.
    pub fn kill(&self, signal: &str) -> Output {
        let command = self.test.runtime().arg("kill").arg(&self.id);
        command.arg(signal).run()
    }

    /// `exec` of these words.
    #[must_use]
    pub fn exec_command(&self, options: &[&str], words: &[&str]) -> Cmd {
        let command = self.test.runtime().arg("exec").args(options);
        command.arg(&self.id).args(words)
    }

    /// Executes these words in it, to their end.
    pub fn exec(&self, words: &[&str]) -> Output {
        self.exec_command(&[], words).run()
    }

    /// Waits until it has this status.
    ///
    /// # Panics
    /// When it has not after five seconds.
    pub fn wait_for(&self, status: &str) {
        let is_there = processes::eventually(Duration::from_secs(5), || self.status() == status);
        assert!(
            is_there,
            "{} is not {status} but {}",
            self.id,
            self.status()
        );
    }
}

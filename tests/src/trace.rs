//! What a runtime asks of the kernel, call by call, as strace(1) sees it.
//!
//! Calls of all processes are in one list, in the order in which they ended; what strace prints in
//! two halves is put together again. Descriptors carry their paths (`5</sys/net/core/somaxconn>`):
//! those of a mount that is attached nowhere begin at that mount's own root.

use crate::{Bundle, Output, Test};
use std::collections::BTreeMap;
use std::fs;

/// One call.
#[derive(Clone, Debug)]
pub struct Call {
    /// The process.
    pub pid: i32,
    /// The call as strace prints it.
    pub text: String,
}

impl Call {
    /// The name of the call.
    #[must_use]
    pub fn name(&self) -> &str {
        self.text.split('(').next().unwrap_or_default()
    }

    /// What it returned, without the path behind a descriptor.
    #[must_use]
    pub fn value(&self) -> Option<i64> {
        let value = self.text.rsplit_once(" = ")?.1;
        let end = value.find(|c: char| !c.is_ascii_digit() && c != '-');
        value[..end.unwrap_or(value.len())].parse().ok()
    }

    /// Whether it did what it was asked.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        self.value().is_some_and(|value| value >= 0)
    }

    /// Whether it succeeded and all these words are in it, in this order.
    #[must_use]
    pub fn is(&self, words: &[&str]) -> bool {
        let mut rest = self.text.as_str();
        let has_all = words.iter().all(|word| match rest.find(word) {
            Some(at) => {
                rest = &rest[at + word.len()..];
                true
            }
            None => false,
        });
        has_all && self.succeeded()
    }
}

/// All calls of one command.
#[derive(Clone, Debug)]
pub struct Trace {
    calls: Vec<Call>,
}

impl Trace {
    /// Runs this bundle under strace, with further options of `run`.
    ///
    /// # Panics
    /// When strace leaves nothing to read.
    #[must_use]
    pub fn of_run(test: &Test, bundle: &Bundle, options: &[&str], name: &str) -> (Output, Self) {
        let log = test.root().join(format!("out/{name}.strace"));
        let file = log.to_str().expect("a path");
        let strace = ["strace", "-f", "-y", "-s", "256", "-o", file];
        let command = test.runtime_after(&strace).arg("run").args(options);
        let command = command.arg("--bundle").arg(bundle.path());
        let output = command.arg(test.id(name)).run();
        let text = fs::read_to_string(&log).expect("read the trace");
        (output, Self::parse(&text))
    }

    fn parse(text: &str) -> Self {
        let mut halves: BTreeMap<i32, String> = BTreeMap::new();
        let mut calls = Vec::new();
        for line in text.lines() {
            let Some((pid, rest)) = line.split_once(' ') else {
                continue;
            };
            let Ok(pid) = pid.parse() else { continue };
            let rest = rest.trim_start();
            if let Some(half) = rest.strip_suffix(" <unfinished ...>") {
                halves.insert(pid, half.to_owned());
            } else if let Some((_, half)) = rest.split_once(" resumed>") {
                let text = halves.remove(&pid).unwrap_or_default() + half;
                calls.push(Call { pid, text });
            } else if rest.contains('(') {
                let text = rest.to_owned();
                calls.push(Call { pid, text });
            }
        }
        Self { calls }
    }

    /// The calls.
    #[must_use]
    pub fn calls(&self) -> &[Call] {
        &self.calls
    }

    /// The first process of the container, by the clone that made it.
    ///
    /// # Panics
    /// When there was none.
    #[must_use]
    pub fn first_process(&self) -> i32 {
        let clone = self
            .calls
            .iter()
            .find(|call| call.is(&["clone3(", "CLONE_NEWPID"]));
        let pid = clone.and_then(Call::value).expect("a clone");
        i32::try_from(pid).expect("a pid")
    }

    /// The calls of one process.
    pub fn of(&self, pid: i32) -> impl Iterator<Item = &Call> {
        self.calls.iter().filter(move |call| call.pid == pid)
    }

    /// Asserts that these calls, each given by the words in it, were made in this order. Others
    /// may stand between them.
    ///
    /// # Panics
    /// Naming the first that is missing, or that came only before the one it should follow.
    pub fn assert_order(&self, steps: &[&[&str]]) {
        let mut from = 0;
        for step in steps {
            let at = self.calls[from..].iter().position(|call| call.is(step));
            let Some(at) = at else {
                let earlier = self.calls[..from].iter().rev().find(|call| call.is(step));
                let last = &self.calls[from.saturating_sub(1)].text;
                panic!("{step:?} is not after {last}\nearlier: {earlier:#?}");
            };
            from += at + 1;
        }
    }
}

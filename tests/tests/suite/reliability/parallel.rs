//! Verbs of many threads at once.

use dhow_tests::{Cmd, Test};
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A test's runtime as threads share it.
pub(super) struct Shared {
    program: PathBuf,
    state: PathBuf,
    out: PathBuf,
    mark: String,
}

impl Shared {
    pub(super) fn of(test: &Test) -> Self {
        Self {
            program: test.kind().program().expect("checked before the test"),
            state: test.state_root(),
            out: test.root().join("out"),
            mark: test.mark().to_owned(),
        }
    }

    /// The runtime with its `--root`; the verb is yet to come.
    pub(super) fn runtime(&self) -> Cmd {
        let words: [OsString; 3] = [
            self.program.clone().into(),
            "--root".into(),
            self.state.clone().into(),
        ];
        Cmd::new(&self.out, &self.mark, &words)
    }

    /// The id of the container with this number.
    pub(super) fn id(&self, number: usize) -> String {
        format!("{}-n{number}", self.mark)
    }
}

/// Does something once for each number below `total`, `at_once` at a time.
pub(super) fn each(total: usize, at_once: usize, work: impl Fn(usize) + Sync) {
    let next = AtomicUsize::new(0);
    let worker = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= total {
                return;
            }
            work(number);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(worker);
        }
    });
}

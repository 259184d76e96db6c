//! The points of a command, and one run of it for each.

use super::verdict::{self, Verdict};
use dhow_tests::{Cmd, Output, Test, host, processes, program};
use std::fs;
use std::io::Write as _;
use std::time::Duration;

/// The errnos that a call may answer with (`EIO` first: no code treats it as something that may happen).
pub(super) const ERRNOS: [(&str, i32); 6] = [
    ("EIO", 5),
    ("EPERM", 1),
    ("ENOMEM", 12),
    ("ENOSPC", 28),
    ("EINTR", 4),
    ("ENOSYS", 38),
];

/// In the bounded form one point of so many is visited.
const STRIDE: usize = 9;

/// A point: a call of a process.
#[derive(Clone, Debug)]
pub(super) struct Point {
    pub(super) process: String,
    pub(super) index: String,
    pub(super) call: String,
}

/// A sweep over one verb.
pub(super) struct Sweep<'t> {
    pub(super) test: &'t Test,
    /// For the report.
    pub(super) verb: &'static str,
    counts: [usize; 2],
    total: usize,
    wrong: Vec<String>,
}

impl<'t> Sweep<'t> {
    pub(super) fn new(test: &'t Test, verb: &'static str) -> Self {
        Self {
            test,
            verb,
            counts: [0; 2],
            total: 0,
            wrong: Vec::new(),
        }
    }

    /// The runtime behind the injector with these words; the verb is yet to come.
    pub(super) fn injected(&self, words: &[&str]) -> Cmd {
        let injector = program::binary("inject").expect("the injector is built with the suite");
        let mut all = vec![injector.to_str().expect("UTF-8")];
        all.extend(words);
        all.push("--");
        self.test.runtime_after(&all).limit(Duration::from_secs(30))
    }

    /// Every point of the command.
    pub(super) fn points(&self, finish: impl FnOnce(Cmd) -> Cmd) -> Vec<Point> {
        let list = self.test.root().join("out/points");
        let path = list.to_str().expect("UTF-8");
        finish(self.injected(&["list", path])).run().ok();
        let text = fs::read_to_string(&list).expect("the injector has listed the points");
        let points: Vec<Point> = text.lines().filter_map(point).collect();
        assert!(points.len() > 10, "{} has few points:\n{text}", self.verb);
        points
    }

    /// The points and errnos to visit: in the long profile all, else each of a part with one errno in turn.
    pub(super) fn visits(points: &[Point]) -> Vec<(Point, (&'static str, i32))> {
        if std::env::var_os("DHOW_LONG").is_some() {
            let all =
                |errno: (&'static str, i32)| points.iter().map(move |point| (point.clone(), errno));
            return ERRNOS.into_iter().flat_map(all).collect();
        }
        let some = points.iter().step_by(STRIDE).cloned();
        some.zip(ERRNOS.into_iter().cycle()).collect()
    }

    /// One visit: the verb with this fault, then what it has come to. `whole` says what is missing of a
    /// verb that claims to have succeeded.
    pub(super) fn visit(
        &mut self,
        (point, (errno, number)): &(Point, (&'static str, i32)),
        finish: impl FnOnce(Cmd) -> Cmd,
        whole: impl FnOnce(&Output) -> Result<(), String>,
        left: impl FnOnce() -> Vec<String>,
    ) {
        let number = number.to_string();
        let words = ["fail", &point.process, &point.index, &number];
        let output = finish(self.injected(&words)).run();
        let verdict = verdict::of(&output, errno, whole);
        let left = left();
        self.total += 1;
        match verdict {
            Verdict::Tolerated => self.counts[1] += 1,
            Verdict::Refused => self.counts[0] += 1,
            Verdict::Wrong(why) => self.complain(point, errno, &why, &output),
        }
        if !left.is_empty() {
            self.complain(point, errno, &format!("left {left:?}"), &output);
        }
    }

    /// A point after which all was well.
    pub(super) fn passed(&mut self) {
        self.total += 1;
        self.counts[1] += 1;
    }

    pub(super) fn complain(&mut self, point: &Point, fault: &str, why: &str, output: &Output) {
        let Point {
            process,
            index,
            call,
        } = point;
        let said = output.stderr();
        self.wrong.push(format!(
            "{call} ({process} {index}) {fault}: {why}; it said: {said}"
        ));
    }

    /// Reports, and fails when anything was wrong.
    pub(super) fn conclude(self) {
        let [refused, tolerated] = self.counts;
        let line = format!(
            "{}: {} faults, {refused} clear errors, {tolerated} tolerated, {} wrong",
            self.verb,
            self.total,
            self.wrong.len()
        );
        eprintln!("{line}");
        if let Some(table) = std::env::var_os("DHOW_FAULTS") {
            let file = fs::OpenOptions::new().append(true).create(true).open(table);
            let written = file.and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()));
            written.expect("write the table of faults");
        }
        assert!(self.wrong.is_empty(), "{line}\n{}", self.wrong.join("\n"));
    }
}

fn point(line: &str) -> Option<Point> {
    let mut words = line.split(' ').map(str::to_owned);
    Some(Point {
        process: words.next()?,
        index: words.next()?,
        call: words.next()?,
    })
}

/// State directories and cgroups of the test; processes and mounts are compared at its end.
pub(super) fn leftovers(test: &Test) -> Vec<String> {
    let look = || -> Vec<String> {
        let states = fs::read_dir(test.state_root())
            .into_iter()
            .flatten()
            .flatten();
        let states = states.map(|entry| entry.path());
        let groups = host::cgroup_mounts().into_iter().flat_map(|mount| {
            let top = fs::read_dir(mount.point).into_iter().flatten().flatten();
            top.map(|entry| entry.path())
        });
        let marked = groups.filter(|path| path.to_string_lossy().contains(test.mark()));
        states
            .chain(marked)
            .map(|path| path.display().to_string())
            .collect()
    };
    processes::eventually(Duration::from_secs(2), || look().is_empty());
    look()
}

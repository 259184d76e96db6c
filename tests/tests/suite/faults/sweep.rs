//! The points of a command, and one run of it for each.

use super::verdict::{self, Verdict};
use dhow_tests::{Cmd, Output, Test, host, processes, program};
use std::fs;
use std::io::Write as _;
use std::time::Duration;

/// What a call comes to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    /// It does not happen, and answers this.
    Errno(&'static str, i32),
    /// It reads or writes one byte.
    Short,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Errno(name, _) => name,
            Self::Short => "one byte",
        })
    }
}

/// The errnos that a call may answer with (`EIO` first: no code treats it as something that may happen).
const ERRNOS: [Fault; 6] = [
    Fault::Errno("EIO", 5),
    Fault::Errno("EPERM", 1),
    Fault::Errno("ENOMEM", 12),
    Fault::Errno("ENOSPC", 28),
    Fault::Errno("EINTR", 4),
    Fault::Errno("ENOSYS", 38),
];

/// In the bounded form one point of so many is visited.
const STRIDE: usize = 9;

/// A point: a call of a process.
#[derive(Clone, Debug)]
pub(super) struct Point {
    pub(super) process: String,
    pub(super) index: String,
    pub(super) call: String,
    may_be_short: bool,
}

/// A sweep over one verb.
pub(super) struct Sweep<'t> {
    pub(super) test: &'t Test,
    /// For the report.
    pub(super) verb: &'static str,
    faults: &'static [Fault],
    counts: [usize; 2],
    total: usize,
    wrong: Vec<String>,
}

impl<'t> Sweep<'t> {
    pub(super) fn new(test: &'t Test, verb: &'static str) -> Self {
        Self {
            test,
            verb,
            faults: &ERRNOS,
            counts: [0; 2],
            total: 0,
            wrong: Vec::new(),
        }
    }

    /// The same with short reads and writes.
    pub(super) fn short(test: &'t Test, verb: &'static str) -> Self {
        let faults = &[Fault::Short];
        Self {
            faults,
            ..Self::new(test, verb)
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

    /// The points and faults to visit: in the long profile all, else each of a part with one fault in turn.
    pub(super) fn visits(&self, points: &[Point]) -> Vec<(Point, Fault)> {
        let is_for = |point: &Point, fault: Fault| match fault {
            Fault::Errno(..) => true,
            Fault::Short => point.may_be_short,
        };
        let of = |fault: Fault| {
            let points = points.iter().filter(move |point| is_for(point, fault));
            points.map(move |point| (point.clone(), fault))
        };
        if std::env::var_os("DHOW_LONG").is_some() {
            return self.faults.iter().copied().flat_map(of).collect();
        }
        match self.faults {
            // There are few of these.
            [Fault::Short] => of(Fault::Short).collect(),
            _ => {
                let some = points.iter().step_by(STRIDE).cloned();
                some.zip(self.faults.iter().copied().cycle()).collect()
            }
        }
    }

    /// One visit: the verb with this fault, then what it has come to. `whole` says what is missing of a
    /// verb that claims to have succeeded.
    pub(super) fn visit(
        &mut self,
        (point, fault): &(Point, Fault),
        finish: impl FnOnce(Cmd) -> Cmd,
        whole: impl FnOnce(&Output) -> Result<(), String>,
        left: impl FnOnce() -> Vec<String>,
    ) {
        let number;
        let words: &[&str] = match fault {
            Fault::Errno(_, errno) => {
                number = errno.to_string();
                &["fail", &point.process, &point.index, &number]
            }
            Fault::Short => &["short", &point.process, &point.index],
        };
        let output = finish(self.injected(words)).run();
        let verdict = verdict::of(&output, &point.call, *fault, whole);
        let left = left();
        self.total += 1;
        match verdict {
            Verdict::Tolerated => self.counts[1] += 1,
            Verdict::Refused => self.counts[0] += 1,
            Verdict::Wrong(why) => self.complain(point, *fault, &why, &output),
        }
        if !left.is_empty() {
            self.complain(point, *fault, &format!("left {left:?}"), &output);
        }
    }

    /// A point after which all was well.
    pub(super) fn passed(&mut self) {
        self.total += 1;
        self.counts[1] += 1;
    }

    pub(super) fn complain(
        &mut self,
        point: &Point,
        fault: impl std::fmt::Display,
        why: &str,
        output: &Output,
    ) {
        let Point {
            process,
            index,
            call,
            ..
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
        may_be_short: words.next().is_some(),
    })
}

/// What every visit ends with.
pub(super) fn forget(test: &Test, id: &str) {
    test.runtime().args(["delete", "--force", id]).run().ok();
}

/// State directories, cgroups and processes of the test; mounts are compared at its end.
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
        let alive = processes::marked(test.mark());
        let alive = alive.into_iter().map(|process| format!("{process:?}"));
        states
            .chain(marked)
            .map(|path| path.display().to_string())
            .chain(alive)
            .collect()
    };
    processes::eventually(Duration::from_secs(2), || look().is_empty());
    look()
}

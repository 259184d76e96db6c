//! `cargo xtask bench runtime`: dhow-runtime beside crun, runc and the bare floor.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::bundle::{bundle, root_filesystem};
use super::launcher::{Copies, Launcher, Sample, Start};
use super::rivals;
use super::table::Table;
use super::{Options, make_folder, text_of};
use crate::build::{self, Audience};
use crate::child;
use crate::error::Error;
use crate::repository;

/// How often the batches are repeated: each takes as long as a hundred single runs.
const BATCHES: usize = 3;
const IN_TURN: u32 = 100;
const AT_ONCE: u32 = 50;
/// State directories lie on a tmpfs, as the runtimes' own do where `/run` is one.
const STATE: &str = "/dev/shm/dhow-bench";

/// A runtime under measurement.
struct Contender {
    name: &'static str,
    program: PathBuf,
    hidden: Option<PathBuf>,
    state: PathBuf,
}

/// The bundles and tools that all contenders share.
struct Bench {
    launcher: Launcher,
    rootfs: PathBuf,
    ends: PathBuf,
    sleeps: PathBuf,
    folder: PathBuf,
}

/// Measures and returns the table.
///
/// # Errors
/// When something needed is missing, or a runtime fails at its work.
pub(super) fn measure(options: &Options) -> Result<Table, Error> {
    let metadata = repository::metadata()?;
    let ours = match &options.ours {
        Some(path) => path.clone(),
        None => build::programs(&metadata, "release", Audience::Users)?
            .remove("dhow-runtime")
            .ok_or_else(|| Error::Form {
                what: "the workspace".into(),
                why: "it builds no dhow-runtime".into(),
            })?,
    };
    let folder = metadata.target_directory.join("bench");
    let rootfs = root_filesystem(&folder)?;
    let bench = Bench {
        launcher: Launcher::new(&folder)?,
        ends: bundle(&folder.join("ends"), &rootfs, &["/bin/true"])?,
        sleeps: bundle(&folder.join("sleeps"), &rootfs, &["/bin/sleep", "1000"])?,
        rootfs,
        folder: folder.clone(),
    };
    let mut table = Table::new(&["dhow", "crun", "runc", "floor"], &["crun", "floor"]);
    let mut contenders = vec![Contender::new("dhow", ours, None)?];
    for rival in rivals::unpack(&folder)? {
        table.note(format!("{}: {}", rival.name, rival.version));
        contenders.push(Contender::new(rival.name, rival.program, rival.hidden)?);
    }
    table.note(machine(options.rounds)?);
    if options.only_v2 {
        table.note("control groups mounted as on a host with version 2 alone".into());
    }
    for contender in &contenders {
        contender.start_living(&bench)?;
    }
    for round in 0..options.rounds {
        bench.floor(&mut table)?;
        for turn in 0..contenders.len() {
            bench.round(&contenders[(round + turn) % contenders.len()], &mut table)?;
        }
    }
    for _ in 0..BATCHES {
        for contender in &contenders {
            bench.batches(contender, &mut table)?;
        }
    }
    for contender in &contenders {
        bench.once(contender, &mut table)?;
    }
    Ok(table)
}

pub(super) fn machine(rounds: usize) -> Result<String, Error> {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("?").to_owned();
    let kernel = text_of("uname", &["-r"])?;
    let cpus = std::thread::available_parallelism().map_or(0, usize::from);
    Ok(format!(
        "Linux {}, {cpus} processors, load {load} at the start, {rounds} rounds",
        kernel.trim()
    ))
}

impl Contender {
    fn new(
        name: &'static str,
        program: PathBuf,
        hidden: Option<PathBuf>,
    ) -> Result<Contender, Error> {
        let state = Path::new(STATE).join(name);
        make_folder(&state)?;
        Ok(Contender {
            name,
            program,
            hidden,
            state,
        })
    }

    fn verb(&self, words: &[&str]) -> Start {
        let (program, state) = (self.program.to_string_lossy(), self.state.to_string_lossy());
        let mut all = vec![program.as_ref(), "--root", &state];
        all.extend(words);
        Start {
            hidden: self.hidden.clone(),
            ..Start::new(&all)
        }
    }

    /// The container that `exec` and `state` are asked of.
    fn living(&self) -> String {
        format!("bench-{}-living", self.name)
    }

    fn start_living(&self, bench: &Bench) -> Result<(), Error> {
        let sleeps = bench.sleeps.to_string_lossy();
        bench.launcher.run(
            &self.verb(&["create", "--bundle", &sleeps, &self.living()]),
            Copies::One,
        )?;
        bench
            .launcher
            .run(&self.verb(&["start", &self.living()]), Copies::One)?;
        Ok(())
    }
}

impl Drop for Contender {
    fn drop(&mut self) {
        // Also after a failure in the middle: what is not there needs no deleting.
        for id in [
            self.living(),
            format!("bench-{}", self.name),
            format!("bench-{}-0", self.name),
        ] {
            let mut delete = Command::new(&self.program);
            delete
                .arg("--root")
                .arg(&self.state)
                .args(["delete", "--force", &id]);
            let _ = child::run(delete, Duration::from_secs(10));
        }
        let _ = fs::remove_dir_all(&self.state);
        let _ = fs::remove_dir(STATE);
    }
}

impl Bench {
    fn floor(&self, table: &mut Table) -> Result<(), Error> {
        let words = [
            &self.launcher.floor.to_string_lossy(),
            &*self.rootfs.to_string_lossy(),
            "/bin/true",
        ];
        let sample = self.launcher.run(&Start::new(&words), Copies::One)?;
        record(table, "run", "floor", sample);
        table.add("run: peak memory", "KiB", "floor", sample.peak);
        Ok(())
    }

    /// One of each kind for one contender.
    fn round(&self, contender: &Contender, table: &mut Table) -> Result<(), Error> {
        let (name, ends, sleeps) = (
            contender.name,
            self.ends.to_string_lossy(),
            self.sleeps.to_string_lossy(),
        );
        let (id, living) = (format!("bench-{name}"), contender.living());
        let one = |words: &[&str]| self.launcher.run(&contender.verb(words), Copies::One);

        let run = one(&["run", "--bundle", &ends, &id])?;
        record(table, "run", name, run);
        table.add("run: peak memory", "KiB", name, run.peak);

        let create = one(&["create", "--bundle", &sleeps, &id])?;
        let start = one(&["start", &id])?;
        let delete = one(&["delete", "--force", &id])?;
        let parts = [create, start, delete];
        table.add("create", "ms", name, create.wall);
        table.add("start", "ms", name, start.wall);
        table.add("delete --force", "ms", name, delete.wall);
        table.add(
            "create+start+delete",
            "ms",
            name,
            parts.iter().map(|part| part.wall).sum(),
        );
        table.add(
            "create+start+delete: CPU",
            "ms",
            name,
            parts.iter().map(|part| part.cpu).sum(),
        );

        let exec = one(&["exec", &living, "/bin/true"])?;
        record(table, "exec", name, exec);
        table.add("exec: peak memory", "KiB", name, exec.peak);
        table.add("state", "ms", name, one(&["state", &living])?.wall);
        table.add("--version", "ms", name, one(&["--version"])?.wall);
        Ok(())
    }

    fn batches(&self, contender: &Contender, table: &mut Table) -> Result<(), Error> {
        let (name, ends) = (contender.name, self.ends.to_string_lossy());
        let start = contender.verb(&["run", "--bundle", &ends, &format!("bench-{name}-@")]);
        let in_turn = self.launcher.run(&start, Copies::InTurn(IN_TURN))?;
        let at_once = self.launcher.run(&start, Copies::AtOnce(AT_ONCE))?;
        table.add("100 runs in turn", "ms", name, in_turn.wall);
        table.add("50 runs at once", "ms", name, at_once.wall);
        table.add("50 runs at once: CPU", "ms", name, at_once.cpu);
        table.add(
            "failures of those 150",
            "runs",
            name,
            f64::from(in_turn.failed + at_once.failed),
        );
        Ok(())
    }

    /// What does not change from one time to the next.
    fn once(&self, contender: &Contender, table: &mut Table) -> Result<(), Error> {
        let (name, ends) = (contender.name, self.ends.to_string_lossy());
        let id = format!("bench-{name}");
        let counts = self.folder.join(format!("{name}.strace"));
        let run = contender.verb(&["run", "--bundle", &ends, &id]);
        let strace = [
            "/usr/bin/strace",
            "-f",
            "-c",
            "-o",
            &counts.to_string_lossy(),
            "--",
        ]
        .map(str::to_owned);
        let traced = Start {
            words: strace.into_iter().chain(run.words).collect(),
            hidden: run.hidden,
            environment: run.environment,
        };
        if Path::new("/usr/bin/strace").is_file() {
            self.launcher.run(&traced, Copies::One)?;
            let text = fs::read_to_string(&counts).map_err(|source| Error::Read {
                path: counts,
                source,
            })?;
            let (calls, clones) = counted(&text);
            table.add("run: system calls", "calls", name, calls);
            table.add("run: processes and threads", "clones", name, clones);
        }
        self.waiting(contender, table)?;
        let size = fs::metadata(&contender.program).map_or(0, |file| file.len());
        // Sizes are far below the point where this loses a byte.
        #[allow(clippy::cast_precision_loss)]
        table.add("program file", "KiB", name, size as f64 / 1024.0);
        Ok(())
    }

    /// The memory of a container that is created and not started.
    fn waiting(&self, contender: &Contender, table: &mut Table) -> Result<(), Error> {
        let (name, sleeps) = (contender.name, self.sleeps.to_string_lossy());
        let id = format!("bench-{name}");
        let pid_file = self.folder.join(format!("{name}.pid"));
        let create = [
            "create",
            "--bundle",
            &sleeps,
            "--pid-file",
            &pid_file.to_string_lossy(),
            &id,
        ];
        self.launcher.run(&contender.verb(&create), Copies::One)?;
        let pid = fs::read_to_string(&pid_file).map_err(|source| Error::Read {
            path: pid_file,
            source,
        })?;
        let path = PathBuf::from(format!("/proc/{}/smaps_rollup", pid.trim()));
        let rollup = fs::read_to_string(&path).map_err(|source| Error::Read { path, source })?;
        self.launcher
            .run(&contender.verb(&["delete", "--force", &id]), Copies::One)?;
        let private = kib(&rollup, "Private_Dirty:") + kib(&rollup, "Private_Clean:");
        table.add("waiting init: private memory", "KiB", name, private);
        table.add(
            "waiting init: private dirty",
            "KiB",
            name,
            kib(&rollup, "Private_Dirty:"),
        );
        table.add("waiting init: resident", "KiB", name, kib(&rollup, "Rss:"));
        Ok(())
    }
}

fn record(table: &mut Table, measure: &str, contender: &str, sample: Sample) {
    table.add(measure, "ms", contender, sample.wall);
    table.add(&format!("{measure}: CPU"), "ms", contender, sample.cpu);
}

/// The calls in all and the clones in the summary of `strace -c`.
fn counted(summary: &str) -> (f64, f64) {
    let (mut calls, mut clones) = (0.0, 0.0);
    for line in summary.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let count = words
            .get(3)
            .and_then(|word| word.parse::<f64>().ok())
            .unwrap_or(0.0);
        match words.last() {
            Some(&"total") => calls = count,
            Some(&("clone" | "clone3" | "fork" | "vfork")) => clones += count,
            _ => {}
        }
    }
    (calls, clones)
}

/// A figure of `/proc/PID/smaps_rollup`.
fn kib(rollup: &str, key: &str) -> f64 {
    let line = rollup.lines().find_map(|line| line.strip_prefix(key));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn straces_summary_is_read() {
        let summary = "\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 60.00    0.000300           3       100         7 openat
 40.00    0.000200           2         2           clone3
------ ----------- ----------- --------- --------- ----------------
100.00    0.000500           5       102         7 total
";
        assert_eq!(counted(summary), (102.0, 2.0));
    }

    #[test]
    fn the_memory_summary_is_read() {
        assert_eq!(
            kib(
                "Rss:                1234 kB\nPrivate_Dirty:        12 kB\n",
                "Private_Dirty:"
            ),
            12.0
        );
    }
}

//! `events`: what a container uses, and when it runs out of memory.

use crate::cli::{Arguments, Global, Usage, switch, usage_error, value};
use crate::error::{At, Error, Result};
use crate::linux::cgroup::cgroup_error;
use crate::linux::container::Container;
use crate::linux::record::Record;
use crate::output;
use crate::quantity;
use crate::state::{Status, Verb};
use dhow_cgroup::{Group, Report};
use dhow_sys::fd::{self, Interest};
use dhow_sys::process;
use serde::Serialize;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

/// The command line.
pub const USAGE: Usage = Usage {
    verb: "events",
    arguments: "[OPTIONS] ID",
    summary: "Tell what a container uses, and when it runs out of memory, until it ends",
    flags: &[
        switch("stats", None, "tell once what it uses, and end"),
        value(
            "interval",
            None,
            "DURATION",
            "time between two statistics, such as 500ms [default: 5s]",
        ),
    ],
    verbatim_after: None,
    example: "dhow-runtime events --stats web",
};

const INTERVAL: Duration = Duration::from_secs(5);

/// One line of output: runc's, because engines read it.
#[derive(Serialize)]
struct Event<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Data>,
}

#[derive(Serialize)]
struct Data {
    #[serde(flatten)]
    report: Report,
    /// Nothing, as runc has it where there is no Intel RDT.
    intel_rdt: BTreeMap<(), ()>,
    /// Nothing, as runc has it: networks are the engine's.
    network_interfaces: Option<()>,
}

/// Runs the verb.
///
/// # Errors
/// [`Error::Usage`], [`Error::State`] when it has ended, or what could not be read.
pub fn run(global: &Global, arguments: Vec<OsString>) -> Result<u8> {
    let arguments = Arguments::read(&USAGE, arguments)?;
    let id = arguments.id(&USAGE)?;
    let interval = interval(&arguments)?;
    let container = Container::look(&global.root, id)?;
    let record = container.allowed(Verb::Events, WORDS)?;
    let group = record.group(WORDS)?;
    if arguments.is_on("stats") {
        let report = group.report().map_err(cgroup_error)?;
        tell(id, Some(report))?;
        return Ok(0);
    }
    follow(&record, group, interval)
}

const WORDS: &str = "tell the events of";

fn interval(arguments: &Arguments) -> Result<Duration> {
    let Some(text) = arguments.value("interval") else {
        return Ok(INTERVAL);
    };
    let interval = quantity::duration(text).filter(|interval| !interval.is_zero());
    interval.ok_or_else(|| {
        let reason = format!("--interval: {text:?} is not a duration above 0, such as 500ms or 5s");
        usage_error(&USAGE, &reason)
    })
}

/// Tells until the container ends, or nobody listens any more.
fn follow(record: &Record, group: &Group, interval: Duration) -> Result<u8> {
    let step = "wait for events";
    let pidfd = process::open(record.pid).at(step)?;
    // Held now, so that this answer stays true.
    if record.process()?.is_none() {
        return Err(Error::State {
            id: record.id.clone(),
            verb: WORDS,
            status: Status::Stopped.word(),
        });
    }
    let mut oom = group.watch_oom().map_err(cgroup_error)?;
    let mut next = Instant::now() + interval;
    loop {
        let left = next.saturating_duration_since(Instant::now());
        let left = u64::try_from(left.as_micros().div_ceil(1000)).unwrap_or(u64::MAX);
        let mut watched = vec![(pidfd.as_fd(), Interest::Read)];
        watched.extend(oom.as_ref().map(dhow_cgroup::OomWatch::wait_for));
        let ready = fd::poll(&watched, Some(left)).at(step)?;
        let (ended, told) = (ready[0], ready.get(1) == Some(&true));
        // What ended it is told before the end.
        if let Some(oom) = &mut oom
            && (told || ended)
            && oom.take().map_err(cgroup_error)?
            && !tell(&record.id, None)?
        {
            return Ok(0);
        }
        if ended {
            return Ok(0);
        }
        if Instant::now() >= next {
            match group.report() {
                Ok(report) => {
                    if !tell(&record.id, Some(report))? {
                        return Ok(0);
                    }
                }
                // Deleted between the look and the reading.
                Err(_) if has_ended(pidfd.as_fd()) => {}
                Err(error) => return Err(cgroup_error(error)),
            }
            next = Instant::now().max(next + interval);
        }
    }
}

fn has_ended(pidfd: BorrowedFd<'_>) -> bool {
    fd::poll(&[(pidfd, Interest::Read)], Some(0)).is_ok_and(|ready| ready[0])
}

/// Prints one event; false when nobody reads it.
fn tell(id: &str, report: Option<Report>) -> Result<bool> {
    let event = Event {
        kind: if report.is_some() { "stats" } else { "oom" },
        id,
        data: report.map(|report| Data {
            report,
            intel_rdt: BTreeMap::new(),
            network_interfaces: None,
        }),
    };
    let text = serde_json::to_string(&event).unwrap_or_default();
    output::tell(&format!("{text}\n"))
}

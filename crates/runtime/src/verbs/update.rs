//! `update`: other limits for a living container.

use crate::bundle;
use crate::cli::{Arguments, Global, Usage, usage_error, value};
use crate::error::{Error, Result};
use crate::linux::cgroup::cgroup_error;
use crate::linux::container::Container;
use crate::linux::record::{self, Record};
use crate::linux::resctrl::{self, Class};
use crate::linux::undo::Undo;
use crate::plan::intel_rdt;
use crate::state::Verb;
use crate::{logging, quantity};
use dhow_cgroup::Resources;
use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The command line.
pub const USAGE: Usage = Usage {
    verb: "update",
    arguments: "[OPTIONS] ID",
    summary: "Change the limits of a container",
    flags: &[
        value(
            "resources",
            Some('r'),
            "FILE",
            "limits as JSON, like linux.resources in config.json; - is standard input",
        ),
        value("memory", None, "SIZE", "memory, such as 512m; -1 unlimited"),
        value(
            "memory-reservation",
            None,
            "SIZE",
            "memory that is left to it when memory is short",
        ),
        value(
            "memory-swap",
            None,
            "SIZE",
            "memory and swap together; -1 unlimited",
        ),
        value("pids-limit", None, "N", "most tasks; -1 unlimited"),
        value("cpu-share", None, "N", "relative weight, 2 to 262144"),
        value(
            "cpu-quota",
            None,
            "MICROSECONDS",
            "processor time in each period; -1 unlimited",
        ),
        value("cpu-period", None, "MICROSECONDS", "length of a period"),
        value(
            "cpu-burst",
            None,
            "MICROSECONDS",
            "processor time that may be saved up",
        ),
        value("cpu-idle", None, "0|1", "1: only when nobody else runs"),
        value(
            "cpu-rt-period",
            None,
            "MICROSECONDS",
            "length of a real-time period",
        ),
        value(
            "cpu-rt-runtime",
            None,
            "MICROSECONDS",
            "real-time processor time in each such period",
        ),
        value("cpuset-cpus", None, "LIST", "processors, such as 0-2,7"),
        value("cpuset-mems", None, "LIST", "memory nodes"),
        value(
            "blkio-weight",
            None,
            "N",
            "weight of its disk use, 10 to 1000",
        ),
        value(
            "l3-cache-schema",
            None,
            "LINE",
            "share of the level 3 cache, such as L3:0=ff",
        ),
        value(
            "mem-bw-schema",
            None,
            "LINE",
            "share of the memory bandwidth, such as MB:0=50",
        ),
        value("kernel-memory", None, "SIZE", "refused: use --memory"),
        value("kernel-memory-tcp", None, "SIZE", "refused: use --memory"),
    ],
    verbatim_after: None,
    example: "dhow-runtime update --memory 512m --pids-limit 100 web",
};

/// What an update may hold at most, in bytes.
const LIMIT: u64 = 16 << 20;

/// Flags of other runtimes for what is not to be had, and why.
const REFUSED: [(&str, &str); 2] = [
    (
        "kernel-memory",
        "the kernel limits it only together with all other memory; use --memory",
    ),
    (
        "kernel-memory-tcp",
        "the kernel limits it only together with all other memory; use --memory",
    ),
];

/// Runs the verb.
///
/// # Errors
/// [`Error::Usage`] and [`Error::Document`] by flag or property, [`Error::State`] when it has ended, or what
/// the kernel refuses: then the limits are as before.
pub fn run(global: &Global, arguments: Vec<OsString>) -> Result<u8> {
    let arguments = Arguments::read(&USAGE, arguments)?;
    let id = arguments.id(&USAGE)?;
    let update = asked(global, &arguments)?;
    let container = Container::open(&global.root, id)?;
    let mut record = container.allowed(Verb::Update, "update")?;
    let recorded = recorded(&container, &record)?;
    let group = record.group("update")?;
    let mut undo = Undo::default();
    if let Some((class, lines)) = schemata(&arguments, &container)? {
        let before = class.now(&lines)?;
        class.set(&lines)?;
        undo.with(move || drop(class.set(&before)));
    }
    record.resources = Some(group.update(&recorded, &update).map_err(cgroup_error)?);
    undo.forget();
    container.draft(&serde_json::to_vec(&record).unwrap_or_default())?;
    container.publish()?;
    Ok(0)
}

/// What was asked for until now: by the last update, else by the bundle.
fn recorded(container: &Container, record: &Record) -> Result<Resources> {
    if let Some(resources) = &record.resources {
        return Ok(resources.clone());
    }
    Ok(record::document(container)?
        .linux
        .and_then(|linux| linux.resources)
        .unwrap_or_default())
}

/// Lines for the class of service, and the class that the container has.
fn schemata(arguments: &Arguments, container: &Container) -> Result<Option<(Class, Vec<String>)>> {
    let mut lines = Vec::new();
    for (flag, prefix) in [("l3-cache-schema", "L3"), ("mem-bw-schema", "MB:")] {
        for line in arguments.value(flag).unwrap_or_default().lines() {
            intel_rdt::line_of(line, prefix)
                .map_err(|why| usage_error(&USAGE, &format!("--{flag}: {why}")))?;
            lines.push(line.to_owned());
        }
    }
    if lines.is_empty() {
        return Ok(None);
    }
    let class = resctrl::recorded(container)?.ok_or_else(|| {
        let reason =
            "--l3-cache-schema, --mem-bw-schema: the container was created without linux.intelRdt";
        Error::Unsupported(reason.into())
    })?;
    Ok(Some((class, lines)))
}

/// What shall change.
fn asked(global: &Global, arguments: &Arguments) -> Result<Resources> {
    for (name, why) in REFUSED {
        if arguments.value(name).is_some_and(|value| !value.is_empty()) {
            return Err(Error::Unsupported(format!("--{name}: {why}")));
        }
    }
    let Some(file) = arguments.value("resources").filter(|file| !file.is_empty()) else {
        return from_flags(arguments);
    };
    let ignored = USAGE
        .flags
        .iter()
        .map(|flag| flag.name)
        .find(|name| *name != "resources" && arguments.value(name).is_some());
    if let Some(name) = ignored {
        let message = format!("--{name} is ignored beside --resources");
        logging::note(global, "warning", &message);
    }
    let (path, text) = match file {
        "-" => (
            PathBuf::from("standard input"),
            read(std::io::stdin().lock()),
        ),
        file => {
            let path = PathBuf::from(file);
            let text = std::fs::File::open(Path::new(file)).and_then(read);
            (path, text)
        }
    };
    let refuse = |reason: String| Error::Document {
        path: path.clone(),
        reason,
    };
    bundle::parse(&text.map_err(|error| refuse(error.to_string()))?).map_err(refuse)
}

fn read(source: impl Read) -> std::io::Result<Vec<u8>> {
    let mut text = Vec::new();
    source.take(LIMIT + 1).read_to_end(&mut text)?;
    if text.len() as u64 > LIMIT {
        return Err(std::io::Error::other("larger than 16 MiB"));
    }
    Ok(text)
}

fn from_flags(arguments: &Arguments) -> Result<Resources> {
    let mut resources = Resources::default();
    let memory = resources.memory.get_or_insert_default();
    memory.limit = size(arguments, "memory")?;
    memory.reservation = size(arguments, "memory-reservation")?;
    memory.swap = size(arguments, "memory-swap")?;
    let cpu = resources.cpu.get_or_insert_default();
    cpu.shares = number(arguments, "cpu-share")?;
    cpu.quota = number(arguments, "cpu-quota")?;
    cpu.period = number(arguments, "cpu-period")?;
    cpu.burst = number(arguments, "cpu-burst")?;
    cpu.idle = number(arguments, "cpu-idle")?;
    cpu.realtime_period = number(arguments, "cpu-rt-period")?;
    cpu.realtime_runtime = number(arguments, "cpu-rt-runtime")?;
    cpu.cpus = arguments.value("cpuset-cpus").map(str::to_owned);
    cpu.mems = arguments.value("cpuset-mems").map(str::to_owned);
    resources.pids.get_or_insert_default().limit = number(arguments, "pids-limit")?;
    resources.block_io.get_or_insert_default().weight = number(arguments, "blkio-weight")?;
    Ok(resources)
}

/// A number; an empty value is one that was not given, as engines write it.
fn number<T: FromStr>(arguments: &Arguments, name: &str) -> Result<Option<T>> {
    let parse = |text: &str| {
        text.parse()
            .map_err(|_| usage_error(&USAGE, &format!("--{name}: {text:?} is not such a number")))
    };
    let text = arguments.value(name).filter(|text| !text.is_empty());
    text.map(parse).transpose()
}

fn size(arguments: &Arguments, name: &str) -> Result<Option<i64>> {
    let parse = |text: &str| {
        quantity::bytes(text).ok_or_else(|| {
            let reason = format!("--{name}: {text:?} is not a size such as 512m, or -1");
            usage_error(&USAGE, &reason)
        })
    };
    let text = arguments.value(name).filter(|text| !text.is_empty());
    text.map(parse).transpose()
}

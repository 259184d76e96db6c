//! `checkpoint`: writes a running container's processes into files, from which `restore` makes them.

use crate::cli::{Arguments, Flag, Global, Usage, switch, usage_error, value};
use crate::error::{At, Error, Result};
use crate::linux::container::Container;
use crate::linux::criu::external::External;
use crate::linux::criu::images::Images;
use crate::linux::criu::options;
use crate::linux::criu::wire::Message;
use crate::linux::criu::{self, Criu, Request, Word, complaints};
use crate::linux::record::{self, Record};
use crate::linux::removal;
use crate::plan::Plan;
use crate::state::Verb;
use crate::{logging, platform};
use dhow_sys::procfs::Procfs;
use std::ffi::OsString;
use std::path::{Component, Path};

const OWN: [Flag; 9] = [
    value(
        "parent-path",
        None,
        "DIR",
        "an earlier pre-dump, relative to the images",
    ),
    switch("leave-running", None, "let the container run on"),
    switch(
        "pre-dump",
        None,
        "only write the memory, while the container runs",
    ),
    switch(
        "tcp-skip-in-flight",
        None,
        "leave out connections that are being made",
    ),
    switch(
        "link-remap",
        None,
        "keep files that are open but have no name any more",
    ),
    switch(
        "lazy-pages",
        None,
        "leave the memory here and serve it (userfaultfd)",
    ),
    value(
        "page-server",
        None,
        "ADDRESS:PORT",
        "send the memory to a page server",
    ),
    value(
        "status-fd",
        None,
        "N",
        "where CRIU writes a 0 byte once it serves pages",
    ),
    options::NETWORK_LOCK,
];

/// The flags, those of both verbs first.
const FLAGS: [Flag; 19] = options::joined(OWN);

/// The command line.
pub const USAGE: Usage = Usage {
    verb: "checkpoint",
    arguments: "[OPTIONS] ID",
    summary: "Write a running container into files (needs CRIU)",
    flags: &FLAGS,
    verbatim_after: None,
    example: "dhow-runtime checkpoint --image-path /srv/web.images web",
};

/// Field numbers of `criu_opts`, and of `criu_page_server_info` in it.
mod field {
    pub(super) const PID: u64 = 2;
    pub(super) const LEAVE_RUNNING: u64 = 3;
    pub(super) const PAGE_SERVER: u64 = 11;
    pub(super) const ROOT: u64 = 13;
    pub(super) const PARENT_IMAGES: u64 = 14;
    pub(super) const TRACK_MEMORY: u64 = 15;
    pub(super) const EXTERNAL: u64 = 37;
    pub(super) const FREEZE_CGROUP: u64 = 44;
    pub(super) const TCP_SKIP_IN_FLIGHT: u64 = 46;
    pub(super) const LAZY_PAGES: u64 = 48;
    pub(super) const ADDRESS: u64 = 1;
    pub(super) const PORT: u64 = 2;
}

/// Runs the verb.
///
/// # Errors
/// [`Error::State`] unless it is running or paused; [`Error::Unsupported`] for what CRIU does not keep;
/// [`Error::Criu`]. The container runs on then.
pub fn run(global: &Global, arguments: Vec<OsString>) -> Result<u8> {
    let arguments = Arguments::read(&USAGE, arguments)?;
    criu::needs_root(USAGE.verb)?;
    let container = Container::open(&global.root, arguments.id(&USAGE)?)?;
    let record = container.allowed(Verb::Checkpoint, "checkpoint")?;
    let plan = recorded_plan(&container)?;
    let procfs = Procfs::host().at("open procfs")?;
    let external = External::of(procfs, record.pid, &plan)?;
    let stays = arguments.is_on("leave-running") || arguments.is_on("pre-dump");
    let parent = parent(&arguments)?;
    let mut options = options::shared(&USAGE, &arguments)?;
    describe(&arguments, &record, &external, stays, &mut options)?;
    if let Some(parent) = parent {
        options.text(field::PARENT_IMAGES, parent);
    }
    let program = criu::find(arguments.value("criu"))?;
    // Nothing is made before everything that was asked for is known to be possible.
    let images = Images::open(&arguments, true)?;
    let log = "dump.log";
    options::place(&mut options, &images, log);
    let request = if arguments.is_on("pre-dump") {
        Request::PreDump
    } else {
        images.describe(external)?;
        Request::Dump
    };
    let criu = Criu::start(&program, 0, None, |_| Ok(()), |_, _| Ok(()))?;
    dump(criu, request, &options).map_err(|reason| Error::Criu {
        step: "checkpoint the container",
        reason: complaints(&images.log(log)).unwrap_or(reason),
        log: images.log(log),
    })?;
    if !stays {
        // CRIU has ended the processes; what was made for them goes too, as with the other runtimes.
        for problem in removal::remove(&container, true)? {
            logging::note(global, "warning", &problem.to_string());
        }
    }
    Ok(0)
}

/// The options that only a dump has.
fn describe(
    arguments: &Arguments,
    record: &Record,
    external: &External,
    stays: bool,
    options: &mut Message,
) -> Result<()> {
    options
        .number(field::PID, record.pid)
        .truth(field::LEAVE_RUNNING, stays)
        .text(field::ROOT, &record.rootfs)
        .truth(
            field::TRACK_MEMORY,
            arguments.is_on("pre-dump") || arguments.value("parent-path").is_some(),
        )
        .truth(
            field::TCP_SKIP_IN_FLIGHT,
            arguments.is_on("tcp-skip-in-flight"),
        )
        .truth(field::LAZY_PAGES, arguments.is_on("lazy-pages"));
    for name in external.names() {
        options.text(field::EXTERNAL, &name);
    }
    // All at once stand still, also those that are forked while CRIU looks for them.
    if let Some(freezer) = record
        .cgroup
        .as_ref()
        .and_then(dhow_cgroup::Group::freezer_directory)
    {
        options.text(field::FREEZE_CGROUP, &freezer.to_string_lossy());
    }
    if let Some(server) = arguments.value("page-server") {
        let parsed = server.rsplit_once(':').and_then(|(address, port)| {
            let port: u16 = port.parse().ok()?;
            Some((address.trim_matches(['[', ']']), port))
        });
        let (address, port) = parsed.ok_or_else(|| {
            usage_error(
                &USAGE,
                &format!("--page-server: {server:?} is not ADDRESS:PORT"),
            )
        })?;
        let mut page_server = Message::default();
        page_server
            .text(field::ADDRESS, address)
            .number(field::PORT, port);
        options.message(field::PAGE_SERVER, &page_server);
    }
    Ok(())
}

/// Asks for the dump and waits for its end.
fn dump(criu: Criu, request: Request, options: &Message) -> std::result::Result<(), String> {
    let told = |error: Error| error.to_string();
    criu.ask(request, options).map_err(told)?;
    loop {
        match criu.hear().map_err(told)? {
            Word::Stage { .. } => criu.go_on().map_err(told)?,
            Word::Done { .. } => {
                criu.finish();
                return Ok(());
            }
            Word::Failed { reason } => {
                criu.finish();
                return Err(reason);
            }
        }
    }
}

/// `--parent-path`, which CRIU takes relative to the images.
fn parent(arguments: &Arguments) -> Result<Option<&str>> {
    let Some(parent) = arguments.value("parent-path") else {
        return Ok(None);
    };
    let refuse = |reason: &str| {
        Err(usage_error(
            &USAGE,
            &format!("--parent-path: {parent:?} {reason}"),
        ))
    };
    if Path::new(parent).is_absolute() {
        return refuse("must be relative to the directory of the images");
    }
    let images = Path::new(arguments.value("image-path").unwrap_or("checkpoint"));
    // By its words: the directory of the images may not be there yet.
    let mut whole = images.to_owned();
    for component in Path::new(parent).components() {
        match component {
            Component::ParentDir => drop(whole.pop()),
            other => whole.push(other),
        }
    }
    if !whole.is_dir() {
        return refuse("is no directory, seen from that of the images");
    }
    Ok(Some(parent))
}

/// What was asked for when it was created.
fn recorded_plan(container: &Container) -> Result<Plan> {
    let spec = record::document(container)?;
    Plan::new(&spec, &platform::host(&spec)).map_err(Error::from)
}

//! `create`: everything but the execve.

use crate::bundle::Bundle;
use crate::cli::{Arguments, BUNDLE, CONFIG, Flag, Global, Usage, switch, usage_error, value};
use crate::error::{At, Error, Result};
use crate::linux::birth;
use crate::linux::console;
use crate::linux::container::{Container, check_id, io};
use crate::linux::foreground::Terminal;
use crate::linux::gate::Gate;
use crate::linux::order::{Begun, Born, Order};
use crate::linux::platform::{is_host_root, user};
use crate::linux::privilege;
use crate::linux::record::{Record, VERSION, boot_id};
use crate::linux::rootfs::Entry;
use crate::plan::Plan;
use crate::state::Status;
use crate::{clock, hooks, logging, platform};
use dhow_sys::process::Child;
use dhow_sys::procfs::{ProcessStatus, Procfs};
use dhow_sys::socket;
use std::cell::Cell;
use std::ffi::OsString;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

/// The flags that `create` and `run` share.
pub const FLAGS: &[Flag] = &[
    BUNDLE,
    CONFIG,
    CONSOLE_SOCKET,
    PID_FILE,
    switch(
        "no-pivot",
        None,
        "move the root instead of pivoting (for an initial ramfs)",
    ),
    switch("no-new-keyring", None, "keep the caller's session keyring"),
    value(
        "preserve-fds",
        None,
        "N",
        "pass N descriptors from 3 on to the program",
    ),
    PIDFD_SOCKET,
    switch(
        "no-subreaper",
        None,
        "accepted: orphans are reaped by the container's own first process",
    ),
];

/// `restore` has it too.
pub const CONSOLE_SOCKET: Flag = value(
    "console-socket",
    None,
    "SOCKET",
    "where the terminal's controlling side is sent",
);

/// `restore` has it too.
pub const PID_FILE: Flag = value("pid-file", None, "FILE", "write the process id to FILE");

/// `exec` has it too.
pub const PIDFD_SOCKET: Flag = value(
    "pidfd-socket",
    None,
    "SOCKET",
    "where a descriptor of the process (pidfd) is sent",
);

/// The command line.
pub const USAGE: Usage = Usage {
    verb: "create",
    arguments: "[OPTIONS] ID",
    summary: "Create a container from a bundle, up to the start of its program",
    flags: FLAGS,
    verbatim_after: None,
    example: "dhow-runtime create --bundle /srv/web --pid-file /run/web.pid web",
};

/// What both verbs read from their flags.
#[derive(Debug)]
pub struct Request {
    /// The id.
    pub id: String,
    /// The bundle.
    pub bundle: Bundle,
    /// What it says.
    pub plan: Plan,
    /// Where to write the process id.
    pub pid_file: Option<PathBuf>,
    entry: Entry,
    keyring: bool,
    preserve: u32,
    pidfd: Option<Receiver>,
    driver: dhow_cgroup::Driver,
    privileged: bool,
    rootless: bool,
}

impl Request {
    /// Reads flags and bundle; nothing is made yet.
    ///
    /// # Errors
    /// [`Error::Usage`], [`Error::Document`], [`Error::Config`]
    pub fn read(global: &Global, usage: &Usage, arguments: &Arguments) -> Result<Self> {
        // Before anything of ours is open, which could pass for what the caller opened.
        let preserve = preserved(arguments)?;
        let id = arguments.id(usage)?.to_owned();
        check_id(&id)?;
        let directory = arguments.value("bundle").unwrap_or(".");
        let bundle = Bundle::open(
            Path::new(directory),
            arguments.value("config").map(Path::new),
        )?;
        let mut host = platform::host(&bundle.spec);
        if global.rootless == Some(true) {
            host.privileged = false;
        }
        let plan = Plan::new(&bundle.spec, &host)?;
        for warning in &plan.warnings {
            logging::note(global, "warning", warning);
        }
        if global.debug {
            for step in crate::plan::narrative::tell(&plan) {
                logging::debug(global, &format!("{}: {}", step.step, step.what));
            }
        }
        Ok(Self {
            id,
            bundle,
            plan,
            pid_file: arguments.value("pid-file").map(PathBuf::from),
            entry: if arguments.is_on("no-pivot") {
                Entry::Move
            } else {
                Entry::Pivot
            },
            keyring: !arguments.is_on("no-new-keyring"),
            preserve,
            pidfd: Receiver::connect(arguments)?,
            driver: if global.systemd {
                dhow_cgroup::Driver::Systemd
            } else {
                dhow_cgroup::Driver::Fs
            },
            privileged: host.privileged,
            rootless: global.rootless.unwrap_or_else(|| !is_host_root()),
        })
    }

    /// Makes the container and writes down what was made.
    ///
    /// # Errors
    /// Whatever failed; nothing is left behind then.
    pub fn make(
        &self,
        global: &Global,
        console: Option<OwnedFd>,
        waiting: Waiting,
    ) -> Result<(Container, Born)> {
        let container = Container::reserve(&global.root, &self.id)?;
        let has_begun = Cell::new(false);
        let made = self.fill(&container, console, waiting, &has_begun);
        if made.is_err() {
            // The id is ours, so nobody else has anything in there.
            let _ = container.remove();
            if has_begun.get() {
                self.clean_up(global);
            }
        }
        made.map(|born| (container, born))
            .map_err(|error| privilege::explained(error, &self.plan))
    }

    /// The poststop hooks of a container that has been destroyed: they take back what its other hooks have
    /// made, also when one of those has failed (runtime.md, Lifecycle, steps 3 to 5, 12, 13).
    pub fn clean_up(&self, global: &Global) {
        let state = || {
            self.plan
                .state(&self.id, &self.bundle.path, Status::Stopped, 0)
        };
        for problem in hooks::run_all("poststop", &self.plan.hooks.poststop, state) {
            logging::note(global, "warning", &problem.to_string());
        }
    }

    /// `has_begun` tells whether there was a process, and so perhaps a hook.
    fn fill(
        &self,
        container: &Container,
        console: Option<OwnedFd>,
        waiting: Waiting,
        has_begun: &Cell<bool>,
    ) -> Result<Born> {
        let gate = match waiting {
            Waiting::ForStart => Gate::make(container.directory())?,
            Waiting::ForUs => Gate::Parent,
        };
        let order = self.order(container, console)?;
        let born = birth::create(&order, gate, |begun| {
            has_begun.set(true);
            self.draft(container, begun)
        })?;
        match self.finish(container, &born.child) {
            Ok(()) => Ok(born),
            Err(error) => {
                born.undo();
                Err(error)
            }
        }
    }

    pub(super) fn order<'a>(
        &'a self,
        container: &'a Container,
        console: Option<OwnedFd>,
    ) -> Result<Order<'a>> {
        Ok(Order {
            bundle: &self.bundle,
            plan: &self.plan,
            container,
            privileged: self.privileged,
            mounts: self.privileged && privilege::may_administer()?,
            rootless: self.rootless,
            driver: self.driver,
            entry: self.entry,
            keyring: self.keyring,
            console,
            preserve: self.preserve,
        })
    }

    /// The container is made: for everybody, and for those who asked to be told.
    pub(super) fn finish(&self, container: &Container, child: &Child) -> Result<()> {
        container.publish()?;
        write_pid_file(self.pid_file.as_deref(), child.pid)?;
        Receiver::send(self.pidfd.as_ref(), child, "standard")
    }

    /// Writes down what is made, and what `exec` will want to know, while the child makes the rest.
    pub(super) fn draft(&self, container: &Container, begun: &Begun<'_>) -> Result<()> {
        container.put("config.json", &self.bundle.document)?;
        if let Some(filter) = &self.plan.seccomp {
            container.put("seccomp", &filter.to_bytes())?;
        }
        let procfs = Procfs::host().at("open procfs")?;
        let status = ProcessStatus::of(procfs, begun.pid).at("read the process's start time")?;
        let namespaces = &self.plan.namespaces;
        let kinds = namespaces
            .new
            .iter()
            .chain(namespaces.join.iter().map(|(kind, _)| kind));
        let record = Record {
            version: VERSION,
            id: self.id.clone(),
            oci_version: self.plan.oci_version.clone(),
            bundle: self.bundle.path.display().to_string(),
            rootfs: begun.rootfs.display().to_string(),
            created: clock::now(),
            owner: owner(),
            pid: begun.pid,
            start_time: status.start_time,
            boot_id: boot_id(procfs)?,
            cgroup: Some(begun.cgroup),
            resources: None,
            namespaces: kinds.map(|kind| kind.word().to_owned()).collect(),
            annotations: self.plan.annotations.clone(),
            poststart: self.plan.hooks.poststart.clone(),
            poststop: self.plan.hooks.poststop.clone(),
        };
        container.draft(&serde_json::to_vec(&record).unwrap_or_default())
    }
}

/// Whoever wants to hold the process by a descriptor (`--pidfd-socket`).
#[derive(Debug)]
pub struct Receiver(OwnedFd);

impl Receiver {
    /// Connects, before there is a process.
    ///
    /// # Errors
    /// `connect`.
    pub fn connect(arguments: &Arguments) -> Result<Option<Self>> {
        let Some(path) = arguments.value(PIDFD_SOCKET.name) else {
            return Ok(None);
        };
        let socket = socket::connect_stream(Path::new(path)).at("connect to the pidfd socket")?;
        Ok(Some(Self(socket)))
    }

    /// Sends the process's pidfd, with runc's word beside it.
    ///
    /// # Errors
    /// `sendmsg`.
    pub fn send(receiver: Option<&Self>, child: &Child, word: &str) -> Result<()> {
        let Some(Self(socket)) = receiver else {
            return Ok(());
        };
        socket::send(socket.as_fd(), word.as_bytes(), &[child.pidfd.as_fd()])
            .at("send the pidfd to its socket")
    }
}

/// Who opens the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// A later `start`.
    ForStart,
    /// This process.
    ForUs,
}

/// Writes a process id, whole or not at all.
///
/// # Errors
/// The call.
pub fn write_pid_file(path: Option<&Path>, pid: u32) -> Result<()> {
    let Some(path) = path else { return Ok(()) };
    let step = "write the pid file";
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}"));
    std::fs::write(&temporary, pid.to_string())
        .map_err(|error| io("write", &temporary, &error))
        .at(step)?;
    std::fs::rename(&temporary, path)
        .map_err(|error| io("rename", path, &error))
        .at(step)
}

/// How many descriptors to pass; each of them must be open, else one of ours could take its number.
///
/// # Errors
/// [`Error::Usage`]
pub fn preserved(arguments: &Arguments) -> Result<u32> {
    let wanted = arguments.number("preserve-fds")?.unwrap_or(0);
    let activated = std::env::var("LISTEN_FDS")
        .ok()
        .and_then(|count| count.parse::<u32>().ok())
        .unwrap_or(0);
    let count = wanted.max(activated);
    for number in 3..3u32.saturating_add(count) {
        let missing = || Error::Usage(format!("--preserve-fds: descriptor {number} is not open"));
        let number = i32::try_from(number).map_err(|_| missing())?;
        dhow_sys::fd::inherited(number)
            .map(dhow_sys::fd::forget)
            .map_err(|_| missing())?;
    }
    Ok(count)
}

/// The name of the user who calls, or the number.
fn owner() -> String {
    let id = user();
    if id == 0 {
        return "root".into();
    }
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let mut entries = passwd
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>());
    let found = entries.find(|fields| fields.get(2).is_some_and(|field| field.parse() == Ok(id)));
    found.map_or_else(|| id.to_string(), |fields| fields[0].to_owned())
}

/// Connects to the console socket, and checks that it is given exactly when it is needed.
///
/// # Errors
/// [`Error::Usage`], or `connect`.
pub fn console(usage: &Usage, arguments: &Arguments, terminal: bool) -> Result<Option<OwnedFd>> {
    match (arguments.value("console-socket"), terminal) {
        (Some(path), true) => console::receiver(Path::new(path)).map(Some),
        (None, false) => Ok(None),
        (None, true) => Err(usage_error(
            usage,
            "process.terminal is true: --console-socket says where it goes",
        )),
        (Some(_), false) => Err(usage_error(
            usage,
            "--console-socket is given, but process.terminal is false",
        )),
    }
}

/// Where a process's terminal goes: to whoever asked for it, or to ours, whose side comes with it.
///
/// # Errors
/// As [`console`]; `socketpair`.
pub fn terminal(
    usage: &Usage,
    arguments: &Arguments,
    wanted: bool,
) -> Result<(Option<OwnedFd>, Option<Terminal>)> {
    let foreground = !arguments.is_on("detach");
    if wanted && foreground && arguments.value("console-socket").is_none() {
        let (mine, theirs) = socket::pair().at("make a console socket")?;
        return Ok((Some(theirs), Some(Terminal::new(mine))));
    }
    Ok((console(usage, arguments, wanted)?, None))
}

/// Runs the verb.
///
/// # Errors
/// Whatever failed; nothing is left behind then.
pub fn run(global: &Global, arguments: Vec<OsString>) -> Result<u8> {
    let arguments = Arguments::read(&USAGE, arguments)?;
    let request = Request::read(global, &USAGE, &arguments)?;
    let console = console(&USAGE, &arguments, request.plan.process.terminal)?;
    let (_, born) = request.make(global, console, Waiting::ForStart)?;
    born.devices.keep();
    Ok(0)
}

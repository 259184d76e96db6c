//! `restore`: makes a container of the files that `checkpoint` wrote, with its processes as they were.

use super::create::{self, Request};
use crate::cli::{Arguments, BUNDLE, CONFIG, Flag, Global, Usage, switch, value};
use crate::error::{At, Result};
use crate::linux::container::Container;
use crate::linux::criu;
use crate::linux::criu::images::Images;
use crate::linux::criu::options;
use crate::linux::criu::wire::Message;
use crate::linux::foreground::{self, Terminal};
use crate::linux::rebirth::{self, Reborn};
use crate::linux::removal;
use crate::logging;
use crate::state::Status;
use dhow_sys::{process, signal};
use std::cell::Cell;
use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::Path;

const OWN: [Flag; 13] = [
    BUNDLE,
    CONFIG,
    create::CONSOLE_SOCKET,
    create::PID_FILE,
    create::PIDFD_SOCKET,
    switch("detach", Some('d'), "do not stay with the container"),
    switch(
        "keep",
        None,
        "do not delete the container when it has ended",
    ),
    switch(
        "no-subreaper",
        None,
        "accepted; dhow never becomes a subreaper",
    ),
    switch(
        "no-pivot",
        None,
        "accepted; CRIU chooses how the root is entered",
    ),
    switch("tcp-close", None, "close TCP connections that were open"),
    switch(
        "lazy-pages",
        None,
        "fetch the memory when it is used (userfaultfd)",
    ),
    value(
        "lsm-profile",
        None,
        "TYPE:NAME",
        "another AppArmor or SELinux label",
    ),
    options::NETWORK_LOCK,
];

/// The flags, those of both verbs first.
const FLAGS: [Flag; 23] = options::joined(OWN);

/// The command line.
pub const USAGE: Usage = Usage {
    verb: "restore",
    arguments: "[OPTIONS] ID",
    summary: "Make a container of a checkpoint's files (needs CRIU)",
    flags: &FLAGS,
    verbatim_after: None,
    example: "dhow-runtime restore --image-path /srv/web.images --bundle /srv/web --detach web",
};

/// Field numbers of `criu_opts`.
mod field {
    pub(super) const LAZY_PAGES: u64 = 48;
    pub(super) const TCP_CLOSE: u64 = 52;
    pub(super) const LSM_PROFILE: u64 = 53;
}

/// Runs the verb.
///
/// # Errors
/// [`crate::error::Error::Document`] when there are no images; [`crate::error::Error::Criu`]; nothing is left behind then.
pub fn run(global: &Global, arguments: Vec<OsString>) -> Result<u8> {
    let arguments = Arguments::read(&USAGE, arguments)?;
    criu::needs_root(USAGE.verb)?;
    let request = Request::read(global, &USAGE, &arguments)?;
    let images = Images::open(&arguments, false)?;
    let mut options = options::shared(&USAGE, &arguments)?;
    options::place(&mut options, &images, rebirth::LOG);
    let program = criu::find(arguments.value("criu"))?;
    describe(&arguments, &mut options);
    let terminal = request.plan.process.terminal;
    let detach = arguments.is_on("detach");
    if !detach {
        signal::block(signal::ALL).at("block signals")?;
    }
    let (console, mut relay) = create::terminal(&USAGE, &arguments, terminal)?;
    let (container, reborn) = request.remake(global, console, &images, &program, options)?;
    if detach {
        return Ok(0);
    }
    let exit = relay
        .as_mut()
        .map_or(Ok(()), Terminal::receive)
        .and_then(|()| container.unlock())
        .and_then(|()| foreground::wait(&reborn.child, relay));
    if exit.is_err() {
        // Nobody would be left to end it.
        reborn.child.end();
    }
    if !arguments.is_on("keep") {
        container.lock()?;
        for problem in removal::remove(&container, true)? {
            logging::note(global, "warning", &problem.to_string());
        }
    }
    process::exit(exit?.code())
}

impl Request {
    /// Makes the container of a checkpoint, and writes down what was made.
    ///
    /// # Errors
    /// Whatever failed; nothing is left behind then.
    fn remake(
        &self,
        global: &Global,
        console: Option<OwnedFd>,
        images: &Images,
        criu: &Path,
        options: Message,
    ) -> Result<(Container, Reborn)> {
        let container = Container::reserve(&global.root, &self.id)?;
        let has_begun = Cell::new(false);
        let state = |pid| {
            // Asked for by hooks.
            has_begun.set(true);
            let (id, bundle) = (&self.id, &self.bundle.path);
            self.plan.state(id, bundle, Status::Creating, pid)
        };
        let restore = |birth| {
            let order = rebirth::Order {
                birth,
                images,
                criu,
            };
            rebirth::restore(&order, options, state, |begun| {
                self.draft(&container, begun)
            })
        };
        let made = self
            .order(&container, console)
            .and_then(restore)
            .and_then(|reborn| match self.finish(&container, &reborn.child) {
                Ok(()) => Ok(reborn),
                Err(error) => {
                    reborn.undo();
                    Err(error)
                }
            });
        if made.is_err() {
            // The id is ours, so nobody else has anything in there.
            let _ = container.remove();
            if has_begun.get() {
                self.clean_up(global);
            }
        }
        made.map(|reborn| (container, reborn))
    }
}

fn describe(arguments: &Arguments, options: &mut Message) {
    options
        .truth(field::TCP_CLOSE, arguments.is_on("tcp-close"))
        .truth(field::LAZY_PAGES, arguments.is_on("lazy-pages"));
    if let Some(profile) = arguments.value("lsm-profile") {
        options.text(field::LSM_PROFILE, profile);
    }
}

//! Another process inside a living container.
//!
//! ```text
//!    exec (parent)                               child
//!    1  clone, into the cgroup ─────────────▶    2  join all namespaces through the init's pidfd
//!    3  cgroups, limits        ── Go ───────▶    4  session, terminal, identity, program
//!       start                  ◀─ Ready ─────    .
//!                              ── Start ────▶    5  filter, execve
//! ```
//!
//! The namespaces are joined through the pidfd of the container's first process, whose identity was
//! checked, so that no reuse of its number can lead elsewhere. This process cannot be traced or read
//! from inside before its execve: it gave up being dumpable before it joined (CVE-2016-9962), and holds
//! on to that when it becomes the root of the container's user namespace. Only a capability to trace
//! in the host's own user namespace reaches it, which the kernel lets nobody take back.

use super::birth::leave;
use super::cgroup::cgroup_error;
use super::console::{self, Console};
use super::handshake::{Channel, Said};
use super::last_steps;
use super::process_attributes as attributes;
use super::program::Program;
use super::record::Record;
use super::resctrl::Class;
use super::rootfs::Rootfs;
use super::two_clones;
use super::undo::Undo;
use crate::error::{At, Error, Result};
use crate::plan::Plan;
use crate::plan::namespaces::Kind;
use dhow_sys::process::{Child, Cloned};
use dhow_sys::procfs::Procfs;
use dhow_sys::{fd, keyring, namespace, process};
use std::convert::Infallible;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// What shall run, and where.
#[derive(Debug)]
pub struct Order<'a> {
    /// The container.
    pub record: &'a Record,
    /// Its plan, with the new process in the place of the first.
    pub plan: &'a Plan,
    /// The container's class of service.
    pub class: Option<&'a Class>,
    /// Where the terminal's controlling side goes.
    pub console: Option<OwnedFd>,
    /// How many descriptors from 3 on the program inherits.
    pub preserve: u32,
}

/// The parent: brings the process up to the point before its execve.
///
/// # Errors
/// The step that failed; the process is gone again.
pub fn join(order: &Order<'_>) -> Result<(Child, Channel)> {
    let procfs = Procfs::open().at("open procfs")?;
    let init = process::open(order.record.pid).at("hold the container's process")?;
    if order.record.process()?.is_none() {
        let id = order.record.id.clone();
        return Err(Error::State {
            id,
            verb: "exec in",
            status: "stopped",
        });
    }
    let group = order.record.cgroup.as_ref();
    let target = group
        .map_or(Ok(None), dhow_cgroup::Group::clone_target)
        .map_err(cgroup_error)?;
    let (parent_end, child_end) = Channel::pair().at("make the handshake's channel")?;
    let joining = Joining {
        order,
        procfs: &procfs,
        init: init.as_fd(),
    };
    let Some(child) = joining.clone(target.as_ref().map(AsFd::as_fd), &parent_end, &child_end)?
    else {
        drop(parent_end);
        leave(child_end, |channel| joining.run(channel));
    };
    drop(child_end);
    let mut undo = Undo::default();
    undo.with(|| child.end());
    joining
        .attend(child.pid, target.is_some(), &parent_end)
        .map_err(|error| parent_end.cause(error))?;
    undo.forget();
    Ok((child, parent_end))
}

struct Joining<'a> {
    order: &'a Order<'a>,
    procfs: &'a Procfs,
    init: BorrowedFd<'a>,
}

impl Joining<'_> {
    /// Clones the process that will be in the container's pid namespace: `None` in the child. When the
    /// container has a user namespace only somebody inside it may enter the others, so a first
    /// process enters all and clones the second as its sibling.
    fn clone(
        &self,
        cgroup: Option<BorrowedFd<'_>>,
        parent: &Channel,
        child: &Channel,
    ) -> Result<Option<Child>> {
        let step = "clone the process";
        let record = self.order.record;
        if record.separates(Kind::User) {
            return two_clones::clone_inside(|| self.enter_unseen(), 0, cgroup, parent, child);
        }
        if record.separates(Kind::Pid) {
            // Counts for children only, and this one is the last. The way back is not open to everybody:
            // who is root of a user namespace only may not enter the host's.
            namespace::join(self.init, namespace::PID).at("join the pid namespace")?;
        }
        match two_clones::into(0, cgroup).at(step)? {
            Cloned::Child => Ok(None),
            Cloned::Parent(child) => Ok(Some(child)),
        }
    }

    /// The parent's part: what only it may do for the process, up to the point before its execve.
    fn attend(&self, pid: u32, in_cgroup: bool, channel: &Channel) -> Result<()> {
        let (record, wanted) = (self.order.record, &self.order.plan.process);
        if let Some(group) = record.cgroup.as_ref() {
            group.add_unified(pid, in_cgroup).map_err(cgroup_error)?;
        }
        self.order.class.map_or(Ok(()), |class| class.add(pid))?;
        attributes::resource_limits(wanted, Some(pid))?;
        if !record.separates(Kind::User) {
            attributes::oom_adjustment(wanted, self.procfs, Some(pid))?;
        }
        channel.go().at("let the process go on")?;
        let ready = channel.expect(|said| matches!(said, Said::Ready), "prepare the program");
        ready.map(drop)
    }

    /// The kinds of namespaces that are not ours.
    fn flags(&self) -> u64 {
        Kind::ALL
            .iter()
            .filter(|kind| self.order.record.separates(**kind))
            .map(|kind| kind.flag())
            .sum()
    }

    fn enter_cgroup(&self) -> Result<()> {
        let group = self.order.record.cgroup.as_ref();
        group
            .map_or(Ok(()), dhow_cgroup::Group::enter)
            .map_err(cgroup_error)
    }

    fn enter(&self, flags: u64) -> Result<()> {
        if flags == 0 {
            return Ok(());
        }
        namespace::join(self.init, flags).at("join the container's namespaces")
    }

    /// Enters the container's user namespace and all others. Whoever is in there already may trace
    /// what is dumpable, so this process and the one that it clones are not. An adjustment is
    /// inherited, and written while this is still ours to write.
    fn enter_unseen(&self) -> Result<()> {
        self.enter_cgroup()?;
        attributes::oom_adjustment(&self.order.plan.process, self.procfs, None)?;
        process::set_undumpable().at("protect the process")?;
        self.enter(self.flags())
    }

    fn run(&self, channel: Channel) -> (Channel, Result<Infallible>) {
        let program = match self.prepare(&channel) {
            Ok(program) => program,
            Err(error) => return (channel, Err(error)),
        };
        let ready =
            fd::close_all_but(3 + self.order.preserve, &[channel.as_fd()]).at("close descriptors");
        if let Err(error) = ready.and_then(|()| channel.ready().at("report to the runtime")) {
            return (channel, Err(error));
        }
        if let Err(error) = channel.await_start().at("wait for the runtime") {
            return (channel, Err(error));
        }
        let filter = self.order.plan.seccomp.as_ref();
        let failed = last_steps::execute(&program, filter, self.order.preserve, &channel);
        (channel, failed)
    }

    fn prepare(&self, channel: &Channel) -> Result<Program> {
        let plan = self.order.plan;
        if !self.order.record.separates(Kind::User) {
            self.enter_cgroup()?;
        }
        if !channel.await_word().at("wait for the runtime")? {
            process::exit(1);
        }
        if self.order.record.separates(Kind::User) {
            attributes::become_unseen_namespace_root()?;
        } else {
            // The host's root already is; a nested one needed its limits first.
            process::set_undumpable().at("protect the process")?;
            self.enter(self.flags() & !namespace::PID)?;
        }
        console::new_session()?;
        attributes::optional_keyring(keyring::join_new_session(&format!(
            "_ses.{}",
            self.order.record.id
        )))?;
        let root = Rootfs::inside()?;
        let terminal = match &self.order.console {
            Some(receiver) => Some(Console::open(
                root.as_fd(),
                plan.process.console_size,
                receiver.as_fd(),
            )?),
            None => None,
        };
        attributes::affinity(&plan.process)?;
        last_steps::become_process(plan, &root, self.procfs, terminal.as_ref())
    }
}

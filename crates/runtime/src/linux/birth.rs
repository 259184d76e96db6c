//! A container's birth, parent and child, top to bottom.
//!
//! ```text
//!    create (parent)                             init (child)
//!    1  sources, cgroup, channel
//!    2  clone, into the cgroup ─────────────▶    3  enter the v1 cgroups; wait, if there is a 4
//!   (4) id maps, systemd      ── Go ────────▶    5  namespaces
//!       draft of state.json                      6  root, mounts, devices
//!   (7) prestart,             ◀─ Prepared ───    .
//!       createRuntime hooks   ── Go ────────▶    8  createContainer hooks
//!                                                9  pivot, console, masks
//!                                               10  identity, program
//!   11  state.json: created   ◀─ Ready ──────   12  wait at the gate
//!    start: opens the gate    ─────────────▶    13  startContainer hooks, filter, execve
//! ```
//!
//! What stands in parentheses, with its messages, is left out where the plan has nothing for the parent
//! to do: then nobody waits for anybody until the gate.
//!
//! The order of `init` is a security property; each line says why it stands where it does.

use super::cgroup::{cgroup_error, give_cgroup, plan_cgroup};
use super::console::{self, Console};
use super::gate::Gate;
use super::handshake::{Channel, Said};
use super::last_steps::become_process;
use super::mounts::{self, Context, Sources};
use super::namespaces::{self, Opened};
use super::net_devices::Given;
use super::order::{Begun, Born, Order};
use super::parents_part::{ParentsPart, writes_procfs};
use super::platform::is_host_root;
use super::process_attributes as attributes;
use super::program::Program;
use super::resctrl::{self, Class};
use super::rootfs::{self, Entry, HostRoot, Rootfs};
use super::undo::Undo;
use super::{devices, idmap, idmap_mount, last_steps, masks, two_clones};
use crate::error::{At, Result};
use crate::plan::mounts::Propagation;
use crate::plan::namespaces::Kind;
use crate::spec::State;
use crate::{hooks, state::Status};
use dhow_sys::process::{Child, Cloned};
use dhow_sys::procfs::Procfs;
use dhow_sys::{fd, keyring, mount, namespace, netdevice, process, signal};
use std::convert::Infallible;
use std::os::fd::{AsFd, OwnedFd};

/// The parent: makes everything up to the gate, or nothing. `meanwhile` is done while the child works.
///
/// # Errors
/// The step that failed, here or in the child; whatever was made is gone again.
pub fn create(
    order: &Order<'_>,
    gate: Gate,
    meanwhile: impl FnOnce(&Begun<'_>) -> Result<()>,
) -> Result<Born> {
    // Everything of the host is opened first: a mistake in the bundle then shows before there is a
    // process, and the child never resolves a host path after it has seen the image.
    // What is written through it must not be taken by something that is mounted over the host's.
    let private = writes_procfs(order.plan)
        .then(|| Procfs::open().at("open procfs"))
        .transpose()?;
    let procfs = match &private {
        Some(private) => private,
        None => Procfs::host().at("open procfs")?,
    };
    let host_root = HostRoot::open(&order.bundle.path, &order.plan.root)?;
    let opened = Opened::new(&order.plan.namespaces)?;
    opened.spare_the_host(order.plan, procfs)?;
    // Only who has privileges over the host's mounts can copy them for another user namespace; who
    // has none leaves it to the child, which is root in its own.
    let copied = order.mounts.then(|| copy(order, &host_root)).transpose()?;
    let hierarchies = dhow_cgroup::Host::detect().map_err(cgroup_error)?;
    let cgroup = plan_cgroup(order, &hierarchies)?;
    let mut undo = Undo::default();
    // The names go to the intent log before the directories are made.
    order.container.intend(&cgroup)?;
    undo.with(|| drop(cgroup.remove()));
    cgroup.create(&order.plan.resources).map_err(cgroup_error)?;
    give_cgroup(order, &cgroup)?;
    let class = resctrl::make(order.plan.intel_rdt.as_ref(), order.container)?;
    let made = class.clone();
    undo.with(move || made.iter().for_each(Class::undo));
    let target = cgroup.clone_target().map_err(cgroup_error)?;
    let (parent_end, child_end) = Channel::pair().at("make the handshake's channel")?;

    let inherited = Inherited {
        order,
        procfs,
        parent: ParentsPart::of(order.plan, target.is_some()),
        opened: &opened,
        host_root: &host_root,
        cgroup: &cgroup,
        class: class.as_ref(),
        hierarchies: &hierarchies,
    };
    let Some(child) = clone(&inherited, target.as_ref(), &parent_end, &child_end)? else {
        // From here on this is the child. It leaves by execve, or here.
        drop(parent_end);
        leave(child_end, |channel| inherited.init(copied, gate, channel));
    };
    drop((child_end, gate));
    let mut birth = Undo::default();
    birth.with(|| child.end());
    let sources = copied.as_ref().map(|(_, sources)| sources);
    let devices = inherited
        .attend(child.pid, sources, &parent_end, meanwhile)
        .map_err(|error| parent_end.cause(error))?;
    birth.forget();
    undo.forget();
    Ok(Born {
        child,
        channel: parent_end,
        cgroup,
        devices,
    })
}

fn copy(order: &Order<'_>, root: &HostRoot) -> Result<(OwnedFd, Sources)> {
    let tree =
        mount::copy_tree_at(root.directory.as_fd(), true).at("copy the root filesystem's mount")?;
    Ok((tree, Sources::open(&order.plan.mounts, &order.bundle.path)?))
}

/// Clones the container's process: `None` in the child. One clone; two only to enter somebody else's user
/// namespace first, because the new namespaces shall belong to that one, or their pid namespace.
fn clone(
    inherited: &Inherited<'_>,
    cgroup: Option<&OwnedFd>,
    parent: &Channel,
    child: &Channel,
) -> Result<Option<Child>> {
    let flags = namespaces::at_clone(&inherited.order.plan.namespaces);
    let step = "clone the container's process";
    let into = cgroup.map(AsFd::as_fd);
    if let Some(user) = inherited.opened.of(Kind::User) {
        let enter = || {
            inherited.cgroup.enter().map_err(cgroup_error)?;
            namespace::join(user.as_fd(), namespace::USER).at("join the user namespace")?;
            match inherited.opened.of(Kind::Pid) {
                Some(pid) => {
                    namespace::join(pid.as_fd(), namespace::PID).at("join the pid namespace")
                }
                None => Ok(()),
            }
        };
        return two_clones::clone_inside(enter, flags, into, parent, child);
    }
    if let Some(pid) = inherited.opened.of(Kind::Pid) {
        // It counts for children, and ours are the hooks too. Not everybody who joins one may return.
        let enter = || namespace::join(pid.as_fd(), namespace::PID).at("join the pid namespace");
        return two_clones::clone_inside(enter, flags, into, parent, child);
    }
    match process::clone(flags, into).at(step)? {
        Cloned::Child => Ok(None),
        Cloned::Parent(child) => Ok(Some(child)),
    }
}

/// Runs the child's part and leaves; never returns to the parent's frames.
pub fn leave(channel: Channel, part: impl FnOnce(Channel) -> (Channel, Result<Infallible>)) -> ! {
    let (channel, Err(error)) = part(channel);
    channel.failed(&error);
    process::exit(1)
}

/// What the child has from its parent.
struct Inherited<'a> {
    order: &'a Order<'a>,
    procfs: &'a Procfs,
    parent: ParentsPart,
    opened: &'a Opened,
    host_root: &'a HostRoot,
    cgroup: &'a dhow_cgroup::Group,
    class: Option<&'a Class>,
    hierarchies: &'a dhow_cgroup::Host,
}

impl Inherited<'_> {
    /// The parent's part of the handshake: what only it may do for the child, up to the gate.
    fn attend(
        &self,
        pid: u32,
        sources: Option<&Sources>,
        channel: &Channel,
        meanwhile: impl FnOnce(&Begun<'_>) -> Result<()>,
    ) -> Result<Given> {
        let mut devices = Given::default();
        if self.parent.before {
            self.admit(pid, sources)?;
            channel.go().at("let the container's process go on")?;
        }
        meanwhile(&Begun {
            pid,
            cgroup: self.cgroup,
            rootfs: &self.host_root.path,
        })?;
        if self.parent.between {
            channel.expect(
                |said| matches!(said, Said::Prepared),
                "make the container's environment",
            )?;
            devices = self.accompany(pid)?;
            channel.go().at("let the container's process go on")?;
        }
        channel.expect(
            |said| matches!(said, Said::Ready),
            "prepare the container's program",
        )?;
        Ok(devices)
    }

    /// Step 4: the child's ids and its cgroup.
    fn admit(&self, pid: u32, sources: Option<&Sources>) -> Result<()> {
        let plan = self.order.plan;
        if plan.namespaces.makes(Kind::User) {
            let privileged = self.order.privileged;
            idmap::write(
                self.procfs,
                pid,
                &plan.uid_mappings,
                &plan.gid_mappings,
                privileged,
            )?;
        }
        if let Some(sources) = sources {
            idmap_mount::map_all(plan, sources, self.procfs, pid)?;
        }
        self.class.map_or(Ok(()), |class| class.add(pid))?;
        self.cgroup
            .add_unified(pid, self.parent.in_cgroup)
            .map_err(cgroup_error)?;
        if self.parent.in_cgroup {
            return Ok(());
        }
        // A scope of systemd's exists only now.
        give_cgroup(self.order, self.cgroup)
    }

    /// Step 7, while the mounts are made and the host is still visible to the child.
    fn accompany(&self, pid: u32) -> Result<Given> {
        let plan = self.order.plan;
        // With our privileges, which a user namespace has taken from the child.
        attributes::limits(&plan.process, self.procfs, Some(pid))?;
        // Before the hooks and the kernel parameters, which may be about them.
        let devices = Given::to(&plan.net_devices, self.procfs, pid)?;
        let state = || self.order.state(Status::Creating, pid);
        hooks::run("prestart", &plan.hooks.prestart, state)?;
        hooks::run("createRuntime", &plan.hooks.create_runtime, state)?;
        Ok(devices)
    }

    /// The child: from the clone to the execve. Comes back only with an error, and with the channel
    /// on which to report it.
    fn init(
        &self,
        copied: Option<(OwnedFd, Sources)>,
        gate: Gate,
        channel: Channel,
    ) -> (Channel, Result<Infallible>) {
        let program = match self.prepare(copied, &channel) {
            Ok(program) => program,
            Err(error) => return (channel, Err(error)),
        };
        // What waits at the gate holds its standard streams and the gate, nothing of the host.
        let first = 3 + self.order.preserve;
        let kept = match &gate {
            Gate::Socket(socket) => vec![channel.as_fd(), socket.as_fd()],
            Gate::Parent => vec![channel.as_fd()],
        };
        let ready = fd::close_all_but(first, &kept).at("close descriptors");
        if let Err(error) = ready.and_then(|()| channel.ready().at("report to the runtime")) {
            return (channel, Err(error));
        }
        let (channel, opened) = gate.wait(channel);
        if let Err(error) = opened {
            return (channel, Err(error));
        }
        let failed = self.execute(&program, &channel);
        (channel, failed)
    }

    /// Steps 3 to 10: everything that may fail with the parent listening.
    fn prepare(&self, copied: Option<(OwnedFd, Sources)>, channel: &Channel) -> Result<Program> {
        let plan = self.order.plan;
        if !plan.namespaces.joins(Kind::User) {
            self.cgroup.enter().map_err(cgroup_error)?;
        }
        if self.parent.before && !channel.await_word().at("wait for the runtime")? {
            process::exit(1);
        }
        // Modes of nodes and directories are what the plan says; the program's own mask comes last.
        process::set_umask(0);
        // Ids of the new namespace exist only now that they are mapped; files made from here on
        // belong to its root.
        if plan.namespaces.separates(Kind::User) {
            attributes::become_namespace_root()?;
        }
        console::new_session()?;
        if self.order.keyring {
            // Before anything of the container could ask for keys: they are the caller's otherwise.
            attributes::optional_keyring(keyring::join_new_session(&format!(
                "_ses.{}",
                self.order.container.id
            )))?;
        }
        self.opened.join()?;
        // After the parent has put us into the cgroup: the namespace's root is where we are.
        if plan.namespaces.makes(Kind::Cgroup) {
            namespace::unshare(namespace::CGROUP).at("make a cgroup namespace")?;
        }
        if plan.namespaces.makes(Kind::Network) {
            // As runc does: programs expect to reach themselves even where there is no network.
            netdevice::bring_up_loopback().at("bring the loopback interface up")?;
        }
        if plan.namespaces.makes(Kind::Time) {
            attributes::time_namespace(&plan.time_offsets, self.procfs)?;
        }
        // The device that will hide files is opened while the host's /dev is what is visible.
        let null = if plan.masked_paths.is_empty() {
            None
        } else {
            Some(masks::null_device()?)
        };
        let mut root = self.build(copied)?;
        if self.parent.between {
            channel.prepared().at("report to the runtime")?;
            if !channel.await_word().at("wait for the runtime's hooks")? {
                process::exit(1);
            }
        } else {
            // Not earlier: they are for the program, and some could keep us from mounting.
            attributes::limits(&plan.process, self.procfs, None)?;
        }
        // The host's tree is still visible, so that the hook's program is found where its path says.
        hooks::run("createContainer", &plan.hooks.create_container, || {
            self.own_state(Status::Creating)
        })?;
        self.enter(&mut root)?;
        // After the pivot: the terminal must be one of the container's devpts.
        let terminal = self.terminal(&root)?;
        attributes::kernel_parameters(&plan.sysctl, self.procfs)?;
        attributes::names(plan)?;
        if let Some(null) = null {
            masks::mask(&root, &plan.masked_paths, null)?;
        }
        masks::make_readonly(&root, &plan.readonly_paths)?;
        if plan.root.readonly {
            attributes::readonly_root(&root)?;
        }
        if plan.root.propagation != (Propagation::Private, true) {
            rootfs::set_propagation(root.as_fd(), plan.root.propagation)?;
        }
        become_process(plan, &root, self.procfs, terminal.as_ref())
    }

    /// Steps 5 and 6: the root with everything in it, still invisible to the rest of the host.
    fn build(&self, copied: Option<(OwnedFd, Sources)>) -> Result<Rootfs> {
        let plan = self.order.plan;
        if !plan.namespaces.makes(Kind::Mount) {
            return Rootfs::borrow(self.host_root);
        }
        // Copies are made before this namespace is cut off, so that what shall stay shared is.
        let (tree, sources) = match copied {
            Some((tree, sources)) => (Some(tree), sources),
            None => (None, Sources::open(&plan.mounts, &self.order.bundle.path)?),
        };
        // Before the first mount: nothing that is mounted here may appear on the host.
        mount::change_all(mount::Propagation::Slave).at("cut the mounts off from the host's")?;
        let mut root = Rootfs::mount(self.host_root, tree)?;
        let context = Context {
            shared_sys: plan.namespaces.separates(Kind::User) || !is_host_root(),
            cgroup: Some(self.cgroup),
            hierarchies: Some(self.hierarchies),
            cgroup_namespace: plan.namespaces.separates(Kind::Cgroup),
        };
        mounts::make(&mut root, &plan.mounts, sources, &context)?;
        if plan.fill_dev {
            devices::fill(&root, &plan.devices)?;
        }
        Ok(root)
    }

    fn enter(&self, root: &mut Rootfs) -> Result<()> {
        let own = self.order.plan.namespaces.makes(Kind::Mount);
        root.enter(if own {
            self.order.entry
        } else {
            Entry::ChangeRoot
        })
    }

    fn terminal(&self, root: &Rootfs) -> Result<Option<Console>> {
        let Some(receiver) = &self.order.console else {
            return Ok(None);
        };
        let process = &self.order.plan.process;
        let console = Console::open(root.as_fd(), process.console_size, receiver.as_fd())?;
        console.bind(root)?;
        Ok(Some(console))
    }

    /// Step 13: what `start` set going.
    fn execute(&self, program: &Program, channel: &Channel) -> Result<Infallible> {
        let plan = self.order.plan;
        hooks::run("startContainer", &plan.hooks.start_container, || {
            self.own_state(Status::Created)
        })?;
        if !plan.hooks.start_container.is_empty() {
            // Starting another program blocks all signals for a moment, and libc does not look whether it could
            // take that back.
            signal::block(0).at("reset the signals")?;
        }
        last_steps::execute(program, plan.seccomp.as_ref(), self.order.preserve, channel)
    }

    /// The state as hooks inside the container are told.
    fn own_state(&self, status: Status) -> State {
        self.order.state(status, std::process::id())
    }
}

//! A container's second birth: from the images of a checkpoint, by CRIU, top to bottom.
//!
//! ```text
//!    restore (parent)                            criu
//!    1  cgroup, channel
//!    2  clone, into the cgroup ─────────────▶    3  enter the v1 cgroups; wait
//!    4  systemd                ── Go ────────▶   5  cgroup namespace, root, execute criu
//!    6  the options            ──────────────▶      namespaces
//!    7  prestart,              ◀─ setup-namespaces
//!       createRuntime hooks    ──────────────▶      mounts, memory, descriptors
//!    8  draft of state.json    ◀─ post-restore
//!                              ──────────────▶      the processes run
//!    9  state.json: running    ◀─ done
//! ```
//!
//! CRIU makes the namespaces, the mounts and the processes; what is around them, the cgroup with its
//! limits, the root and the host's trees that were mounted, is the bundle's word again.

use super::cgroup::{cgroup_error, plan_cgroup};
use super::criu::external::{self, External};
use super::criu::images::Images;
use super::criu::wire::Message;
use super::criu::{Criu, Request, Word, complaints};
use super::handshake::Channel;
use super::mounts::{self, Context, Sources};
use super::namespaces::Opened;
use super::order::{self, Begun};
use super::resctrl::{self, Class};
use super::rootfs::{HostRoot, Rootfs};
use super::undo::Undo;
use crate::error::{At, Error, Result};
use crate::hooks;
use crate::plan::Plan;
use crate::plan::namespaces::Kind;
use crate::spec::State;
use dhow_cgroup::Group;
use dhow_sys::process::{self, Child};
use dhow_sys::{fd, mount, namespace, path, socket};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

/// Where CRIU's log of a restore is.
pub const LOG: &str = "restore.log";

/// What shall live again, and how.
#[derive(Debug)]
pub struct Order<'a> {
    /// What the bundle says, with the reserved id and the driver, as for a first birth.
    pub birth: order::Order<'a>,
    /// The images.
    pub images: &'a Images,
    /// The CRIU to use.
    pub criu: &'a Path,
}

/// Field numbers of `criu_opts`, and of the messages in it.
mod field {
    pub(super) const ROOT: u64 = 13;
    pub(super) const EXTERNAL_MOUNT: u64 = 23;
    pub(super) const RESTORE_SIBLING: u64 = 26;
    pub(super) const INHERITED: u64 = 27;
    pub(super) const KEY: u64 = 1;
    pub(super) const VALUE: u64 = 2;
}

/// A container that lives again.
#[derive(Debug)]
pub struct Reborn {
    /// Its first process, a child of this one.
    pub child: Child,
    /// Its cgroup.
    pub cgroup: Group,
}

impl Reborn {
    /// Takes everything back.
    pub fn undo(self) {
        self.child.end();
        let _ = self.cgroup.kill();
        let _ = self.cgroup.remove();
    }
}

/// Restores a container, or nothing. `draft` is done when its first process is there and does not run
/// yet.
///
/// # Errors
/// The step that failed; [`Error::Criu`]. Whatever was made is gone again.
pub fn restore(
    order: &Order<'_>,
    mut options: Message,
    state: impl Fn(u32) -> State,
    draft: impl FnOnce(&Begun<'_>) -> Result<()>,
) -> Result<Reborn> {
    let plan = order.birth.plan;
    let external = order.images.page()?.external;
    let host_root = HostRoot::open(&order.birth.bundle.path, &plan.root)?;
    let opened = Opened::new(&plan.namespaces)?;
    let hierarchies = dhow_cgroup::Host::detect().map_err(cgroup_error)?;
    let cgroup = plan_cgroup(&order.birth, &hierarchies)?;
    let mut undo = Undo::default();
    // The names go to the intent log before the directories are made.
    order.birth.container.intend(&cgroup)?;
    undo.with(|| drop(cgroup.remove()));
    cgroup.create(&plan.resources).map_err(cgroup_error)?;
    let class = resctrl::make(plan.intel_rdt.as_ref(), order.birth.container)?;
    let made = class.clone();
    undo.with(move || made.iter().for_each(Class::undo));
    let target = cgroup.clone_target().map_err(cgroup_error)?;
    describe(
        order,
        &external,
        &opened,
        &groups(&cgroup, &hierarchies),
        &mut options,
    )?;

    let stage = Stage {
        order,
        opened: &opened,
        host_root: &host_root,
        cgroup: &cgroup,
    };
    let criu = Criu::start(
        order.criu,
        namespace::MOUNT,
        target.as_ref().map(AsFd::as_fd),
        |channel| stage.set(channel),
        |pid, channel| {
            let joined = cgroup.add_unified(pid, target.is_some());
            joined.map_err(cgroup_error)?;
            class.as_ref().map_or(Ok(()), |class| class.add(pid))?;
            channel.go().at("let criu go on")
        },
    )?;
    let work = Work {
        order,
        cgroup: &cgroup,
        host_root: &host_root,
    };
    let child = work.attend(criu, &options, state, draft)?;
    undo.forget();
    Ok(Reborn { child, cgroup })
}

/// The mount point of each hierarchy, with the container's directory in it.
fn groups(cgroup: &Group, hierarchies: &dhow_cgroup::Host) -> Vec<(PathBuf, PathBuf)> {
    let mounted = |directory: &Path| {
        let mounts = hierarchies.mounts().map(|(mounted, _, _)| mounted);
        let deepest = mounts
            .filter(|mounted| directory.starts_with(mounted))
            .max_by_key(|mounted| mounted.as_os_str().len());
        deepest.map(|mounted| (mounted.to_owned(), directory.to_owned()))
    };
    cgroup.directories().filter_map(mounted).collect()
}

/// The options that only a restore has.
fn describe(
    order: &Order<'_>,
    outside: &External,
    opened: &Opened,
    groups: &[(PathBuf, PathBuf)],
    options: &mut Message,
) -> Result<()> {
    let (plan, bundle) = (order.birth.plan, &order.birth.bundle.path);
    options
        .text(field::ROOT, &order.birth.container.path.to_string_lossy())
        .truth(field::RESTORE_SIBLING, true);
    for mount in external::sources(outside, plan, bundle, groups)? {
        if std::fs::symlink_metadata(&mount.source).is_err() {
            let (point, source) = (mount.point, mount.source.display());
            return Err(Error::Unsupported(format!(
                "cannot restore: {source}, which was mounted at {point}, is not there any more"
            )));
        }
        let mut entry = Message::default();
        entry
            .text(field::KEY, &mount.point)
            .text(field::VALUE, &mount.source.to_string_lossy());
        options.message(field::EXTERNAL_MOUNT, &entry);
    }
    let mut inherit = |key: &str, number: i32| {
        let mut entry = Message::default();
        entry
            .text(field::KEY, key)
            .number(field::VALUE, u64::try_from(number).unwrap_or_default());
        options.message(field::INHERITED, &entry);
    };
    // The standard streams are those of this call; CRIU has them under the same numbers.
    for (number, key) in (0..).zip(&outside.streams) {
        if let Some(key) = key {
            inherit(key, number);
        }
    }
    for (kind, _) in &outside.namespaces {
        let namespace = [Kind::Network, Kind::Pid]
            .into_iter()
            .find(|known| known.file() == kind)
            .and_then(|known| opened.of(known));
        let Some(namespace) = namespace else {
            return Err(Error::Unsupported(format!(
                "cannot restore: the container had joined a {kind} namespace; name one in linux.namespaces"
            )));
        };
        fd::set_cloexec(namespace.as_fd(), false).at("hand a namespace to criu")?;
        inherit(&external::joined(kind), namespace.as_raw_fd());
    }
    Ok(())
}

/// What is prepared in CRIU's process before it is executed.
struct Stage<'a> {
    order: &'a Order<'a>,
    opened: &'a Opened,
    host_root: &'a HostRoot,
    cgroup: &'a Group,
}

impl Stage<'_> {
    fn set(&self, channel: &Channel) -> Result<()> {
        let plan = self.order.birth.plan;
        self.cgroup.enter().map_err(cgroup_error)?;
        if !channel.await_word().at("wait for the runtime")? {
            process::exit(1);
        }
        // What CRIU restores is born here: in the cgroup, which is the namespace's root.
        if let Some(joined) = self.opened.of(Kind::Cgroup) {
            namespace::join(joined.as_fd(), namespace::CGROUP).at("join the cgroup namespace")?;
        } else if plan.namespaces.makes(Kind::Cgroup) {
            namespace::unshare(namespace::CGROUP).at("make a cgroup namespace")?;
        }
        mount::change_all(mount::Propagation::Slave).at("cut the mounts off from the host's")?;
        self.root()
    }

    /// CRIU wants the root as a mount. It is attached over the container's state directory, which in this
    /// mount namespace nobody needs.
    fn root(&self) -> Result<()> {
        let (plan, bundle) = (self.order.birth.plan, self.order.birth.bundle);
        let sources = Sources::open(&plan.mounts, &bundle.path)?;
        let step = "open the state directory";
        let point = path::open_host_directory(&self.order.birth.container.path).at(step)?;
        let mut root = Rootfs::mount_at(self.host_root, point.as_fd())?;
        let own = plan
            .mounts
            .iter()
            .take_while(|mount| mount.destination.trim_end_matches('/').is_empty());
        let own = own.count();
        let context = Context {
            cgroup: None,
            hierarchies: None,
            shared_sys: false,
            cgroup_namespace: false,
        };
        mounts::make(&mut root, &plan.mounts[..own], sources, &context)?;
        mounts::points(&root, &plan.mounts[own..], &bundle.path)
    }
}

/// What goes on between this process and CRIU.
struct Work<'a> {
    order: &'a Order<'a>,
    cgroup: &'a Group,
    host_root: &'a HostRoot,
}

impl Work<'_> {
    fn attend(
        &self,
        criu: Criu,
        options: &Message,
        state: impl Fn(u32) -> State,
        draft: impl FnOnce(&Begun<'_>) -> Result<()>,
    ) -> Result<Child> {
        criu.ask(Request::Restore, options)?;
        let mut draft = Some(draft);
        let mut born = None;
        let done = loop {
            match criu.hear() {
                Ok(Word::Stage {
                    name,
                    pid,
                    terminal,
                }) => {
                    let worked = self.stage(&name, pid, terminal, &state, &mut draft, &mut born);
                    if let Err(error) = worked.and_then(|()| criu.go_on()) {
                        break Err(error);
                    }
                }
                Ok(Word::Done { pid }) => {
                    break born.take().ok_or_else(|| {
                        self.failed(format!(
                            "it restored process {pid:?} without having shown it"
                        ))
                    });
                }
                Ok(Word::Failed { reason }) => break Err(self.failed(reason)),
                Err(error) => break Err(error),
            }
        };
        if done.is_err() {
            // It may wait for a word, and the restored processes with it.
            criu.end();
            let _ = self.cgroup.kill();
        } else {
            criu.finish();
        }
        done
    }

    fn stage<D: FnOnce(&Begun<'_>) -> Result<()>>(
        &self,
        name: &str,
        pid: Option<u32>,
        terminal: Option<OwnedFd>,
        state: &impl Fn(u32) -> State,
        draft: &mut Option<D>,
        born: &mut Option<Child>,
    ) -> Result<()> {
        let plan: &Plan = self.order.birth.plan;
        match (name, pid) {
            ("setup-namespaces", Some(pid)) => {
                hooks::run("prestart", &plan.hooks.prestart, || state(pid))?;
                hooks::run("createRuntime", &plan.hooks.create_runtime, || state(pid))
            }
            ("post-restore", Some(pid)) => {
                let pidfd = process::open(pid).at("hold the container's process")?;
                *born = Some(Child { pid, pidfd });
                draft.take().map_or(Ok(()), |draft| {
                    draft(&Begun {
                        pid,
                        cgroup: self.cgroup,
                        rootfs: &self.host_root.path,
                    })
                })
            }
            ("orphan-pts-master", _) => {
                let Some((terminal, receiver)) = terminal.zip(self.order.birth.console.as_ref())
                else {
                    let reason =
                        "the container has a terminal: --console-socket says where it goes";
                    return Err(Error::Usage(reason.into()));
                };
                socket::send(receiver.as_fd(), b"/dev/ptmx", &[terminal.as_fd()])
                    .at("send the terminal to the console socket")
            }
            _ => Ok(()),
        }
    }

    fn failed(&self, reason: String) -> Error {
        let log = self.order.images.log(LOG);
        let told = complaints(&log).unwrap_or(reason);
        Error::Criu {
            step: "restore the container",
            reason: told,
            log,
        }
    }
}

//! What `main` needs of Linux.

use super::{lsm, privilege};
use crate::cli::Usage;
use crate::error::{At, Result};
use crate::plan::Host;
use crate::spec::Spec;
use crate::verbs::{self, Verb};
use dhow_sys::procfs::Procfs;
use dhow_sys::{exe, fd, id, namespace, path, process};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The verbs that need the kernel.
#[must_use]
pub fn verbs() -> &'static [Verb] {
    &[
        (&verbs::checkpoint::USAGE, verbs::checkpoint::run),
        (&verbs::create::USAGE, verbs::create::run),
        (&verbs::delete::USAGE, verbs::delete::run),
        (&verbs::events::USAGE, verbs::events::run),
        (&verbs::exec::USAGE, verbs::exec::run),
        (&verbs::features::USAGE, verbs::features::run),
        (&verbs::kill::USAGE, verbs::kill::run),
        (&verbs::list::USAGE, verbs::list::run),
        (&verbs::pause::USAGE, verbs::pause::run),
        (&verbs::ps::USAGE, verbs::ps::run),
        (&verbs::restore::USAGE, verbs::restore::run),
        (&verbs::resume::USAGE, verbs::resume::run),
        (&verbs::run::USAGE, verbs::run::run),
        (&verbs::start::USAGE, verbs::start::run),
        (&verbs::state::USAGE, verbs::state::run),
        (&verbs::update::USAGE, verbs::update::run),
    ]
}

/// The user who calls, asked once: what becomes another user later is a container's process.
#[must_use]
pub fn user() -> u32 {
    static USER: OnceLock<u32> = OnceLock::new();
    *USER.get_or_init(id::effective_user)
}

/// Where containers are remembered unless `--root` says otherwise.
#[must_use]
pub fn default_root() -> PathBuf {
    let user = user();
    // Root of a user namespace has no right to the host's /run: rootless engines call us as such.
    let own = std::env::var_os("XDG_RUNTIME_DIR").filter(|directory| !directory.is_empty());
    match own.filter(|_| !is_host_root()) {
        Some(directory) => PathBuf::from(directory).join("dhow"),
        None if user == 0 => PathBuf::from("/run/dhow"),
        None => std::env::temp_dir().join(format!("dhow-{user}")),
    }
}

/// What the plan of a document has to know of this host; what the document does not mention is not
/// looked up.
#[must_use]
pub fn host(spec: &Spec) -> Host {
    let process = spec.process.as_ref();
    let mount_label = spec
        .linux
        .as_ref()
        .and_then(|linux| linux.mount_label.as_ref());
    let profile = process.and_then(|process| process.apparmor_profile.as_ref());
    let label = process.and_then(|process| process.selinux_label.as_ref());
    Host {
        privileged: user() == 0,
        apparmor: profile.is_some() && lsm::apparmor_enabled(),
        selinux: (label.is_some() || mount_label.is_some()) && lsm::selinux_enabled(),
        capabilities: match process.and_then(|process| process.capabilities.as_ref()) {
            Some(_) => privilege::own().map_or(u64::MAX, |sets| sets.permitted),
            None => u64::MAX,
        },
        architecture: std::env::consts::ARCH,
    }
}

/// The absolute path of a directory, without links and dots; the kernel knows it.
///
/// # Errors
/// NotFound, or that the directory cannot be opened.
pub fn real_path(directory: &Path) -> std::io::Result<PathBuf> {
    let real =
        path::open_directory(directory).and_then(|opened| path::of_directory(opened.as_fd()));
    real.map_err(|error| std::io::Error::from_raw_os_error(error.code()))
}

/// Verbs after which a process of ours becomes one of a container.
const ENTERING: [&str; 3] = ["create", "exec", "run"];

/// Protects this process before a verb does anything: its binary from being written through a
/// container, its memory and descriptors from being read, and the container from descriptors that
/// the caller forgot to close.
///
/// # Errors
/// The call that failed; without protection no container is entered.
pub fn prepare(usage: &Usage) -> Result<()> {
    if !ENTERING.contains(&usage.verb) {
        return Ok(());
    }
    exe::protect().at("protect our own binary")?;
    // In a user namespace the files of such a process would belong to the host's root, and we could not
    // write our own: an ordinary user its id map, a nested root its child's limits. There a container,
    // which has fewer capabilities than this process, may not trace it in any case.
    if is_host_root() {
        process::set_undumpable().at("protect this process")?;
    }
    fd::cloexec_from(3).at("mark inherited descriptors")
}

/// Whether this process acts as the host's root user: not as an ordinary one, nor as the root of a
/// user namespace, whose ids are not all mapped to themselves.
#[must_use]
pub fn is_host_root() -> bool {
    // Asked before anything is entered, and the same for the whole life of this process.
    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| {
        if user() != 0 {
            return false;
        }
        if namespace::is_initial_user() {
            return true;
        }
        let map = Procfs::open_host()
            .and_then(|procfs| procfs.read_own("uid_map"))
            .unwrap_or_default();
        String::from_utf8_lossy(&map)
            .split_ascii_whitespace()
            .eq(["0", "0", "4294967295"])
    })
}

/// Hands a message to whoever listens at a socket of the host, if anybody does.
pub fn send_datagram(socket: &str, packet: &str) {
    if let Ok(sender) = std::os::unix::net::UnixDatagram::unbound() {
        // Not for ever: a listener that is behind must not hold a container.
        let _ = sender.set_write_timeout(Some(std::time::Duration::from_secs(1)));
        let _ = sender.send_to(packet.as_bytes(), socket);
    }
}

/// The caller's user and group id.
#[must_use]
pub fn ids() -> (u32, u32) {
    (id::effective_user(), id::effective_group())
}

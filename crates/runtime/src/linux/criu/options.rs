//! The options of `checkpoint` and `restore`, as flags and as CRIU's RPC has them.

use super::images::Images;
use super::wire::Message;
use crate::cli::{Arguments, Flag, Usage, switch, usage_error, value};
use crate::error::{At, Result};
use dhow_sys::fd;
use std::os::fd::{AsRawFd, OwnedFd};

/// Flags that both verbs have.
pub const SHARED: [Flag; 10] = [
    value(
        "image-path",
        None,
        "DIR",
        "the images [default: checkpoint]",
    ),
    value(
        "work-path",
        None,
        "DIR",
        "CRIU's log and other files [default: as --image-path]",
    ),
    switch("tcp-established", None, "keep open TCP connections"),
    switch(
        "ext-unix-sk",
        None,
        "let Unix sockets be connected with others outside",
    ),
    switch(
        "shell-job",
        None,
        "let the container belong to a shell's session",
    ),
    switch("file-locks", None, "keep file locks"),
    switch(
        "auto-dedup",
        None,
        "free pages in parent images that newer ones replace",
    ),
    value(
        "empty-ns",
        None,
        "network",
        "leave the network namespace empty",
    ),
    value(
        "manage-cgroups-mode",
        None,
        "MODE",
        "soft or ignore [default: soft]",
    ),
    value("criu", None, "PROGRAM", "the CRIU to use [default: criu]"),
];

/// Both verbs have it too, each at the end of its own.
pub const NETWORK_LOCK: Flag = value(
    "network-lock",
    None,
    "METHOD",
    "iptables, nftables or skip [default: what is installed]",
);

/// The flags of both verbs, then those of one.
#[must_use]
pub const fn joined<const OWN: usize, const ALL: usize>(own: [Flag; OWN]) -> [Flag; ALL] {
    let mut all = [NETWORK_LOCK; ALL];
    let mut index = 0;
    while index < SHARED.len() {
        all[index] = SHARED[index];
        index += 1;
    }
    while index < ALL {
        all[index] = own[index - SHARED.len()];
        index += 1;
    }
    all
}

/// Field numbers of `criu_opts` in CRIU's `rpc.proto`.
mod field {
    pub(super) const IMAGES_DIRECTORY: u64 = 1;
    pub(super) const EXTERNAL_UNIX_SOCKETS: u64 = 4;
    pub(super) const TCP_ESTABLISHED: u64 = 5;
    pub(super) const SHELL_JOB: u64 = 7;
    pub(super) const FILE_LOCKS: u64 = 8;
    pub(super) const LOG_LEVEL: u64 = 9;
    pub(super) const LOG_FILE: u64 = 10;
    pub(super) const NOTIFY_SCRIPTS: u64 = 12;
    pub(super) const AUTO_DEDUP: u64 = 16;
    pub(super) const WORK_DIRECTORY: u64 = 17;
    pub(super) const LINK_REMAP: u64 = 18;
    pub(super) const EXTERNAL_MASTERS: u64 = 30;
    pub(super) const MANAGE_CGROUPS_MODE: u64 = 34;
    pub(super) const EMPTY_NAMESPACES: u64 = 38;
    pub(super) const STATUS_DESCRIPTOR: u64 = 49;
    pub(super) const ORPHAN_TERMINAL: u64 = 50;
    pub(super) const NETWORK_LOCK: u64 = 64;
}

/// What CRIU's log holds: everything but its most detailed messages.
const VERBOSE: u64 = 4;
/// `criu_cg_mode`: the group and its limits are made from the bundle, not from the images.
const IGNORE: u64 = 0;

/// The options of both verbs.
///
/// # Errors
/// [`crate::error::Error::Usage`] naming a value that is not known; a status descriptor that is not open.
pub fn shared(usage: &Usage, arguments: &Arguments) -> Result<Message> {
    let mut options = Message::default();
    options
        .number(field::LOG_LEVEL, VERBOSE)
        .truth(field::NOTIFY_SCRIPTS, true)
        .truth(field::ORPHAN_TERMINAL, true)
        .truth(field::EXTERNAL_MASTERS, true);
    let switches = [
        ("tcp-established", field::TCP_ESTABLISHED),
        ("ext-unix-sk", field::EXTERNAL_UNIX_SOCKETS),
        ("shell-job", field::SHELL_JOB),
        ("file-locks", field::FILE_LOCKS),
        ("auto-dedup", field::AUTO_DEDUP),
        ("link-remap", field::LINK_REMAP),
    ];
    for (_, field) in switches.iter().filter(|(name, _)| arguments.is_on(name)) {
        options.truth(*field, true);
    }
    options.number(field::NETWORK_LOCK, network_lock(usage, arguments)?);
    match arguments.value("empty-ns") {
        None => {}
        Some("network") => {
            options.number(field::EMPTY_NAMESPACES, 0x4000_0000_u64);
        }
        Some(other) => {
            let reason = format!("--empty-ns: {other:?} is not known; network is");
            return Err(usage_error(usage, &reason));
        }
    }
    match arguments.value("manage-cgroups-mode").unwrap_or("soft") {
        "soft" | "ignore" => options.number(field::MANAGE_CGROUPS_MODE, IGNORE),
        other => {
            let reason = format!(
                "--manage-cgroups-mode: {other:?} is not supported; the cgroup is made from the bundle (soft, ignore)"
            );
            return Err(usage_error(usage, &reason));
        }
    };
    if let Some(status) = arguments.number("status-fd")? {
        let open = fd::inherited(i32::try_from(status).unwrap_or(-1)).at("use --status-fd")?;
        fd::forget(open);
        options.number(field::STATUS_DESCRIPTOR, status);
    }
    Ok(options)
}

/// Where the images are, and the log, of this name.
pub fn place(options: &mut Message, images: &Images, log: &str) {
    let number = |fd: &OwnedFd| u64::try_from(fd.as_raw_fd()).unwrap_or_default();
    options
        .number(field::IMAGES_DIRECTORY, number(&images.directory))
        .number(field::WORK_DIRECTORY, number(&images.work_directory))
        .text(field::LOG_FILE, log);
}

/// How the network is held still meanwhile (`criu_network_lock_method`). CRIU itself would insist on the
/// iptables programs, which many hosts have no longer.
fn network_lock(usage: &Usage, arguments: &Arguments) -> Result<u64> {
    match arguments.value("network-lock") {
        Some("iptables") => Ok(1),
        Some("nftables") => Ok(2),
        Some("skip") => Ok(3),
        Some(other) => {
            let reason = format!("--network-lock: {other:?} is none of iptables, nftables, skip");
            Err(usage_error(usage, &reason))
        }
        None if super::installed("iptables-restore").is_some() => Ok(1),
        None => Ok(2),
    }
}

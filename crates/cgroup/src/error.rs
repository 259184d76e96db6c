//! What can go wrong with control groups, by what we were doing.

use std::path::{Path, PathBuf};

/// What a caller may decide on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The group is not there.
    NotFound,
    /// Somebody else's processes are in the way.
    Conflict,
    /// The configuration asks for something impossible.
    InvalidInput,
    /// This user may not do it.
    Permission,
    /// This host cannot do it.
    Unsupported,
    /// The kernel, or systemd, refused.
    Kernel,
    /// Something broke that should not.
    Internal,
}

/// A failure of this crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Finding the hierarchies of this host.
    #[error("find the control group hierarchies of this host: {why}")]
    Detect {
        /// What was found instead.
        why: String,
        /// The call that failed.
        #[source]
        source: Option<dhow_sys::Error>,
    },
    /// A `linux.cgroupsPath` (or container id) that cannot name a group.
    #[error("linux.cgroupsPath {path:?}: {why}")]
    Path {
        /// The path as configured.
        path: String,
        /// Why it is refused.
        why: String,
    },
    /// A group below the container's that cannot be.
    #[error("the group {path:?} below the container's: {why}")]
    Inner {
        /// The path as given.
        path: String,
        /// Why it is refused.
        why: String,
    },
    /// A value that cannot be applied in this kind of hierarchy.
    #[error("linux.resources.{property}: {why}")]
    Value {
        /// JSON path below `linux.resources`.
        property: String,
        /// Why it is refused.
        why: String,
    },
    /// A limit that this host has no controller for.
    #[error("linux.resources.{property}: {why}")]
    Missing {
        /// JSON path below `linux.resources`.
        property: String,
        /// What is missing, and what would help.
        why: String,
    },
    /// A limit for which this user has no group.
    #[error(
        "linux.resources.{property}: this user may not create a control group in {path}; \
             limits without root need a delegated group (systemd: Delegate=yes, or the systemd driver)"
    )]
    NotDelegated {
        /// JSON path below `linux.resources`.
        property: String,
        /// Where the group would have been.
        path: PathBuf,
    },
    /// An annotation for systemd that is not accepted.
    #[error("annotation {name:?}: {why}")]
    Annotation {
        /// The annotation's name.
        name: String,
        /// Why it is refused.
        why: String,
    },
    /// Creating a group.
    #[error("create the control group {path}")]
    Create {
        /// Its directory.
        path: PathBuf,
        /// The call that failed.
        #[source]
        source: dhow_sys::Error,
    },
    /// Giving a group to a user.
    #[error("give the control group {path} to user {user}")]
    Give {
        /// The user, as the host numbers them.
        user: u32,
        /// Its directory.
        path: PathBuf,
        /// The call that failed.
        #[source]
        source: dhow_sys::Error,
    },
    /// The group exists and is in use.
    #[error(
        "create the control group {path}: it already holds {processes} processes; \
             end them or give the container another linux.cgroupsPath"
    )]
    Occupied {
        /// Its directory.
        path: PathBuf,
        /// How many processes are in it and below.
        processes: usize,
    },
    /// The group exists and is frozen.
    #[error(
        "create the control group {path}: it exists and is frozen, so a process in it would never run"
    )]
    AlreadyFrozen {
        /// Its directory.
        path: PathBuf,
    },
    /// Passing a controller on to the groups below.
    #[error("enable the controller {controller:?} below {path}{hint}")]
    Enable {
        /// The controller.
        controller: String,
        /// The group that should pass it on.
        path: PathBuf,
        /// What it probably means, or nothing.
        hint: &'static str,
        /// The call that failed.
        #[source]
        source: dhow_sys::Error,
    },
    /// Writing a limit.
    #[error("linux.resources.{property}: set {file} to {value:?}{hint}")]
    Set {
        /// JSON path below `linux.resources`.
        property: Box<str>,
        /// The control file.
        file: Box<Path>,
        /// What was written.
        value: Box<str>,
        /// What it probably means, or nothing.
        hint: &'static str,
        /// The call that failed.
        #[source]
        source: dhow_sys::Error,
    },
    /// A value was refused, and then an earlier one could not be put back.
    #[error("{}; and the values before could not all be put back: {}", whole(.error), whole(.second))]
    NotPutBack {
        /// Why the update failed.
        error: Box<Error>,
        /// Why it could not be taken back.
        second: Box<Error>,
    },
    /// A limit below what the group already uses, with `checkBeforeUpdate`.
    #[error(
        "linux.resources.memory.limit: {limit} bytes is below the present usage of {usage} bytes"
    )]
    BelowUsage {
        /// The new limit.
        limit: u64,
        /// Bytes in use.
        usage: u64,
    },
    /// Attaching the device program.
    #[error("linux.resources.devices: {doing} in {path}")]
    Devices {
        /// The step.
        doing: &'static str,
        /// The group.
        path: PathBuf,
        /// The call that failed.
        #[source]
        source: dhow_sys::Error,
    },
    /// Moving a process into the group.
    #[error("move process {pid} into the control group {path}")]
    Join {
        /// The process.
        pid: u32,
        /// The group.
        path: PathBuf,
        /// The call that failed.
        #[source]
        source: dhow_sys::Error,
    },
    /// Reading a control file.
    #[error("read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The call that failed.
        #[source]
        source: dhow_sys::Error,
    },
    /// A control file with content that we do not understand.
    #[error("understand {path}: {text:?}")]
    Understand {
        /// The file.
        path: PathBuf,
        /// What it says.
        text: String,
    },
    /// Killing everything in the group.
    #[error("kill the processes in {path}")]
    Kill {
        /// The group.
        path: PathBuf,
        /// The call that failed.
        #[source]
        source: dhow_sys::Error,
    },
    /// Processes that do not stop being there.
    #[error("{doing} {path}: after {seconds} s it still holds {processes} processes")]
    Stuck {
        /// What was to be done.
        doing: &'static str,
        /// The group.
        path: PathBuf,
        /// How long it was tried.
        seconds: u64,
        /// How many processes are left.
        processes: usize,
    },
    /// Pausing or resuming.
    #[error("{doing} the processes in {path}")]
    Freeze {
        /// `freeze` or `thaw`.
        doing: &'static str,
        /// The group.
        path: PathBuf,
        /// The call that failed.
        #[source]
        source: dhow_sys::Error,
    },
    /// Removing the group.
    #[error("remove the control group {path}")]
    Remove {
        /// Its directory.
        path: PathBuf,
        /// The call that failed.
        #[source]
        source: dhow_sys::Error,
    },
    /// Something that needs a group, where the container has none.
    #[error(
        "{doing}: the container has no control group (it was started without root and without a delegated group)"
    )]
    NoGroup {
        /// What was to be done.
        doing: &'static str,
    },
    /// Talking to systemd.
    #[error("{doing} over {bus}")]
    SystemdBus {
        /// The step.
        doing: &'static str,
        /// The socket.
        bus: PathBuf,
        /// The call that failed.
        #[source]
        source: dhow_sys::Error,
    },
    /// systemd answered with an error.
    #[error("{doing}: systemd answered {name}: {text}")]
    Systemd {
        /// The step.
        doing: String,
        /// The D-Bus name of the error, or the job's result.
        name: String,
        /// systemd's words.
        text: String,
    },
    /// The systemd driver on a host that it does not fit.
    #[error("use the systemd driver: {why}")]
    NoSystemd {
        /// What is missing.
        why: &'static str,
    },
}

/// An error with the call behind it, on one line.
fn whole(error: &Error) -> String {
    match error.call() {
        Some(call) => format!("{error}: {call}"),
        None => error.to_string(),
    }
}

/// `EPERM`, `EACCES`, `EROFS`: the caller lacks a right.
pub(crate) fn is_permission(error: &dhow_sys::Error) -> bool {
    [1, 13, 30].contains(&error.code())
}

impl Error {
    /// The kind, which decides exit codes and HTTP statuses elsewhere.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Path { .. }
            | Self::Inner { .. }
            | Self::Value { .. }
            | Self::Annotation { .. }
            | Self::BelowUsage { .. } => ErrorKind::InvalidInput,
            Self::Missing { .. } | Self::NoSystemd { .. } | Self::NoGroup { .. } => {
                ErrorKind::Unsupported
            }
            Self::NotDelegated { .. } => ErrorKind::Permission,
            Self::Occupied { .. } | Self::AlreadyFrozen { .. } | Self::Stuck { .. } => {
                ErrorKind::Conflict
            }
            Self::Understand { .. } | Self::NotPutBack { .. } => ErrorKind::Internal,
            Self::Systemd { name, .. } => match name.rsplit('.').next() {
                Some("AccessDenied" | "InteractiveAuthorizationRequired") => ErrorKind::Permission,
                Some("UnitExists") => ErrorKind::Conflict,
                Some("NoSuchUnit") => ErrorKind::NotFound,
                _ => ErrorKind::Kernel,
            },
            Self::Detect { source, .. } => source.as_ref().map_or(ErrorKind::Unsupported, kind_of),
            Self::Create { source, .. }
            | Self::Give { source, .. }
            | Self::Enable { source, .. }
            | Self::Set { source, .. }
            | Self::Devices { source, .. }
            | Self::Join { source, .. }
            | Self::Read { source, .. }
            | Self::Kill { source, .. }
            | Self::Freeze { source, .. }
            | Self::Remove { source, .. }
            | Self::SystemdBus { source, .. } => kind_of(source),
        }
    }

    /// The call behind this error, where there is one.
    #[must_use]
    pub fn call(&self) -> Option<&dhow_sys::Error> {
        std::error::Error::source(self).and_then(|source| source.downcast_ref())
    }
}

fn kind_of(source: &dhow_sys::Error) -> ErrorKind {
    match source.code() {
        _ if is_permission(source) => ErrorKind::Permission,
        2 | 3 => ErrorKind::NotFound,
        _ => ErrorKind::Kernel,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errno_decides_the_kind() {
        let error = |code| Error::Create {
            path: "/x".into(),
            source: dhow_sys::Error::new("mkdirat", "", code),
        };
        assert_eq!(error(13).kind(), ErrorKind::Permission);
        assert_eq!(error(2).kind(), ErrorKind::NotFound);
        assert_eq!(error(16).kind(), ErrorKind::Kernel);
        assert_eq!(error(16).call().unwrap().code(), 16);
        assert_eq!(error(16).to_string(), "create the control group /x");
    }
}

//! What can go wrong, in the words of what was being done.

use crate::hints;
use std::path::PathBuf;

/// The result of an operation of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// What sort of failure it is; decides exit codes and HTTP statuses, each in one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The named thing does not exist.
    NotFound,
    /// The name is taken, or the container is in a state that forbids the request.
    Conflict,
    /// The request itself is impossible.
    InvalidInput,
    /// The caller may not do this.
    Permission,
    /// This host, kernel or build cannot do it.
    Unsupported,
    /// The kernel or the filesystem refused.
    Kernel,
    /// A broken promise inside dhow or its siblings.
    Internal,
}

/// A failed operation.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No container has that name or id.
    #[error("no container has the name or id {name:?}")]
    NoSuchContainer {
        /// As the caller wrote it.
        name: String,
    },
    /// Several ids begin like that.
    #[error("{prefix:?} is the beginning of {count} container ids")]
    AmbiguousId {
        /// As the caller wrote it.
        prefix: String,
        /// How many ids match.
        count: usize,
    },
    /// The name belongs to another container.
    #[error("the name {name:?} is taken by container {}", .id.get(..12).unwrap_or(.id))]
    NameTaken {
        /// The wanted name.
        name: String,
        /// Who has it.
        id: String,
    },
    /// The container's state forbids the request.
    #[error("cannot {verb} container {name:?}: it is {state}")]
    WrongState {
        /// What was asked.
        verb: &'static str,
        /// The container's name.
        name: String,
        /// Its state.
        state: &'static str,
    },
    /// An option has a value that cannot be.
    #[error("{option}: {value:?} {reason}")]
    InvalidOption {
        /// The option, as on the command line.
        option: &'static str,
        /// Its value.
        value: String,
        /// What is wrong and which form is accepted.
        reason: String,
    },
    /// An option asks for what this host or build cannot do.
    #[error("{what} is not possible: {reason}")]
    Unsupported {
        /// What was asked.
        what: String,
        /// Why not, and what to use instead.
        reason: String,
    },
    /// A user or group is not in the container's files.
    #[error("{option}: the container's {file} has no {name:?}")]
    NoSuchUser {
        /// The option, as on the command line.
        option: &'static str,
        /// `/etc/passwd` or `/etc/group`.
        file: &'static str,
        /// The name that was looked for.
        name: String,
    },
    /// A file of the container's root cannot be used as a list of users or groups.
    #[error("the container's {file} cannot be read: {reason}")]
    BadUserFile {
        /// `/etc/passwd` or `/etc/group`.
        file: &'static str,
        /// Why.
        reason: String,
    },
    /// The image store failed.
    #[error("cannot {doing}")]
    Image {
        /// What was being done.
        doing: String,
        /// Of what kind the failure is.
        kind: Kind,
        /// Why it failed.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A kernel call failed.
    #[error("cannot {doing}")]
    Call {
        /// What was being done.
        doing: String,
        /// The call.
        source: dhow_sys::Error,
    },
    /// A file of the engine's own is not what it should be.
    #[error("cannot use {}: {reason}", path.display())]
    BadState {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A program that belongs to dhow is missing.
    #[error("cannot find the program {program:?} (looked in {looked})")]
    NoSibling {
        /// Its name.
        program: String,
        /// The directories.
        looked: String,
    },
    /// A program could not be started.
    #[error("cannot start {}", program.display())]
    Spawn {
        /// The program.
        program: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The runtime could not make the container.
    #[error("cannot start the container")]
    Start(RuntimeFailure),
    /// The runtime refused another verb.
    #[error("the runtime cannot {verb} the container")]
    Runtime {
        /// The verb.
        verb: &'static str,
        /// What it said.
        failure: RuntimeFailure,
    },
    /// The monitor ended without saying how it went.
    #[error("the monitor of the container ended without a word")]
    MonitorLost,
    /// A helper in a user namespace failed.
    #[error("cannot {doing} in a user namespace: {message}")]
    Helper {
        /// What was being done.
        doing: &'static str,
        /// What the helper said.
        message: String,
        /// The kind of its error.
        kind: Kind,
    },
}

/// What a runtime said when it failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuntimeFailure {
    /// The labelled step in which it failed, when the runtime names one.
    pub step: Option<String>,
    /// Its message.
    pub message: String,
    /// The symbolic error number in the message, such as `EPERM`.
    pub errno: Option<String>,
    /// Whether and how the container's program itself was at fault.
    pub program: ProgramFault,
}

/// Whether the container's program could be executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProgramFault {
    /// The failure has nothing to do with it.
    None,
    /// It exists but cannot be executed.
    NotExecutable,
    /// It does not exist.
    NotFound,
}

impl Error {
    /// What sort of failure this is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::NoSuchContainer { .. } => Kind::NotFound,
            Self::NameTaken { .. } | Self::WrongState { .. } => Kind::Conflict,
            Self::AmbiguousId { .. }
            | Self::InvalidOption { .. }
            | Self::NoSuchUser { .. }
            | Self::BadUserFile { .. } => Kind::InvalidInput,
            Self::Unsupported { .. } => Kind::Unsupported,
            Self::Image { kind, .. } => *kind,
            Self::Call { source, .. } => kind_of_call(source.code()),
            Self::Spawn { source, .. } => kind_of_call(source.raw_os_error().unwrap_or(0)),
            Self::Start(failure) | Self::Runtime { failure, .. } => failure.kind(),
            Self::Helper { kind, .. } => *kind,
            Self::BadState { .. } | Self::NoSibling { .. } | Self::MonitorLost => Kind::Internal,
        }
    }

    /// The step that failed, for the line `in step:` of the message.
    #[must_use]
    pub fn step(&self) -> Option<&str> {
        match self {
            Self::Start(failure) | Self::Runtime { failure, .. } => failure.step.as_deref(),
            _ => None,
        }
    }

    /// The lines `caused by:` of the message, outermost first.
    #[must_use]
    pub fn causes(&self) -> Vec<String> {
        if let Self::Start(failure) | Self::Runtime { failure, .. } = self {
            return vec![failure.message.clone()];
        }
        let mut causes = Vec::new();
        let mut next = std::error::Error::source(self);
        while let Some(error) = next {
            causes.push(error.to_string());
            next = error.source();
        }
        causes
    }

    /// What to do about it, when that is known.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        hints::hint(self)
    }

    /// The symbolic name of the error number underneath, such as `EPERM`.
    #[must_use]
    pub fn errno(&self) -> Option<String> {
        match self {
            Self::Call { source, .. } => Some(source.name()),
            Self::Start(failure) | Self::Runtime { failure, .. } => failure.errno.clone(),
            _ => None,
        }
    }

    /// The exit code of a command that failed like this: 127 when the container's program does not
    /// exist, 126 when it cannot be executed, else 125.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Start(failure) | Self::Runtime { failure, .. } => match failure.program {
                ProgramFault::NotFound => 127,
                ProgramFault::NotExecutable => 126,
                ProgramFault::None => 125,
            },
            _ => 125,
        }
    }

    pub(crate) fn invalid(
        option: &'static str,
        value: impl Into<String>,
        reason: impl Into<String>,
    ) -> Self {
        Self::InvalidOption {
            option,
            value: value.into(),
            reason: reason.into(),
        }
    }

    pub(crate) fn unsupported(what: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Unsupported {
            what: what.into(),
            reason: reason.into(),
        }
    }
}

impl RuntimeFailure {
    fn kind(&self) -> Kind {
        match (self.program, self.errno.as_deref()) {
            (ProgramFault::NotFound, _) => Kind::NotFound,
            (ProgramFault::NotExecutable, _) => Kind::InvalidInput,
            (ProgramFault::None, Some("EPERM" | "EACCES")) => Kind::Permission,
            (ProgramFault::None, _) if self.message.contains("this user may not") => {
                Kind::Permission
            }
            (ProgramFault::None, _) => Kind::Kernel,
        }
    }
}

fn kind_of_call(code: i32) -> Kind {
    match code {
        1 | 13 | 30 => Kind::Permission,
        2 => Kind::NotFound,
        38 | 95 => Kind::Unsupported,
        _ => Kind::Kernel,
    }
}

//! What goes wrong in the runtime, and how it is told.

use crate::plan::invalid::Invalid;
use std::fmt;
use std::path::PathBuf;

/// The result of a function of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// What kind of trouble it is; decides nothing but how callers may react.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// No such container, program or file.
    NotFound,
    /// The id is taken, or the container is in the wrong state.
    Conflict,
    /// The command line or the bundle is wrong.
    InvalidInput,
    /// The caller may not.
    Permission,
    /// This host or this version cannot.
    Unsupported,
    /// A call failed.
    Kernel,
    /// Our own data is damaged.
    Internal,
}

/// A failed verb.
#[derive(Debug)]
pub enum Error {
    /// The command line.
    Usage(String),
    /// A value of `config.json` that is impossible.
    Config(Invalid),
    /// `config.json` or another document that cannot be read as what it should be.
    Document {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and where.
        reason: String,
    },
    /// There is no container of this id.
    NoContainer(String),
    /// The id is taken.
    Taken(String),
    /// The container is in a state that does not allow this.
    State {
        /// The container.
        id: String,
        /// What was asked for.
        verb: &'static str,
        /// The state that it is in.
        status: &'static str,
    },
    /// A call failed.
    Step {
        /// What we were doing.
        step: String,
        /// The call.
        source: dhow_sys::Error,
    },
    /// The container's program cannot be executed.
    Program {
        /// Its name as given.
        name: String,
        /// Whether it exists.
        found: bool,
    },
    /// A hook failed.
    Hook {
        /// Which, such as `createRuntime[1]`.
        name: String,
        /// How.
        reason: String,
    },
    /// The cgroup.
    Cgroup(String, Kind),
    /// The container's process failed in a step and told us.
    Birth(Failure),
    /// CRIU could not.
    Criu {
        /// What it was asked for.
        step: &'static str,
        /// In its words.
        reason: String,
        /// Where it tells more.
        log: PathBuf,
    },
    /// This host cannot.
    Unsupported(String),
}

/// A failure in the container's process, as it crosses to the parent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What it was doing.
    pub step: String,
    /// The failed call or the reason, in words.
    pub text: String,
    /// The errno, or 0.
    pub code: i32,
}

/// How the step of a hook begins, also where it failed in the container's process.
const HOOK: &str = "hook ";

impl Error {
    /// Whether a hook failed, in this process or in the container's.
    #[must_use]
    pub fn is_of_hook(&self) -> bool {
        match self {
            Self::Hook { .. } => true,
            Self::Birth(failure) => failure.step.starts_with(HOOK),
            _ => false,
        }
    }

    /// A failed call in a step.
    pub fn step(step: impl Into<String>, source: dhow_sys::Error) -> Self {
        Self::Step {
            step: step.into(),
            source,
        }
    }

    /// The failure, when it is EPERM of a call that needs the right to administer the system.
    #[must_use]
    pub fn forbidden(&self) -> Option<Failure> {
        const EPERM: i32 = 1;
        const CALLS: [&str; 10] = [
            "clone3",
            "unshare",
            "setns",
            "fsopen",
            "fsconfig",
            "fsmount",
            "open_tree",
            "move_mount",
            "mount_setattr",
            "mount",
        ];
        let failure = match self {
            Self::Step { .. } | Self::Birth(_) => Failure::from(self),
            _ => return None,
        };
        let call = failure.text.split('(').next().unwrap_or_default();
        (failure.code == EPERM && CALLS.contains(&call)).then_some(failure)
    }

    /// What kind of trouble it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Usage(_) | Self::Config(_) | Self::Document { .. } => Kind::InvalidInput,
            Self::NoContainer(_) | Self::Program { found: false, .. } => Kind::NotFound,
            Self::Taken(_) | Self::State { .. } => Kind::Conflict,
            Self::Program { .. } => Kind::Permission,
            Self::Cgroup(_, kind) => *kind,
            Self::Step { source, .. } => kind_of(source.code()),
            Self::Birth(failure) => kind_of(failure.code),
            Self::Hook { .. } | Self::Criu { .. } => Kind::Kernel,
            Self::Unsupported(_) => Kind::Unsupported,
        }
    }
}

/// What to do when a state does not allow a verb, where there is something.
fn way_out(verb: &str, status: &str) -> &'static str {
    match (verb, status) {
        ("exec in", "paused") => "; resume it first, or give --ignore-paused",
        ("start", "paused") => "; resume it",
        ("delete", "created" | "running" | "paused") => "; kill it first, or give --force",
        ("checkpoint", "created") => "; start it first",
        ("pause", "created") => "; start it first",
        _ => "",
    }
}

/// What to do when a call has failed with this errno, where the errno alone does not tell. `call` is its line.
#[must_use]
pub fn remedy(call: &str, code: i32) -> &'static str {
    const EAGAIN: i32 = 11;
    const EMFILE: i32 = 24;
    const ENOSYS: i32 = 38;
    let makes_processes = ["clone3(", "execve(", "execveat("];
    match code {
        EAGAIN if makes_processes.iter().any(|name| call.starts_with(name)) => {
            "; a limit of processes is reached: the user's RLIMIT_NPROC, or pids.max of a cgroup"
        }
        EMFILE => "; the caller may have too few descriptors: raise its RLIMIT_NOFILE",
        ENOSYS => "; the kernel is too old, or a seccomp filter around the caller forbids the call",
        _ => "",
    }
}

fn kind_of(code: i32) -> Kind {
    match code {
        1 | 13 => Kind::Permission,
        2 => Kind::NotFound,
        38 | 95 => Kind::Unsupported,
        _ => Kind::Kernel,
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(reason) => f.write_str(reason),
            Self::Config(invalid) => write!(f, "config.json: {invalid}"),
            Self::Document { path, reason } => write!(f, "{}: {reason}", path.display()),
            Self::NoContainer(id) => write!(f, "container {id:?} does not exist"),
            Self::Taken(id) => write!(
                f,
                "container with id {id:?} exists already; delete it or choose another id"
            ),
            Self::State { id, verb, status } => {
                write!(f, "cannot {verb} container {id:?}: it is {status}")?;
                f.write_str(way_out(verb, status))
            }
            Self::Step { step, source } => {
                let call = source.to_string();
                let remedy = remedy(&call, source.code());
                write!(f, "{step}: {call}{remedy}")
            }
            Self::Program { name, found: false } => {
                write!(f, "exec: {name:?}: executable file not found in $PATH")
            }
            Self::Program { name, .. } => write!(
                f,
                "exec: {name:?}: permission denied: it is not an executable file"
            ),
            Self::Criu { step, reason, log } => {
                write!(f, "{step}: criu: {reason}; see {}", log.display())
            }
            Self::Hook { name, reason } => write!(f, "{HOOK}{name}: {reason}"),
            Self::Cgroup(text, _) | Self::Unsupported(text) => f.write_str(text),
            Self::Birth(failure) if failure.step.is_empty() => f.write_str(&failure.text),
            Self::Birth(Failure { step, text, code }) => {
                write!(f, "{step}: {text}{}", remedy(text, *code))
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Config(invalid) => Some(invalid),
            Self::Step { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl From<Invalid> for Error {
    fn from(invalid: Invalid) -> Self {
        Self::Config(invalid)
    }
}

/// Labels a failed call with what we were doing.
pub trait At<T> {
    /// Names the step, as the user shall read it.
    ///
    /// # Errors
    /// The call's error, labelled.
    fn at(self, step: &str) -> Result<T>;
}

impl<T> At<T> for dhow_sys::Result<T> {
    fn at(self, step: &str) -> Result<T> {
        self.map_err(|source| Error::step(step, source))
    }
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        match error {
            Error::Step { step, source } => Self {
                step: step.clone(),
                text: source.to_string(),
                code: source.code(),
            },
            Error::Birth(failure) => failure.clone(),
            Error::Hook { name, reason } => Self {
                step: format!("{HOOK}{name}"),
                text: reason.clone(),
                code: 0,
            },
            other => {
                let code = match other.kind() {
                    Kind::NotFound => 2,
                    Kind::Permission => 13,
                    Kind::Unsupported => 95,
                    _ => 0,
                };
                Self {
                    step: String::new(),
                    text: other.to_string(),
                    code,
                }
            }
        }
    }
}

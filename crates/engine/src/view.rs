//! What the engine tells its callers about containers.

use crate::options::ContainerOptions;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;

/// A moment in time; in documents it is written as RFC 3339 in UTC with nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub jiff::Timestamp);

impl Moment {
    /// Now.
    #[must_use]
    pub fn now() -> Self {
        Self(jiff::Timestamp::now())
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.9}", self.0)
    }
}

impl Serialize for Moment {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map(Self).map_err(serde::de::Error::custom)
    }
}

/// A container's two names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// 64 hexadecimal digits.
    pub id: String,
    /// The name, given or made up.
    pub name: String,
}

/// How a container ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// The exit code as shells count: the status, or 128 plus the signal.
    pub code: u8,
    /// The signal that ended it, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<u8>,
    /// Whether the kernel killed in it for want of memory.
    #[serde(default)]
    pub oom_killed: bool,
    /// When it ended.
    pub finished: Moment,
    /// Why the status is not the program's own, such as `host restarted`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What a container does at the moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "status", rename_all = "lowercase")]
pub enum State {
    /// Never started.
    Created,
    /// Running.
    #[serde(rename_all = "camelCase")]
    Running {
        /// Its first process, as the host numbers it.
        pid: u32,
        /// Since when.
        started: Moment,
    },
    /// Ended; it can be started again.
    Exited(Exit),
}

impl State {
    /// The state in one word.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running { .. } => "running",
            Self::Exited(_) => "exited",
        }
    }
}

/// One line of a list of containers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// 64 hexadecimal digits.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The image's name or the root directory, as the user gave it.
    pub image: String,
    /// What runs in it.
    pub command: Vec<String>,
    /// When it was made.
    pub created: Moment,
    /// What it does.
    pub state: State,
    /// Its labels.
    pub labels: std::collections::BTreeMap<String, String>,
}

/// All that is known about a container.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Details {
    /// What a list shows.
    #[serde(flatten)]
    pub summary: Summary,
    /// The id of its image, if it has one.
    pub image_id: Option<String>,
    /// What was asked for.
    pub options: ContainerOptions,
    /// The OCI bundle.
    pub bundle: PathBuf,
    /// Its log.
    pub log: PathBuf,
    /// The runtime that runs it.
    pub runtime: PathBuf,
    /// The bundle's `config.json`.
    pub config: serde_json::Value,
}

/// Which of the caller's standard streams take part, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attach {
    /// Whether standard input is forwarded.
    pub stdin: bool,
    /// Whether signals that this process gets are passed on to the container.
    pub forward_signals: bool,
    /// The keys that detach a terminal, as in `ctrl-p,ctrl-q`; empty for none.
    pub detach_keys: String,
}

impl Default for Attach {
    fn default() -> Self {
        Self {
            stdin: false,
            forward_signals: true,
            detach_keys: "ctrl-p,ctrl-q".into(),
        }
    }
}

/// How an attachment came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// With the container.
    Exited(Exit),
    /// The user pressed the detach keys; the container goes on.
    Detached,
}

/// What `exec` runs in a living container, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExecOptions {
    /// Program and arguments.
    pub command: Vec<String>,
    /// Additional environment.
    pub env: Vec<(String, String)>,
    /// Working directory; the container's own when absent.
    pub workdir: Option<String>,
    /// `user[:group]`; the container's own when absent.
    pub user: Option<String>,
    /// Whether it gets a terminal.
    pub tty: bool,
    /// Whether standard input is forwarded.
    pub interactive: bool,
    /// Whether it gets all capabilities.
    pub privileged: bool,
    /// Whether to return at once.
    pub detach: bool,
}

/// Which stream of a container a piece of output came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output, or the terminal.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Which part of a log to read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogOptions {
    /// Go on until the container ends.
    pub follow: bool,
    /// Only the last so many lines.
    pub tail: Option<usize>,
    /// Only what is not older.
    pub since: Option<Moment>,
    /// Only what is not younger.
    pub until: Option<Moment>,
}

/// A piece of a log: a line, or a part of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogLine<'a> {
    /// When it was written, RFC 3339 with nanoseconds.
    pub time: &'a str,
    /// By which stream.
    pub stream: Stream,
    /// The bytes, with the line's end if it has one.
    pub bytes: &'a [u8],
    /// Whether it is the beginning of a line (and not the rest of a partial one).
    pub line_start: bool,
}

/// What the runtime would do to make a container: `dhow-runtime plan`'s document.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan(pub serde_json::Value);

/// An image of the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageSummary {
    /// The id: the digest of its configuration, `sha256:…`.
    pub id: String,
    /// The digest of its manifest, `sha256:…`.
    pub digest: String,
    /// Its names in the short form that people write.
    pub names: Vec<String>,
    /// When it was made, if it says so.
    pub created: Option<String>,
    /// Bytes of all its blobs.
    pub size: u64,
}

//! What is remembered about a container: what was asked, and what was decided when it was made.

use crate::options::ContainerOptions;
use crate::view::Moment;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The version that this engine writes and the newest that it reads.
pub(crate) const VERSION: u32 = 1;

/// `container.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Record {
    /// [`VERSION`].
    pub(crate) version: u32,
    /// 64 hexadecimal digits.
    pub(crate) id: String,
    /// The name, given or made up.
    pub(crate) name: String,
    /// When it was made.
    pub(crate) created: Moment,
    /// What was asked.
    pub(crate) options: ContainerOptions,
    /// The image, as the user called it, or the root directory.
    pub(crate) image: String,
    /// The image's id.
    #[serde(default)]
    pub(crate) image_id: Option<String>,
    /// What runs in it, entrypoint included.
    pub(crate) command: Vec<String>,
    /// The runtime's program.
    pub(crate) runtime: PathBuf,
    /// The signal for `stop`.
    pub(crate) stop_signal: u8,
    /// Whether its root filesystem lies in the image store under its id.
    pub(crate) has_root: bool,
    /// Where its cgroup says whether the kernel killed for want of memory.
    #[serde(default)]
    pub(crate) oom_file: Option<PathBuf>,
    /// Volumes without a name of the user's choosing; they go with the container.
    #[serde(default)]
    pub(crate) anonymous_volumes: Vec<String>,
}

/// `started`, written by the monitor.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Started {
    /// The boot in which it was started.
    pub(crate) boot_id: String,
    /// Its first process.
    pub(crate) pid: u32,
    /// That process's start time in clock ticks since the boot: with the number, its identity.
    pub(crate) start_time: u64,
    /// When.
    pub(crate) started: Moment,
}

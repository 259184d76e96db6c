//! The flags of `dhow run`, named and meant as docker's and podman's. (Mostly a table.)

use std::path::PathBuf;

/// Flags of `dhow run`.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "dhow run [OPTIONS] IMAGE [COMMAND...]\n       dhow run [OPTIONS] --rootfs DIR[:O] COMMAND...",
    after_help = "Everything after the image (or, with --rootfs, from \
                  the first word on) belongs to the command.\n\nThe container gets its own namespaces, eleven \
                  capabilities, a system call filter and no network but its loopback interface, unless you say \
                  otherwise.\n\nThe exit code is the command's own (128 plus the number of a signal that ended \
                  it); 125 when dhow failed, 126 when the command cannot be executed, 127 when it is not there.\n\nExamples:\n  dhow run hello                            what isolates a container, told from inside\n  \
                  dhow run --rm -it --rootfs /:O sh         a shell on a throw-away view of this host\n  \
                  dhow run --explain hello                  every step of its birth, with the reason\n  \
                  dhow run -d --name web -m 256m -v ./site:/site:ro web httpd -f"
)]
pub(crate) struct Arguments {
    /// What the container shall be.
    #[command(flatten)]
    container: Container,

    /// Let it run in the background, and print its id
    #[arg(long, short, help_heading = "Options")]
    pub(super) detach: bool,
    /// The keys that leave a terminal without ending the container; "" for none
    #[arg(
        long,
        value_name = "KEYS",
        default_value = "ctrl-p,ctrl-q",
        help_heading = "Options"
    )]
    pub(super) detach_keys: String,
    /// Pass the signals that dhow gets on to the command
    #[arg(long, value_name = "BOOL", default_value_t = true, num_args = 0..=1, require_equals = true,
          default_missing_value = "true", action = clap::ArgAction::Set, help_heading = "Options")]
    pub(super) sig_proxy: bool,

    /// Tell each step and its reason on standard error before it runs; with json, as a document
    #[arg(long, value_name = "FORM", num_args = 0..=1, require_equals = true, default_missing_value = "text",
          value_enum, help_heading = "Explanation")]
    explain: Option<Form>,
    /// Explain only, on standard output, and run nothing
    #[arg(long, help_heading = "Explanation")]
    pub(super) dry_run: bool,
}

/// What `dhow run` and `dhow create` can say about a container.
#[derive(Debug, clap::Args)]
pub(crate) struct Container {
    /// The image, and the command to run instead of the image's own
    #[arg(trailing_var_arg = true, value_names = ["IMAGE", "COMMAND"], num_args = 0..)]
    pub(super) words: Vec<String>,

    /// Take this directory as the root filesystem instead of an image; with :O, changes go to a layer
    /// that is thrown away with the container
    #[arg(long, value_name = "DIR[:O]")]
    pub(super) rootfs: Option<String>,
    /// Name the container
    #[arg(long, value_name = "NAME")]
    pub(super) name: Option<String>,
    /// Remove the container when it ends
    #[arg(long)]
    pub(super) rm: bool,
    /// Pass standard input on
    #[arg(long, short)]
    pub(super) interactive: bool,
    /// Give it a terminal
    #[arg(long, short)]
    pub(super) tty: bool,
    /// Whether to fetch the image: missing and never mean the same until dhow knows registries
    #[arg(long, value_name = "WHEN", default_value = "missing", num_args = 0..=1, require_equals = true,
          default_missing_value = "always", value_parser = pull)]
    pub(super) pull: String,

    /// Options about the process.
    #[command(flatten)]
    pub(super) process: Process,
    /// Options about files.
    #[command(flatten)]
    pub(super) files: Files,
    /// Options about limits.
    #[command(flatten)]
    pub(super) limits: Limits,
    /// Options about isolation.
    #[command(flatten)]
    pub(super) isolation: Isolation,
}

impl Arguments {
    /// What the container shall be.
    pub(super) fn container(&self) -> &Container {
        &self.container
    }

    /// In which form to explain, if at all; `--dry-run` alone explains as text.
    pub(super) fn explanation(&self) -> Option<Form> {
        self.explain.or(self.dry_run.then_some(Form::Text))
    }
}

/// How `--explain` tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Form {
    /// One line for each step.
    Text,
    /// The runtime's plan as JSON.
    Json,
}

/// Options about the process.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Process")]
pub(super) struct Process {
    /// Set a variable, or pass on the one of that name (NAME* for all that begin so)
    #[arg(long, short, value_name = "NAME[=VALUE]")]
    pub(super) env: Vec<String>,
    /// Read variables from a file, one NAME=VALUE on each line
    #[arg(long, value_name = "FILE")]
    pub(super) env_file: Vec<PathBuf>,
    /// Work in this directory
    #[arg(long, short, value_name = "DIR")]
    pub(super) workdir: Option<String>,
    /// Run as this user, by names or numbers
    #[arg(long, short, value_name = "USER[:GROUP]")]
    pub(super) user: Option<String>,
    /// Add a group, by name or number
    #[arg(long, value_name = "GROUP")]
    pub(super) group_add: Vec<String>,
    /// Run this instead of the image's entry point; a JSON list, or one word; "" for none
    #[arg(long, value_name = "COMMAND")]
    pub(super) entrypoint: Option<String>,
    /// Run a small init that reaps processes and passes signals on
    #[arg(long)]
    pub(super) init: bool,
    /// End it by this signal instead of the image's or TERM
    #[arg(long, value_name = "SIGNAL")]
    pub(super) stop_signal: Option<String>,
    /// Give the container a label
    #[arg(long, short, value_name = "NAME[=VALUE]")]
    pub(super) label: Vec<String>,
}

/// Options about files.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Files")]
pub(super) struct Files {
    /// Share a directory or file of the host, or a named volume: [SOURCE:]TARGET[:OPTIONS]
    #[arg(long, short, value_name = "VOLUME")]
    pub(super) volume: Vec<String>,
    /// The same in words: type=bind|volume|tmpfs,source=…,target=…,readonly
    #[arg(long, value_name = "MOUNT")]
    pub(super) mount: Vec<String>,
    /// Put an empty filesystem in memory there: TARGET[:OPTIONS]
    #[arg(long, value_name = "TMPFS")]
    pub(super) tmpfs: Vec<String>,
    /// Make the root filesystem read-only
    #[arg(long)]
    pub(super) read_only: bool,
    /// The size of /dev/shm [default: 64m]
    #[arg(long, value_name = "SIZE")]
    pub(super) shm_size: Option<String>,
}

/// Options about limits.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Limits")]
pub(super) struct Limits {
    /// Memory, such as 512m or 2g
    #[arg(long, short, value_name = "SIZE")]
    pub(super) memory: Option<String>,
    /// Memory and swap together
    #[arg(long, value_name = "SIZE")]
    pub(super) memory_swap: Option<String>,
    /// Processors, such as 1.5
    #[arg(long, value_name = "NUMBER")]
    pub(super) cpus: Option<String>,
    /// Processes and threads; -1 for no limit [default: 2048]
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    pub(super) pids_limit: Option<i64>,
    /// A limit for each process, such as nofile=1024:4096
    #[arg(long, value_name = "NAME=SOFT[:HARD]")]
    pub(super) ulimit: Vec<String>,
}

/// Options about isolation.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Isolation")]
pub(super) struct Isolation {
    /// Add a capability; ALL for all
    #[arg(long, value_name = "NAME")]
    pub(super) cap_add: Vec<String>,
    /// Drop a capability; ALL for all
    #[arg(long, value_name = "NAME")]
    pub(super) cap_drop: Vec<String>,
    /// seccomp=FILE|unconfined, apparmor=PROFILE, no-new-privileges=false, mask=PATH, unmask=PATH
    #[arg(long, value_name = "OPTION")]
    pub(super) security_opt: Vec<String>,
    /// Take nearly all walls away: only for what you trust as yourself
    #[arg(long)]
    pub(super) privileged: bool,
    /// Host name [default: the beginning of the id]
    #[arg(long, short = 'h', value_name = "NAME")]
    pub(super) hostname: Option<String>,
    /// none (loopback only) or host [default: none]
    #[arg(long, visible_alias = "net", value_name = "NETWORK")]
    pub(super) network: Option<String>,
    /// host, or keep-id to have your own id inside
    #[arg(long, value_name = "MODE")]
    pub(super) userns: Option<String>,
}

fn pull(text: &str) -> Result<String, String> {
    match text {
        "missing" | "never" => Ok(text.to_owned()),
        "always" | "newer" => {
            Err("dhow does not know registries yet: load an archive with `dhow load`".into())
        }
        _ => Err("it is missing or never".into()),
    }
}

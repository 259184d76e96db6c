//! The states of a container, and which verb is allowed in which.
//!
//! ```text
//!             creating  created  running  paused  stopped
//!  start         –         ✓        –       –        –
//!  kill          –         ✓        ✓       ✓        –
//!  exec          –         ✓        ✓      (*)       –
//!  pause         –         –        ✓       –        –
//!  resume        –         –        –       ✓        –
//!  update        –         ✓        ✓       ✓        –
//!  events        –         ✓        ✓       ✓        –
//!  checkpoint    –         –        ✓       ✓        –
//!  delete        –      --force  --force --force     ✓
//!                                 (*) with --ignore-paused
//! ```
//!
//! Every verb is a new process, so the state is derived anew each time from what the kernel says
//! of the container's process; no file is believed about it. `delete --force` is allowed in every
//! state: it is what cleans up.

/// Where a container is in its life (runtime.md, State).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// The id is taken, the environment is being made.
    Creating,
    /// The environment is ready, the program waits at the gate.
    Created,
    /// The program runs.
    Running,
    /// The program is frozen.
    Paused,
    /// The program has ended.
    Stopped,
}

/// What is asked of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Open the gate.
    Start,
    /// Send a signal.
    Kill,
    /// Run another process inside.
    Exec {
        /// Whether it may be born standing still, in a paused container.
        paused: bool,
    },
    /// Freeze.
    Pause,
    /// Thaw.
    Resume,
    /// Change limits.
    Update,
    /// Tell what it uses.
    Events,
    /// Write into files.
    Checkpoint,
    /// Remove; with force also a living one.
    Delete {
        /// Whether a living container is killed first.
        force: bool,
    },
}

impl Status {
    /// The word of the specification.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
        }
    }

    /// Whether the table above allows a verb.
    #[must_use]
    pub fn allows(self, verb: Verb) -> bool {
        match verb {
            Verb::Start => self == Self::Created,
            Verb::Kill | Verb::Update | Verb::Events | Verb::Exec { paused: true } => {
                matches!(self, Self::Created | Self::Running | Self::Paused)
            }
            Verb::Exec { paused: false } => matches!(self, Self::Created | Self::Running),
            Verb::Pause => self == Self::Running,
            Verb::Checkpoint => matches!(self, Self::Running | Self::Paused),
            Verb::Resume => self == Self::Paused,
            Verb::Delete { force } => force || self == Self::Stopped,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Status, Verb};

    /// The table of this module's head, cell by cell.
    #[test]
    fn the_table() {
        use Status::{Created, Creating, Paused, Running, Stopped};
        let columns = [Creating, Created, Running, Paused, Stopped];
        let rows = [
            (Verb::Start, "-x---"),
            (Verb::Kill, "-xxx-"),
            (Verb::Exec { paused: false }, "-xx--"),
            (Verb::Exec { paused: true }, "-xxx-"),
            (Verb::Pause, "--x--"),
            (Verb::Resume, "---x-"),
            (Verb::Update, "-xxx-"),
            (Verb::Events, "-xxx-"),
            (Verb::Delete { force: false }, "----x"),
            (Verb::Delete { force: true }, "xxxxx"),
        ];
        for (verb, cells) in rows {
            for (status, cell) in columns.iter().zip(cells.chars()) {
                assert_eq!(
                    status.allows(verb),
                    cell == 'x',
                    "{verb:?} when {}",
                    status.word()
                );
            }
        }
    }
}

//! Working for an ordinary user: processes in a user namespace.

/// Runs one of the engine's hidden helper modes if this process was started for one (its first
/// argument says so), and never returns then. Call it first in `main`, before any thread.
pub fn intercept() {}

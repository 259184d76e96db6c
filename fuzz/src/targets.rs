//! The list of targets.

use crate::{cpuset, mountopt, seccomp, signal, size, spec, state, user};

/// A target's check: returns when all is well.
pub type Check = fn(&[u8]);

/// Every target, by its name.
pub const TARGETS: [(&str, Check); 8] = [
    ("spec", spec::check),
    ("mountopt", mountopt::check),
    ("seccomp", seccomp::check),
    ("state", state::check),
    ("signal", signal::check),
    ("size", size::check),
    ("cpuset", cpuset::check),
    ("user", user::check),
];

//! Installing the compiled system call filter.

use super::handshake::Channel;
use crate::error::{At, Result};
use crate::plan::seccomp::Program;
use dhow_sys::seccomp::{self, Instruction};
use std::os::fd::AsFd;

/// Installs it on this process; nothing may follow but the execve. When the filter wants a listener,
/// it is handed over first, so that the execve itself can already be answered.
///
/// # Errors
/// `seccomp`: EACCES without no_new_privs or CAP_SYS_ADMIN; a filter is never skipped.
pub fn install(program: &Program, channel: &Channel) -> Result<()> {
    let step = "install the system call filter";
    let instruction = |i: &crate::plan::seccomp::Instruction| Instruction {
        code: i.code,
        jt: i.jt,
        jf: i.jf,
        k: i.k,
    };
    let instructions: Vec<Instruction> = program.instructions.iter().map(instruction).collect();
    let listener = seccomp::install(&instructions, program.flags).at(step)?;
    match listener {
        Some(listener) => channel
            .listener(listener.as_fd())
            .at("hand the filter's listener over"),
        None => Ok(()),
    }
}

//! `dhow-monitor`: the one process that stays with a running container.
//!
//! A container outlives the command that made it because this process holds it: its output goes to
//! the log, its terminal or pipes stay open, and its exit status is written down at the moment it is
//! known. It is started by the engine with a message socket as standard input, runs the runtime by the
//! OCI command line, and waits in one single-threaded loop; see [`keeper`] for the order of events.

#![forbid(unsafe_code)]

#[cfg(target_os = "linux")]
mod arguments;
#[cfg(target_os = "linux")]
mod attach;
#[cfg(target_os = "linux")]
mod clock;
#[cfg(target_os = "linux")]
mod exit;
#[cfg(target_os = "linux")]
mod input;
#[cfg(target_os = "linux")]
mod keeper;
#[cfg(target_os = "linux")]
mod log;
#[cfg(target_os = "linux")]
mod runtime;

#[cfg(target_os = "linux")]
use keeper::run;

#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(not(target_os = "linux"))]
use elsewhere::run;

fn main() -> std::process::ExitCode {
    run(std::env::args_os())
}

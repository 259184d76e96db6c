//! PROBE: a static program that runs inside a container and says what the kernel says.
//!
//! Without arguments it prints a report as JSON. With a word it does one thing and says how that
//! ended, so that a test can tell "refused" from "did not happen".
#![forbid(unsafe_code)]

#[cfg(target_os = "linux")]
mod act;
#[cfg(not(target_os = "linux"))]
#[path = "elsewhere.rs"]
mod platform;
#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod platform;
#[cfg(target_os = "linux")]
mod race;
#[cfg(target_os = "linux")]
mod report;
#[cfg(target_os = "linux")]
mod watch;
#[cfg(target_os = "linux")]
mod watch_joining;

fn main() -> std::process::ExitCode {
    platform::main()
}

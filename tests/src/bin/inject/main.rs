//! INJECT: runs a command and lets one of its system calls fail, or kills it there.
//!
//! ```text
//! inject list FILE -- COMMAND…                  every point of the command, one line each
//! inject fail PROCESS INDEX ERRNO -- COMMAND…   that call fails, once, without having happened
//! inject short PROCESS INDEX -- COMMAND…        that read or write is asked for one byte
//! inject kill PROCESS INDEX -- COMMAND…         the process is killed as it makes that call
//! ```
//!
//! A point is a process, by the order in which they were made, and the number of the call in it. Only calls
//! of dhow's own programs count, from where libc has started them to the execve of something else. The
//! exit code is the command's.
#![forbid(unsafe_code)]

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
#[path = "elsewhere.rs"]
mod platform;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[path = "linux.rs"]
mod platform;

fn main() -> std::process::ExitCode {
    platform::main()
}

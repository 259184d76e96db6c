//! `dhow-init`: the first process of a container with `--init`.
//!
//! A first process gets no signal that it does not handle and has every orphan as its child; few
//! programs are written for that. This one starts the real program in its own process group, passes every signal on to
//! it, collects every orphan, and ends as the program did.

#![forbid(unsafe_code)]

#[cfg(target_os = "linux")]
mod reaper;
#[cfg(target_os = "linux")]
use reaper::run;

#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(not(target_os = "linux"))]
use elsewhere::run;

fn main() -> std::process::ExitCode {
    run(std::env::args_os())
}

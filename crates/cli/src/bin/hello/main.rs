//! The program of the built-in image `hello`: it tells, from the inside, what keeps it apart.
//!
//! It must be small, static and without dependencies, because it is the whole image. Everything it
//! says is read from the kernel when it says it: nothing is assumed about who started it, so it is
//! also right under another runtime, with walls left out, or with none at all.
#![forbid(unsafe_code)]

#[cfg(target_os = "linux")]
mod files;
#[cfg(target_os = "linux")]
mod identity;
#[cfg(target_os = "linux")]
mod limits;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
use linux as host;
#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(not(target_os = "linux"))]
use elsewhere as host;

mod page;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut out = std::io::stdout();
    let plain = !out.is_terminal()
        || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
        || std::env::var_os("TERM").is_some_and(|value| value == "dumb");
    let text = page::render(&host::facts(), &host::closing(), !plain);
    // A reader that went away has seen enough.
    let _ = out.write_all(text.as_bytes());
    ExitCode::SUCCESS
}

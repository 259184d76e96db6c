//! AddressSanitizer for builds with the stable compiler.
//!
//! Its runtime comes with the toolchain; only the switch is called unstable, and `RUSTC_BOOTSTRAP=1`
//! lets a stable compiler take it. That is fit for tests and for nothing that is shipped. It needs glibc and
//! dynamic linking, so these builds have a target and a folder of their own.

use std::path::Path;
use std::process::Command;

/// The target of instrumented builds.
pub(crate) fn target() -> String {
    format!("{}-unknown-linux-gnu", std::env::consts::ARCH)
}

/// The compiler's flags for AddressSanitizer; `None` where the toolchain has no runtime for it.
pub(crate) fn flags() -> Option<&'static str> {
    has_runtime(&target()).then_some("-Zsanitizer=address -Ctarget-feature=-crt-static")
}

fn has_runtime(target: &str) -> bool {
    let mut rustc = Command::new("rustc");
    rustc.args(["--print", "target-libdir", "--target", target]);
    let Ok(printed) = rustc.output() else {
        return false;
    };
    let directory = String::from_utf8_lossy(&printed.stdout).trim().to_owned();
    let Ok(entries) = Path::new(&directory).read_dir() else {
        return false;
    };
    entries
        .flatten()
        .any(|entry| entry.file_name().to_string_lossy().contains("rt.asan"))
}

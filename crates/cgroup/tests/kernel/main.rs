//! Groups on the real kernel: v1, hybrid and v2 alike. What cannot be tested on this host says so and is
//! skipped.
#![forbid(unsafe_code)]

#[cfg(target_os = "linux")]
mod linux;

//! The target `seccomp`: see the module of that name in `dhow_fuzz`.
#![no_main]
#![forbid(unsafe_code)]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dhow_fuzz::seccomp::check(data));

//! What judges a compiled filter: a strict interpreter, a slow and obvious model of what a profile
//! means, and calls drawn to meet its rules. Compiled for tests and for fuzzing only.

pub mod caller;
pub mod interpreter;
pub mod model;

use super::abi::Abi;
use super::compile;
use crate::spec::seccomp::{Architecture, Seccomp};

/// Compiles a profile and lets model and program answer `calls` calls that follow from `seed`; a
/// profile that is refused has no answers.
///
/// # Panics
/// When the kernel would not take the program, or the two differ.
pub fn assert_agrees(profile: &Seccomp, native: Architecture, seed: u64, calls: usize) {
    let Ok(program) = compile(profile, native) else {
        return;
    };
    interpreter::verify(&program.instructions);
    let abi = Abi::of(native).expect("compiled, so there is a table for the machine");
    let mut caller = caller::Caller::new(profile, native, seed);
    for _ in 0..calls {
        let seen = caller.call();
        let expected = model::judge(profile, native, &seen);
        let (value, _) = interpreter::run(&program.instructions, &seen, abi.big_endian);
        assert_eq!(value, expected.value, "{seen:x?} {expected:x?}");
    }
}

/// Every name that some interface has a number for.
pub fn names() -> impl Iterator<Item = &'static str> {
    super::table::TABLE.iter().map(|(name, _)| *name)
}

//! F-SECCOMP: a profile becomes a BPF program that says of every call what the profile means.
//!
//! Judge: the slow model of the compiler's own tests, which S-SECEQ ties to libseccomp. An input that begins
//! with `{` is a profile as JSON, for x86-64; any other is bytes that choose a machine, rules out of all known
//! names, conditions and actions, so that rules meet far more often than in text.

use crate::bytes::Bytes;
use dhow_runtime::bundle;
use dhow_runtime::plan::seccomp::oracle::{assert_agrees, caller, names};
use dhow_runtime::spec::seccomp::{Action, Architecture, Argument, Operator, Rule, Seccomp};
use std::sync::LazyLock;

/// Enough to touch every rule of the profiles that come here, few enough to try many profiles.
const CALLS: usize = 32;

const ACTIONS: [Action; 7] = [
    Action::Allow,
    Action::Errno,
    Action::Kill,
    Action::KillProcess,
    Action::Trap,
    Action::Log,
    Action::Trace,
];

const OPERATORS: [Operator; 7] = [
    Operator::NotEqual,
    Operator::Less,
    Operator::LessOrEqual,
    Operator::Equal,
    Operator::GreaterOrEqual,
    Operator::Greater,
    Operator::MaskedEqual,
];

/// Program and model agree on every drawn call.
///
/// # Panics
/// When they do not, or the kernel would not take the program.
pub fn check(data: &[u8]) {
    let (profile, native, seed) = if data.first() == Some(&b'{') {
        let Ok(profile) = bundle::parse::<Seccomp>(data) else {
            return;
        };
        (profile, Architecture::X86_64, data.len() as u64)
    } else {
        decode(&mut Bytes::new(data))
    };
    assert_agrees(&profile, native, seed, CALLS);
}

fn decode(bytes: &mut Bytes<'_>) -> (Seccomp, Architecture, u64) {
    let (native, others) = bytes.pick(&caller::MACHINES);
    let mask = bytes.byte();
    let seed = bytes.long();
    let chosen = others
        .iter()
        .enumerate()
        .filter(|(at, _)| mask & (1 << at) != 0);
    let architectures = chosen.map(|(_, one)| *one).collect();
    let (default_action, default_errno_ret) = action(bytes);
    let mut syscalls = Vec::new();
    while !bytes.is_empty() && syscalls.len() < 24 {
        syscalls.push(rule(bytes));
    }
    let profile = Seccomp {
        default_action,
        default_errno_ret,
        architectures,
        flags: None,
        listener_path: None,
        listener_metadata: None,
        syscalls,
    };
    (profile, *native, seed)
}

fn action(bytes: &mut Bytes<'_>) -> (Action, Option<u32>) {
    let action = *bytes.pick(&ACTIONS);
    let value = bytes.byte();
    let takes = matches!(action, Action::Errno | Action::Trace) && value > 7;
    (action, takes.then(|| u32::from(value)))
}

fn rule(bytes: &mut Bytes<'_>) -> Rule {
    static NAMES: LazyLock<Vec<&str>> = LazyLock::new(|| names().chain(["frobnicate"]).collect());
    let shape = bytes.byte();
    let (action, errno_ret) = action(bytes);
    let names = (0..=shape % 4).map(|_| NAMES[usize::from(bytes.pair()) % NAMES.len()].to_owned());
    let names = names.collect();
    let args = (0..shape / 4 % 4).map(|_| argument(bytes)).collect();
    Rule {
        names,
        action,
        errno_ret,
        args,
    }
}

fn argument(bytes: &mut Bytes<'_>) -> Argument {
    let shape = bytes.byte();
    let value = |bytes: &mut Bytes<'_>| match bytes.byte() {
        at @ 0..128 => caller::VALUES[usize::from(at) % caller::VALUES.len()],
        _ => bytes.long(),
    };
    Argument {
        index: u32::from(shape % 6),
        op: OPERATORS[usize::from(shape / 8) % OPERATORS.len()],
        value: value(bytes),
        value_two: value(bytes),
    }
}

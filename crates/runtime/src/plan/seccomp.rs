//! Seccomp: from the profile in `config.json` to the program the kernel runs at each call.
//!
//! Our own compiler instead of libseccomp: one static binary, every flag of the specification,
//! a filter that is data (printed by `dhow-runtime plan`, kept for `exec`), and an answer that
//! does not depend on which library version a distribution ships. What a profile means is what
//! it means to runc with libseccomp; tests interpret both programs and compare.
//!
//! ```text
//!  profile ─▶ decisions  (the fate of every number: decisions.rs)
//!          ─▶ ranges     (neighbours with one fate together)
//!          ─▶ searches   (binary search by number, then by argument: search.rs, arguments.rs)
//!          ─▶ program    (written from the end: assembler.rs)
//! ```
//!
//! The program first reads the interface the call was made through (`seccomp_data.arch`).
//! Interfaces the profile does not admit end the thread, as in libseccomp.
//!
//! # Calls newer than the profile
//!
//! A profile that denies by default with EPERM breaks every new libc: a libc tries the new
//! call first and falls back on ENOSYS only. So, by runc's rule, numbers above the highest
//! number in that interface of any name that the profile mentions, with whatever action,
//! return ENOSYS, unless the default action lets calls through (ALLOW, LOG, TRACE). A call
//! below that number which the profile does not mention was known to its author, and gets the
//! default action. Two refinements: Arm's private calls, far above the others, do not raise
//! the limit; and on s390 number 0, which is how that kernel shows numbers it does not have,
//! returns ENOSYS too.
//!
//! Sources: seccomp(2), `linux/seccomp.h`, runtime-spec `config-linux.md` "Seccomp".

mod abi;
mod arguments;
mod assembler;
mod calls;
mod decisions;
#[cfg(any(test, feature = "fuzzing"))]
pub mod oracle;
mod program;
mod search;
mod table;
#[cfg(test)]
mod tests;

use abi::{Abi, X32_BIT};
use assembler::{Assembler, Target, Test};
use calls::Call;
use decisions::{Decisions, Fate, Interface, Ruling};

use crate::plan::invalid::Invalid;
use crate::spec::seccomp::{Action, Architecture, Flag, Rule, Seccomp};

pub use program::{Instruction, Listener, MAX_INSTRUCTIONS, Program};

/// `SECCOMP_FILTER_FLAG_TSYNC`
const FLAG_TSYNC: u32 = 1;
/// `SECCOMP_FILTER_FLAG_LOG`
const FLAG_LOG: u32 = 1 << 1;
/// `SECCOMP_FILTER_FLAG_SPEC_ALLOW`
const FLAG_SPEC_ALLOW: u32 = 1 << 2;
/// `SECCOMP_FILTER_FLAG_NEW_LISTENER`
pub const FLAG_NEW_LISTENER: u32 = 1 << 3;
/// `SECCOMP_FILTER_FLAG_TSYNC_ESRCH`
const FLAG_TSYNC_ESRCH: u32 = 1 << 4;
/// `SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV`
const FLAG_WAIT_KILLABLE_RECV: u32 = 1 << 5;

const KILL_THREAD: u32 = 0;
const ERRNO: u32 = 0x0005_0000;
const EPERM: u32 = 1;
const ENOSYS: u32 = 38;
/// The kernel cuts larger errno values down to this one (`MAX_ERRNO`).
const MAX_ERRNO: u32 = 4095;
/// The largest message a tracer can be given (`SECCOMP_RET_DATA`).
const MAX_TRACE_MESSAGE: u32 = 0xffff;

/// Offsets in `struct seccomp_data`.
const NUMBER: u32 = 0;
const INTERFACE: u32 = 4;

/// Compiles `profile` for a machine whose own programs use `native`.
///
/// Names that no interface has are tolerated and listed in [`Program::ignored`], because
/// profiles are written for newer and older kernels than the host's.
///
/// # Errors
/// [`Invalid`] names the JSON path: an errno on an action that takes none or out of range, an
/// argument index above 5, a rule without names, `SCMP_ACT_NOTIFY` where it would stop the
/// container's own start or without `listenerPath`, a flag that needs a listener, a profile
/// larger than the kernel's limit of 4096 instructions, a machine without a table of calls.
pub fn compile(profile: &Seccomp, native: Architecture) -> Result<Program, Invalid> {
    let listener = listener(profile)?;
    let flags = flags(profile, listener.is_some())?;
    let abis = interfaces(profile, native)?;
    let default = value(profile.default_action, profile.default_errno_ret, || {
        "linux.seccomp.defaultErrnoRet".into()
    })?;

    let mut decisions = Decisions::new(&abis, default);
    let mut ignored = Vec::new();
    for (at, rule) in profile.syscalls.iter().enumerate() {
        let ruling = ruling(rule, at)?;
        for name in &rule.names {
            match Call::named(name) {
                Some(call) => decisions.apply(call, ruling),
                None => ignored.push(name.clone()),
            }
        }
    }

    let permissive = matches!(
        profile.default_action,
        // A tracer answers ENOSYS itself, and emulates what it likes.
        Action::Allow | Action::Log | Action::Trace
    );
    let beyond = (!permissive).then_some(ERRNO | ENOSYS);
    let instructions = emit(&decisions, beyond);
    if instructions.len() > MAX_INSTRUCTIONS {
        return Err(Invalid::new(
            "linux.seccomp",
            format!(
                "the profile needs {} instructions and the kernel takes {MAX_INSTRUCTIONS}; \
                 use fewer rules with arguments or fewer architectures",
                instructions.len()
            ),
        ));
    }
    Ok(Program {
        instructions,
        flags,
        listener,
        ignored,
    })
}

/// The native interface first, then those of the profile that this machine can show.
///
/// Others (Arm's on x86, say) need no code: no kernel of this machine ever reports them.
fn interfaces(profile: &Seccomp, native: Architecture) -> Result<Vec<&'static Abi>, Invalid> {
    let Some(own) = Abi::of(native) else {
        return Err(Invalid::new(
            "linux.seccomp",
            format!("there is no table of system calls for this machine ({native:?})"),
        ));
    };
    let mut abis = vec![own];
    for architecture in &profile.architectures {
        if let Some(abi) = Abi::of(*architecture)
            && abi.meets(own)
            && !abis.contains(&abi)
        {
            abis.push(abi);
        }
    }
    Ok(abis)
}

fn ruling(rule: &Rule, at: usize) -> Result<Ruling<'_>, Invalid> {
    let place = |field: &str| format!("linux.seccomp.syscalls[{at}].{field}");
    if rule.names.is_empty() || rule.names.iter().any(String::is_empty) {
        return Err(Invalid::new(
            place("names"),
            "a rule needs at least one name, and no name is empty",
        ));
    }
    // The container's start ends with a few calls made under the filter. An agent that is not
    // connected yet could never answer them.
    if rule.action == Action::Notify && rule.names.iter().any(|name| name == "write") {
        return Err(Invalid::new(
            place("action"),
            "SCMP_ACT_NOTIFY cannot be used for write: the container could not report its start",
        ));
    }
    for (number, argument) in rule.args.iter().enumerate() {
        if argument.index > 5 {
            return Err(Invalid::new(
                place(&format!("args[{number}].index")),
                format!("{} is not between 0 and 5", argument.index),
            ));
        }
    }
    Ok(Ruling {
        value: value(rule.action, rule.errno_ret, || place("errnoRet"))?,
        conditions: &rule.args,
    })
}

/// The filter's return value for an action. Source: seccomp(2), `SECCOMP_RET_*`.
fn value(action: Action, errno: Option<u32>, place: impl Fn() -> String) -> Result<u32, Invalid> {
    let (base, most) = match action {
        Action::Kill | Action::KillThread => (KILL_THREAD, None),
        Action::KillProcess => (0x8000_0000, None),
        Action::Trap => (0x0003_0000, None),
        Action::Errno => (ERRNO, Some(MAX_ERRNO)),
        Action::Notify => (0x7fc0_0000, None),
        Action::Trace => (0x7ff0_0000, Some(MAX_TRACE_MESSAGE)),
        Action::Log => (0x7ffc_0000, None),
        Action::Allow => (0x7fff_0000, None),
    };
    match (errno, most) {
        (None, None) => Ok(base),
        (None, Some(_)) => Ok(base | EPERM),
        (Some(errno), Some(most)) if errno <= most => Ok(base | errno),
        (Some(errno), Some(most)) => Err(Invalid::new(
            place(),
            format!("{errno} is larger than {most}, the most this action can return"),
        )),
        (Some(_), None) => Err(Invalid::new(
            place(),
            "only SCMP_ACT_ERRNO and SCMP_ACT_TRACE take an errno",
        )),
    }
}

fn listener(profile: &Seccomp) -> Result<Option<Listener>, Invalid> {
    if profile.default_action == Action::Notify {
        return Err(Invalid::new(
            "linux.seccomp.defaultAction",
            "SCMP_ACT_NOTIFY cannot be the default: the container could not finish its start",
        ));
    }
    let notify = |rule: &Rule| rule.action == Action::Notify;
    let asks = profile.syscalls.iter().position(notify);
    match (&profile.listener_path, asks) {
        (None, Some(at)) => Err(Invalid::new(
            "linux.seccomp.listenerPath",
            format!("syscalls[{at}] uses SCMP_ACT_NOTIFY, so the agent's socket is needed"),
        )),
        (None, None) if profile.listener_metadata.is_some() => Err(Invalid::new(
            "linux.seccomp.listenerMetadata",
            "it must not be set without listenerPath",
        )),
        (Some(path), Some(_)) => Ok(Some(Listener {
            path: path.clone(),
            metadata: profile.listener_metadata.clone(),
        })),
        (_, None) => Ok(None),
    }
}

fn flags(profile: &Seccomp, listens: bool) -> Result<u32, Invalid> {
    let mut flags = if listens { FLAG_NEW_LISTENER } else { 0 };
    // Absent means "as the runtime thinks best". Like runc: the mitigation that kernels before
    // 5.16 tie to seccomp costs far more than it gives.
    let Some(wanted) = &profile.flags else {
        return Ok(flags | FLAG_SPEC_ALLOW);
    };
    for (at, flag) in wanted.iter().enumerate() {
        flags |= match flag {
            // Both flags want seccomp(2)'s one return value; this one moves TSYNC's to errno.
            Flag::Tsync if listens => FLAG_TSYNC | FLAG_TSYNC_ESRCH,
            Flag::Tsync => FLAG_TSYNC,
            Flag::Log => FLAG_LOG,
            Flag::SpecAllow => FLAG_SPEC_ALLOW,
            Flag::WaitKillableRecv if listens => FLAG_WAIT_KILLABLE_RECV,
            Flag::WaitKillableRecv => {
                return Err(Invalid::new(
                    format!("linux.seccomp.flags[{at}]"),
                    "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV needs a rule with SCMP_ACT_NOTIFY",
                ));
            }
        };
    }
    Ok(flags)
}

/// The whole program. Emission runs backwards: the native interface last, so that it stands
/// closest to the beginning.
fn emit(decisions: &Decisions, beyond: Option<u32>) -> Vec<Instruction> {
    let mut asm = Assembler::default();
    let mut start = Target::Return(KILL_THREAD);
    let mut sections: Vec<(u32, Target)> = Vec::new();
    for interface in decisions.interfaces.iter().rev() {
        let audit = interface.abi.audit;
        if sections.iter().any(|(done, _)| *done == audit) {
            continue;
        }
        let mut ranges = ranges(&mut asm, decisions, audit, beyond);
        ranges.dedup_by(|later, earlier| later.1 == earlier.1);
        let mut section = search::search(&mut asm, &ranges);
        if ranges.len() > 1 {
            section = asm.load(NUMBER, section);
        }
        sections.push((audit, section));
    }
    for (audit, section) in sections {
        start = asm.branch(Test::Equal, audit, section, start);
    }
    let start = asm.load(INTERFACE, start);
    asm.finish(start)
}

/// The fates of all numbers reported with `audit`, with the checks of arguments emitted.
///
/// x86_64 and x32 share one value and each has its half of the numbers. The half that the
/// profile does not admit is fatal, save for -1, which is no call but a tracer's way to skip
/// one.
fn ranges(
    asm: &mut Assembler,
    decisions: &Decisions,
    audit: u32,
    beyond: Option<u32>,
) -> Vec<(u32, Target)> {
    let default = Target::Return(decisions.default);
    let mut ranges = Vec::with_capacity(128);
    let of = |x32: bool| {
        let all = decisions.interfaces.iter();
        all.filter(move |one| one.abi.audit == audit && one.abi.is_x32() == x32)
    };
    let mut append = |interface: &Interface, ranges: &mut Vec<(u32, Target)>| {
        for (start, fate) in interface.ranges(beyond) {
            let target = match fate {
                Fate::Return(value) => Target::Return(value),
                Fate::Check(at) => decisions.checks[at].emit(asm, default),
            };
            ranges.push((start, target));
        }
    };
    match of(false).next() {
        Some(interface) => append(interface, &mut ranges),
        None => ranges.push((0, Target::Return(KILL_THREAD))),
    }
    match of(true).next() {
        Some(interface) => append(interface, &mut ranges),
        None if audit == abi::AUDIT_X86_64 => {
            ranges.push((X32_BIT, Target::Return(KILL_THREAD)));
            ranges.push((u32::MAX, default));
        }
        None => {}
    }
    ranges
}

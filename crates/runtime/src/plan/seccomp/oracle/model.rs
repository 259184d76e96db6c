//! What a profile means, said as plainly and slowly as possible.

use super::interpreter::Seen;
use crate::plan::seccomp::abi::{Abi, X32_BIT};
use crate::plan::seccomp::calls::Call;
use crate::plan::seccomp::table::TABLE;
use crate::spec::seccomp::{Action, Architecture, Argument, Operator, Rule, Seccomp};

/// The answer of the model.
#[derive(Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What the filter returns.
    pub value: u32,
    /// libseccomp alone would not say this: the call is newer than the profile.
    pub newer: bool,
    /// Rules with different actions hold; their order decides here and chance in libseccomp.
    pub contested: bool,
    /// The call came through a second door and a rule with conditions stands behind it.
    pub behind_door: bool,
}

/// An entry that applies to the call: its conditions and its value.
type Applicable<'a> = (Vec<Argument>, u32, bool);

/// What a profile says of one call.
///
/// # Panics
/// When there is no table of calls for the machine.
#[must_use]
pub fn judge(profile: &Seccomp, native: Architecture, seen: &Seen) -> Verdict {
    let plain = |value| Verdict {
        value,
        newer: false,
        contested: false,
        behind_door: false,
    };
    let default = value(profile.default_action, profile.default_errno_ret);
    let mut admitted = vec![native];
    admitted.extend(&profile.architectures);
    let own = Abi::of(native).expect("a machine with a table");
    let mut abis = admitted.iter().filter_map(|one| Abi::of(*one));
    let x32 = seen.audit == 0xc000_003e && seen.number >= X32_BIT;
    let x86_64 = Abi::of(Architecture::X86_64).expect("a machine with a table");
    let x86_64 = x86_64.meets(own) && admitted.contains(&x86_64.architecture);
    let skipped = x86_64 && seen.number == u32::MAX && seen.audit == 0xc000_003e;
    let abi = abis.find(|abi| abi.meets(own) && abi.audit == seen.audit && abi.is_x32() == x32);
    let Some(abi) = abi else {
        return plain(if skipped { default } else { 0 });
    };

    let newer = is_newer(profile, abi, seen.number);
    let permissive = [Action::Allow, Action::Log, Action::Trace];
    if newer && !permissive.contains(&profile.default_action) {
        return Verdict {
            value: 0x0005_0000 | 38,
            newer,
            ..plain(0)
        };
    }

    let mut rules = applicable(profile, abi, seen.number, default);
    for (conditions, ..) in &mut rules {
        // A mask of nothing is no condition.
        let asks = |one: &Argument| one.op != Operator::MaskedEqual || cut(one.value, abi) != 0;
        conditions.retain(asks);
    }
    let behind_door = rules.iter().any(|(.., doubtful)| *doubtful)
        || doubtful_left_out(profile, abi, seen.number);
    if let Some((_, value, _)) = rules.iter().find(|(conditions, ..)| conditions.is_empty()) {
        return Verdict {
            behind_door,
            ..plain(*value)
        };
    }
    let holding: Vec<u32> = rules
        .iter()
        .filter(|(conditions, ..)| conditions.iter().all(|one| holds(one, abi, seen)))
        .map(|(_, value, _)| *value)
        .collect();
    Verdict {
        value: *holding.first().unwrap_or(&default),
        newer: false,
        contested: holding.iter().any(|value| *value != holding[0]),
        behind_door,
    }
}

/// Whether the profile knows no name as high as this number.
fn is_newer(profile: &Seccomp, abi: &Abi, seen: u32) -> bool {
    let names = || profile.syscalls.iter().flat_map(|rule| &rule.names);
    let number = |name: &String| Some(abi.number(Call::named(name)?.cell(abi)?));
    let private = |number: &u32| *number >= 0xf0000 && *number < X32_BIT;
    let reached = |name: &String| number(name).or_else(|| door(name, abi).map(|(at, _)| at));
    let newest = names().filter_map(reached).filter(|n| !private(n)).max();
    let newest_private = names().filter_map(number).filter(private).max();
    newest.is_some_and(|newest| {
        let hidden = seen == 0 && abi.hides_unknown_numbers();
        let within = newest_private.is_some_and(|p| (0xf0000..=p).contains(&seen));
        hidden || (seen > newest && !within)
    })
}

/// Number and first argument of the second door to `name`.
fn door(name: &str, abi: &Abi) -> Option<(u32, u32)> {
    let door = Call::named(name)?.door(abi)?;
    Some((abi.number(door.cell), door.selector))
}

fn applicable<'a>(
    profile: &'a Seccomp,
    abi: &Abi,
    number: u32,
    default: u32,
) -> Vec<Applicable<'a>> {
    let mut found = Vec::new();
    for rule in &profile.syscalls {
        let result = value(rule.action, rule.errno_ret);
        if result == default {
            continue;
        }
        for name in &rule.names {
            let direct = TABLE.iter().find(|(one, _)| one == name);
            let direct = direct.map(|(_, row)| row[abi.column]);
            if direct.is_some_and(|cell| cell != u16::MAX && abi.number(cell) == number) {
                found.extend(split(rule).into_iter().map(|args| (args, result, false)));
            }
            let stricter = (result & !0xffff).cast_signed() < (default & !0xffff).cast_signed();
            match door(name, abi) {
                Some((at, selector)) if at == number && (rule.args.is_empty() || stricter) => {
                    let selects = Argument {
                        index: 0,
                        value: selector.into(),
                        value_two: 0,
                        op: Operator::Equal,
                    };
                    found.push((vec![selects], result, !rule.args.is_empty()));
                }
                _ => {}
            }
        }
    }
    found
}

/// Whether a rule with conditions was not extended to the second door `number`.
fn doubtful_left_out(profile: &Seccomp, abi: &Abi, number: u32) -> bool {
    profile.syscalls.iter().any(|rule| {
        let behind = |name: &String| door(name, abi).is_some_and(|(at, _)| at == number);
        !rule.args.is_empty() && rule.names.iter().any(behind)
    })
}

fn split(rule: &Rule) -> Vec<Vec<Argument>> {
    let twice = rule.args.iter().enumerate().any(|(at, one)| {
        let rest = &rule.args[at + 1..];
        rest.iter().any(|other| other.index == one.index)
    });
    if twice {
        rule.args.iter().map(|one| vec![*one]).collect()
    } else {
        vec![rule.args.clone()]
    }
}

fn cut(value: u64, abi: &Abi) -> u64 {
    if abi.wide { value } else { value & 0xffff_ffff }
}

fn holds(condition: &Argument, abi: &Abi, seen: &Seen) -> bool {
    let actual = cut(seen.arguments[condition.index as usize], abi);
    let value = cut(condition.value, abi);
    match condition.op {
        Operator::NotEqual => actual != value,
        Operator::Less => actual < value,
        Operator::LessOrEqual => actual <= value,
        Operator::Equal => actual == value,
        Operator::GreaterOrEqual => actual >= value,
        Operator::Greater => actual > value,
        Operator::MaskedEqual => actual & value == condition.value_two & value,
    }
}

/// The kernel's value of an action.
#[must_use]
pub fn value(action: Action, errno: Option<u32>) -> u32 {
    match action {
        Action::Kill | Action::KillThread => 0,
        Action::KillProcess => 0x8000_0000,
        Action::Trap => 0x0003_0000,
        Action::Errno => 0x0005_0000 | errno.unwrap_or(1),
        Action::Notify => 0x7fc0_0000,
        Action::Trace => 0x7ff0_0000 | errno.unwrap_or(1),
        Action::Log => 0x7ffc_0000,
        Action::Allow => 0x7fff_0000,
    }
}

//! From the profile's names to the fate of every number.
//!
//! For each interface there is one slot per number: a fixed return value or a check of
//! arguments. The rules for filling slots are those of libseccomp as runc
//! uses it, so that a profile means the same here:
//!
//! - A rule whose action equals the default action says nothing and is left out.
//! - A rule without conditions outweighs all rules with conditions on the same call; of two
//!   without, the first counts.
//! - Conditions of one rule must all hold, unless two of them look at the same argument: then
//!   each stands alone, as if written as a rule of its own.
//! - Of several rules with conditions the first that holds decides. (libseccomp promises no
//!   order; it agrees wherever rules with different actions do not overlap.)
//! - Where calls have a second door (`socketcall`, `ipc`), a rule without conditions holds for
//!   both. A rule with conditions cannot be checked there, as the arguments lie in memory. It
//!   closes the second door if it is stricter than the default and leaves it alone if it is
//!   not. (libseccomp opens it, which lets i386 programs around a filter on socket families.)

use super::abi::{ARM_PRIVATE_BASE, Abi, PRIVATE};
use super::arguments::{Check, Condition, Conditional, Words};
use super::calls::{Call, Door};
use crate::spec::seccomp::Argument;

/// One slot per table cell, and a few for Arm's private calls.
const SLOTS: usize = PRIVATE as usize + 16;

/// What happens to a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// The filter returns this.
    Return(u32),
    /// [`Decisions::checks`] of this index decides.
    Check(usize),
}

/// A rule of the profile with its action already turned into a return value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ruling<'a> {
    pub(super) value: u32,
    pub(super) conditions: &'a [Argument],
}

/// The fate of every number of every interface in the filter.
#[derive(Debug)]
pub(super) struct Decisions {
    pub(super) checks: Vec<Check>,
    pub(super) interfaces: Vec<Interface>,
    pub(super) default: u32,
}

/// The numbers of one interface.
#[derive(Debug)]
pub(super) struct Interface {
    pub(super) abi: &'static Abi,
    slots: Box<[Fate; SLOTS]>,
    default: u32,
    /// The highest ordinary cell, and the highest private one, that the profile names.
    newest: Option<u16>,
    newest_private: Option<u16>,
}

impl Decisions {
    /// All numbers get `default`.
    pub(super) fn new(abis: &[&'static Abi], default: u32) -> Decisions {
        let interfaces = abis.iter().map(|abi| Interface {
            abi,
            slots: Box::new([Fate::Return(default); SLOTS]),
            default,
            newest: None,
            newest_private: None,
        });
        Decisions {
            checks: Vec::new(),
            interfaces: interfaces.collect(),
            default,
        }
    }

    /// Applies one rule to one call in every interface.
    pub(super) fn apply(&mut self, call: Call, ruling: Ruling<'_>) {
        let redundant = ruling.value == self.default;
        let conditional = !ruling.conditions.is_empty();
        let closes = stricter(ruling.value, self.default);
        for interface in &mut self.interfaces {
            let abi = interface.abi;
            let direct = call.cell(abi);
            if let (None, Some(door)) = (direct, call.door(abi)) {
                // Named all the same, whether or not the rule reaches behind the door.
                interface.remember(door.cell);
            }
            if let Some(cell) = direct {
                interface.remember(cell);
                if redundant {
                    continue;
                }
                for rule in conditionals(ruling, Words::of(abi)) {
                    if rule.conditions.is_empty() {
                        interface.decide(cell, ruling.value);
                    } else {
                        interface.check(&mut self.checks, cell, rule);
                    }
                }
            }
            if let Some(door) = call.door(abi)
                && !redundant
                && (!conditional || closes)
            {
                interface.check(&mut self.checks, door.cell, door.rule(ruling.value));
            }
        }
    }
}

impl Door {
    fn rule(self, value: u32) -> Conditional {
        Conditional {
            conditions: vec![Condition::selects(self.selector)],
            value,
        }
    }
}

impl Words {
    fn of(abi: &Abi) -> Words {
        Words {
            wide: abi.wide,
            big_endian: abi.big_endian,
        }
    }
}

impl Interface {
    /// `(first number, fate)`, sorted; numbers above the newest known one return `beyond`.
    ///
    /// "Known" is what the profile names, whatever it says about it. Arm's private calls lie
    /// far above all others and do not count as news. On s390 the kernel shows a number it
    /// does not have as 0, so 0 is beyond, too.
    pub(super) fn ranges(&self, beyond: Option<u32>) -> Vec<(u32, Fate)> {
        let beyond = beyond.filter(|_| self.newest.is_some());
        let outside = Fate::Return(beyond.unwrap_or(self.default));
        let mut ranges: Vec<(u32, Fate)> = Vec::with_capacity(128);
        let mut add = |start: u32, fate: Fate| {
            if ranges.last().is_none_or(|(_, last)| *last != fate) {
                ranges.push((start, fate));
            }
        };
        let end = self.newest.map_or(0, |newest| newest + 1);
        for cell in 0..end {
            let hidden = cell == 0 && self.abi.hides_unknown_numbers();
            let own = self.slots[usize::from(cell)];
            add(self.abi.number(cell), if hidden { outside } else { own });
        }
        add(self.abi.number(end), outside);
        if let Some(newest) = self.newest_private {
            add(ARM_PRIVATE_BASE, Fate::Return(self.default));
            for cell in PRIVATE..=newest {
                add(self.abi.number(cell), self.slots[usize::from(cell)]);
            }
            add(self.abi.number(newest + 1), outside);
        }
        ranges
    }

    fn remember(&mut self, cell: u16) {
        let newest = if cell < PRIVATE {
            &mut self.newest
        } else {
            &mut self.newest_private
        };
        *newest = (*newest).max(Some(cell));
    }

    /// A rule without conditions; rules that repeat the default never come here, so a slot
    /// that returns the default has not been decided yet.
    fn decide(&mut self, cell: u16, value: u32) {
        let now = &mut self.slots[usize::from(cell)];
        if matches!(now, Fate::Check(_)) || *now == Fate::Return(self.default) {
            *now = Fate::Return(value);
        }
    }

    fn check(&mut self, checks: &mut Vec<Check>, cell: u16, rule: Conditional) {
        // A second door is a call of its own, even if the profile does not name it.
        self.remember(cell);
        let now = &mut self.slots[usize::from(cell)];
        match *now {
            Fate::Check(at) => checks[at].rules.push(rule),
            Fate::Return(value) if value == self.default => {
                let words = Words::of(self.abi);
                let rules = vec![rule];
                checks.push(Check { rules, words });
                *now = Fate::Check(checks.len() - 1);
            }
            Fate::Return(_) => {}
        }
    }
}

/// One rule, or one per condition when two of them look at the same argument. A rule without
/// conditions always holds.
fn conditionals(ruling: Ruling<'_>, words: Words) -> Vec<Conditional> {
    let seen = |index: u32| {
        let same = ruling.conditions.iter().filter(|one| one.index == index);
        same.count()
    };
    let split = ruling.conditions.iter().any(|one| seen(one.index) > 1);
    let rule = |arguments: &[Argument]| Conditional {
        conditions: arguments
            .iter()
            .filter_map(|one| Condition::new(one, words))
            .collect(),
        value: ruling.value,
    };
    if split {
        ruling.conditions.chunks(1).map(rule).collect()
    } else {
        vec![rule(ruling.conditions)]
    }
}

/// Whether the kernel prefers `value` to `other` when two filters disagree: the smaller, as a
/// signed number, is the stricter. Source: seccomp(2).
fn stricter(value: u32, other: u32) -> bool {
    (value & 0xffff_0000).cast_signed() < (other & 0xffff_0000).cast_signed()
}

//! Rules that look at a call's arguments.
//!
//! A filter sees each argument as 64 bits but computes with 32, so a wide comparison looks at
//! the upper half first and at the lower half only where the upper one has not decided.
//! Neighbouring rules that each ask one question about the same argument (a list of socket
//! families, say) become one search instead of one comparison per rule.
//! Source: seccomp(2), `struct seccomp_data`.

use super::assembler::{Assembler, Target, Test};
use super::program::MAX_INSTRUCTIONS;
use super::search::{Ranges, paint, search};
use crate::spec::seccomp::{Argument, Operator};

/// What to do with one call, depending on its arguments: the first rule that holds decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Check {
    pub(super) rules: Vec<Conditional>,
    /// How this interface passes arguments.
    pub(super) words: Words,
}

/// Return this when all conditions hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Conditional {
    pub(super) conditions: Vec<Condition>,
    pub(super) value: u32,
}

/// How the halves of an argument lie in memory and how many of them count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) wide: bool,
    pub(super) big_endian: bool,
}

/// A question about one argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Condition {
    argument: u32,
    question: Question,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Question {
    /// `first..=last`, or everything but it.
    Within {
        first: u64,
        last: u64,
        inside: bool,
    },
    Masked {
        mask: u64,
        value: u64,
    },
}

impl Condition {
    /// The condition `argument` states, for arguments of the given words; `None` if a mask
    /// leaves nothing to ask, which for libseccomp, too, is no condition at all.
    ///
    /// Where only the lower half counts, constants lose their upper half too, as in
    /// libseccomp, so that a -1 written with 64 bits still means -1.
    pub(super) fn new(argument: &Argument, words: Words) -> Option<Condition> {
        let most = if words.wide {
            u64::MAX
        } else {
            u64::from(u32::MAX)
        };
        let value = argument.value & most;
        let empty = argument.op == Operator::MaskedEqual && value == 0;
        (!empty).then(|| Condition {
            argument: argument.index,
            question: Question::new(argument.op, value, argument.value_two, most),
        })
    }

    /// The first argument equals `selector`.
    pub(super) fn selects(selector: u32) -> Condition {
        let value = u64::from(selector);
        Condition {
            argument: 0,
            question: Question::Within {
                first: value,
                last: value,
                inside: true,
            },
        }
    }
}

impl Question {
    fn new(op: Operator, value: u64, value_two: u64, most: u64) -> Question {
        let (first, last, inside) = match op {
            Operator::Equal => (value, value, true),
            Operator::NotEqual => (value, value, false),
            Operator::LessOrEqual => (0, value, true),
            Operator::Greater => (0, value, false),
            Operator::GreaterOrEqual => (value, most, true),
            Operator::Less => (value, most, false),
            Operator::MaskedEqual if value == most => (value_two & most, value_two & most, true),
            Operator::MaskedEqual => {
                return Question::Masked {
                    mask: value,
                    value: value_two & value,
                };
            }
        };
        Question::Within {
            first,
            last,
            inside,
        }
    }
}

impl Words {
    /// Offset of an argument's lower half in `struct seccomp_data`.
    fn low(self, argument: u32) -> u32 {
        16 + 8 * argument + if self.big_endian { 4 } else { 0 }
    }

    fn high(self, argument: u32) -> u32 {
        16 + 8 * argument + if self.big_endian { 0 } else { 4 }
    }
}

impl Check {
    /// Emits the check; `otherwise` is where a call goes that no rule matches.
    pub(super) fn emit(&self, asm: &mut Assembler, otherwise: Target) -> Target {
        let mut next = otherwise;
        for group in self.rules.chunk_by(Conditional::joins).rev() {
            next = match group {
                [first, ..] if first.range().is_some() => self.emit_ranges(asm, group, next),
                _ => group.iter().rev().fold(next, |next, rule| {
                    let hit = Target::Return(rule.value);
                    let conditions = rule.conditions.iter().rev();
                    conditions.fold(hit, |yes, one| self.emit_condition(asm, one, yes, next))
                }),
            };
        }
        next
    }

    /// Rules about ranges of one argument, as one search.
    fn emit_ranges(&self, asm: &mut Assembler, group: &[Conditional], next: Target) -> Target {
        let mut ranges = vec![(0, next)];
        let mut argument = 0;
        for rule in group.iter().rev() {
            // Every range costs an instruction, so this profile is refused for its length
            // whatever follows; without a stop here it would take time first.
            if ranges.len() > 2 * MAX_INSTRUCTIONS {
                break;
            }
            if let Some((of, first, last, inside)) = rule.range() {
                argument = of;
                self.paint(&mut ranges, first, last, inside, Target::Return(rule.value));
            }
        }
        self.emit_search(asm, argument, &ranges)
    }

    fn emit_condition(
        &self,
        asm: &mut Assembler,
        condition: &Condition,
        yes: Target,
        no: Target,
    ) -> Target {
        match condition.question {
            Question::Within {
                first,
                last,
                inside,
            } => {
                let mut ranges = vec![(0, no)];
                self.paint(&mut ranges, first, last, inside, yes);
                self.emit_search(asm, condition.argument, &ranges)
            }
            Question::Masked { mask, value } => {
                self.emit_masked(asm, condition.argument, mask, value, yes, no)
            }
        }
    }

    fn paint(&self, ranges: &mut Ranges<u64>, first: u64, last: u64, inside: bool, to: Target) {
        if inside {
            return paint(ranges, first, last, to);
        }
        let most = if self.words.wide {
            u64::MAX
        } else {
            u64::from(u32::MAX)
        };
        if first > 0 {
            paint(ranges, 0, first - 1, to);
        }
        if last < most {
            paint(ranges, last + 1, most, to);
        }
    }

    /// Searches `ranges` for an argument.
    fn emit_search(&self, asm: &mut Assembler, argument: u32, ranges: &Ranges<u64>) -> Target {
        let mut upper: Ranges<u32> = Vec::new();
        let mut last = ranges[0].1;
        for group in ranges.chunk_by(|a, b| half(a.0, 32) == half(b.0, 32)) {
            let at = half(group[0].0, 32);
            let mut lower: Ranges<u32> = Vec::with_capacity(group.len() + 1);
            if half(group[0].0, 0) != 0 {
                lower.push((0, last));
            }
            lower.extend(group.iter().map(|(start, to)| (half(*start, 0), *to)));
            last = lower[lower.len() - 1].1;
            let target = self.emit_lower(asm, argument, &lower);
            // The values before this upper half ended with their own, or go on up to it.
            upper.retain(|(start, _)| *start != at);
            upper.push((at, target));
            if let Some(after) = at.checked_add(1)
                && lower.len() > 1
            {
                upper.push((after, last));
            }
        }
        upper.dedup_by(|later, earlier| later.1 == earlier.1);
        match upper[..] {
            [(_, only)] => only,
            // In narrow interfaces the kernel itself leaves the upper half zero.
            _ if !self.words.wide => upper[0].1,
            _ => {
                let found = search(asm, &upper);
                asm.load(self.words.high(argument), found)
            }
        }
    }

    fn emit_lower(&self, asm: &mut Assembler, argument: u32, ranges: &Ranges<u32>) -> Target {
        match ranges[..] {
            [(_, only)] => only,
            _ => {
                let found = search(asm, ranges);
                asm.load(self.words.low(argument), found)
            }
        }
    }

    fn emit_masked(
        &self,
        asm: &mut Assembler,
        argument: u32,
        mask: u64,
        value: u64,
        yes: Target,
        no: Target,
    ) -> Target {
        let lower = emit_masked_half(
            asm,
            self.words.low(argument),
            (half(mask, 0), half(value, 0)),
            yes,
            no,
        );
        emit_masked_half(
            asm,
            self.words.high(argument),
            (half(mask, 32), half(value, 32)),
            lower,
            no,
        )
    }
}

/// `(word & mask) == value` for one half; a mask of nothing asks nothing.
fn emit_masked_half(
    asm: &mut Assembler,
    offset: u32,
    (mask, value): (u32, u32),
    yes: Target,
    no: Target,
) -> Target {
    if mask == 0 {
        return yes;
    }
    let tested = if value == 0 {
        asm.branch(Test::AnyBit, mask, no, yes)
    } else if mask == u32::MAX {
        asm.branch(Test::Equal, value, yes, no)
    } else if value == mask && mask.is_power_of_two() {
        asm.branch(Test::AnyBit, mask, yes, no)
    } else {
        let compared = asm.branch(Test::Equal, value, yes, no);
        if compared == yes {
            compared
        } else {
            asm.mask(mask, compared)
        }
    };
    if tested == yes {
        return yes;
    }
    asm.load(offset, tested)
}

impl Conditional {
    /// `(argument, first, last, inside)` when the rule asks for one range and nothing else.
    fn range(&self) -> Option<(u32, u64, u64, bool)> {
        match self.conditions[..] {
            [
                Condition {
                    argument,
                    question:
                        Question::Within {
                            first,
                            last,
                            inside,
                        },
                },
            ] => Some((argument, first, last, inside)),
            _ => None,
        }
    }

    /// Whether `next` can be decided in the same search.
    fn joins(&self, next: &Conditional) -> bool {
        match (self.range(), next.range()) {
            (Some((one, ..)), Some((other, ..))) => one == other,
            _ => false,
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "taking 32 of the 64 bits is the purpose"
)]
fn half(value: u64, shift: u32) -> u32 {
    (value >> shift) as u32
}

//! Finding a value's range by halving.
//!
//! Numbers of system calls and values of arguments are both decided by ranges: a list of
//! (first value, where to go), sorted, beginning at 0. Neighbouring values with the same fate
//! share a range, so a profile of 400 names needs far fewer tests than names.

use super::assembler::{Assembler, Target, Test};

/// `ranges[i]` covers the values from its own start to before the next one's.
pub(super) type Ranges<T> = Vec<(T, Target)>;

/// Up to how many odd values are asked for one after the other. Three tests in a row take no
/// longer than halving seven ranges, and half the room.
const ODD_VALUES: usize = 3;

/// Neighbouring ranges: one target but for a few single values.
struct Stretch {
    start: u32,
    around: Target,
    odd: Vec<(u32, Target)>,
}

/// Emits a search for the accumulator in `ranges`.
pub(super) fn search(asm: &mut Assembler, ranges: &[(u32, Target)]) -> Target {
    halve(asm, &stretches(ranges))
}

fn halve(asm: &mut Assembler, stretches: &[Stretch]) -> Target {
    match stretches {
        [] => unreachable!("ranges begin at 0, so there is always one"),
        [Stretch { around, odd, .. }] => odd.iter().rev().fold(*around, |next, (at, target)| {
            asm.branch(Test::Equal, *at, *target, next)
        }),
        _ => {
            let (low, high) = stretches.split_at(stretches.len() / 2);
            let from = high[0].start;
            let high = halve(asm, high);
            let low = halve(asm, low);
            asm.branch(Test::AtLeast, from, high, low)
        }
    }
}

/// Cuts `ranges` into stretches, each as long as it can be.
fn stretches(ranges: &[(u32, Target)]) -> Vec<Stretch> {
    let mut stretches: Vec<Stretch> = Vec::with_capacity(ranges.len());
    let mut rest = ranges;
    while let [(start, around), ..] = *rest {
        let mut odd = Vec::new();
        // A single value and what was before it.
        while let [_, (at, target), (after, again), ..] = *rest
            && again == around
            && after == at + 1
            && odd.len() < ODD_VALUES
        {
            odd.push((at, target));
            rest = &rest[2..];
        }
        rest = &rest[1..];
        stretches.push(Stretch { start, around, odd });
    }
    stretches
}

/// Gives the values from `first` to `last` (inclusive) to `target`.
pub(super) fn paint(ranges: &mut Ranges<u64>, first: u64, last: u64, target: Target) {
    if first > last {
        return;
    }
    let after = last.checked_add(1);
    let begin = cut(ranges, first);
    let end = after.map_or(ranges.len(), |after| cut(ranges, after));
    ranges.splice(begin..end, [(first, target)]);
    ranges.dedup_by(|later, earlier| later.1 == earlier.1);
}

/// Makes a range begin at `value` and says which one it is.
fn cut(ranges: &mut Ranges<u64>, value: u64) -> usize {
    match ranges.binary_search_by_key(&value, |(start, _)| *start) {
        Ok(at) => at,
        Err(at) => {
            let target = ranges[at - 1].1;
            ranges.insert(at, (value, target));
            at
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Target = Target::Return(1);
    const B: Target = Target::Return(2);

    #[test]
    fn painting_splits_and_merges() {
        let mut ranges = vec![(0, A)];
        paint(&mut ranges, 5, 9, B);
        assert_eq!(ranges, [(0, A), (5, B), (10, A)]);
        paint(&mut ranges, 10, u64::MAX, B);
        assert_eq!(ranges, [(0, A), (5, B)]);
        paint(&mut ranges, 0, 4, B);
        assert_eq!(ranges, [(0, B)]);
        paint(&mut ranges, 7, 3, A);
        assert_eq!(ranges, [(0, B)]);
    }

    #[test]
    fn odd_values_cost_one_test_each() {
        let length = |ranges: &[(u32, Target)]| {
            let mut asm = Assembler::default();
            let start = search(&mut asm, ranges);
            asm.finish(start).len()
        };
        let returns = 2;
        assert_eq!(length(&[(0, A), (7, B), (8, A)]), 1 + returns);
        assert_eq!(
            length(&[(0, A), (7, B), (8, A), (9, B), (10, A)]),
            2 + returns
        );
        assert_eq!(length(&[(0, A), (7, B), (9, A)]), 2 + returns);
        assert_eq!(length(&[(0, A), (7, B)]), 1 + returns);
    }
}

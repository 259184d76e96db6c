//! Writing classic BPF from its end to its beginning.
//!
//! Conditional jumps of classic BPF go forward only, by at most 255 instructions. Emitting
//! the last instruction first means that every jump's target already stands, so its distance
//! is known at once. When a target is too far, a copy of it (a return) or a long jump to it
//! is put next to the jump. Source: the kernel's `Documentation/networking/filter.rst`.

use super::program::Instruction;

const LOAD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
const AND: u16 = 0x54; // BPF_ALU | BPF_AND | BPF_K
const JUMP: u16 = 0x05; // BPF_JMP | BPF_JA
const RETURN: u16 = 0x06; // BPF_RET | BPF_K

/// The furthest a conditional jump reaches.
const REACH: usize = 255;

/// A test of the accumulator against a constant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub(super) enum Test {
    /// Equal.
    Equal = 0x15,
    /// Unsigned greater or equal.
    AtLeast = 0x35,
    /// Some bit in common.
    AnyBit = 0x45,
}

/// Where control goes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// The filter ends with this value.
    Return(u32),
    /// An instruction already emitted, counted from the program's end.
    At(usize),
}

/// A program under construction; `code` is in reverse order.
#[derive(Debug, Default)]
pub(super) struct Assembler {
    code: Vec<Instruction>,
    /// Where a target may be reached: returns by value and long jumps by destination.
    stops: Vec<(Target, usize)>,
}

impl Assembler {
    /// `if test(accumulator, k) { yes } else { no }`.
    pub(super) fn branch(&mut self, test: Test, k: u32, yes: Target, no: Target) -> Target {
        if yes == no {
            return yes;
        }
        // Making `no` reachable may emit one instruction more, so `yes` keeps one in reserve.
        let yes = self.stop(yes, REACH - 1);
        let no = self.stop(no, REACH);
        let jt = self.distance(yes);
        let jf = self.distance(no);
        self.push(test as u16, jt, jf, k)
    }

    /// Loads the 32-bit word of `struct seccomp_data` at `offset`, then goes on.
    pub(super) fn load(&mut self, offset: u32, then: Target) -> Target {
        self.fall_into(then);
        self.push(LOAD, 0, 0, offset)
    }

    /// Masks the accumulator, then goes on.
    pub(super) fn mask(&mut self, mask: u32, then: Target) -> Target {
        self.fall_into(then);
        self.push(AND, 0, 0, mask)
    }

    /// The program that begins at `start`, in execution order.
    pub(super) fn finish(mut self, start: Target) -> Vec<Instruction> {
        self.fall_into(start);
        self.code.reverse();
        self.code
    }

    fn push(&mut self, code: u16, jt: u8, jf: u8, k: u32) -> Target {
        self.code.push(Instruction { code, jt, jf, k });
        Target::At(self.code.len() - 1)
    }

    /// Makes sure that the instruction emitted last leads straight to `target`.
    fn fall_into(&mut self, target: Target) {
        match target {
            Target::At(at) if at + 1 == self.code.len() => {}
            Target::At(at) => {
                let skip = self.code.len() - 1 - at;
                let skip = u32::try_from(skip).expect("a filter is far shorter than 2^32");
                self.push(JUMP, 0, 0, skip);
            }
            Target::Return(value) => {
                self.push(RETURN, 0, 0, value);
                self.stops.push((target, self.code.len() - 1));
            }
        }
    }

    /// An instruction at most `reach` away from the next one that leads to `target`.
    fn stop(&mut self, target: Target, reach: usize) -> usize {
        let near = |at: usize| self.code.len() - at <= reach;
        if let Target::At(at) = target
            && near(at)
        {
            return at;
        }
        let known = self.stops.iter().rev().find(|(one, _)| *one == target);
        if let Some((_, at)) = known
            && near(*at)
        {
            return *at;
        }
        self.fall_into(target);
        let at = self.code.len() - 1;
        self.stops.push((target, at));
        at
    }

    /// How many instructions the next one must skip to land on `at`.
    fn distance(&self, at: usize) -> u8 {
        u8::try_from(self.code.len() - 1 - at).expect("stop() keeps targets within reach")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn op(code: u16, jt: u8, jf: u8, k: u32) -> Instruction {
        Instruction { code, jt, jf, k }
    }

    #[test]
    fn a_branch_shares_its_returns() {
        let mut asm = Assembler::default();
        let low = asm.branch(Test::Equal, 1, Target::Return(7), Target::Return(8));
        let top = asm.branch(Test::Equal, 2, Target::Return(8), low);
        let start = asm.load(0, top);
        let expected = [
            op(LOAD, 0, 0, 0),
            op(0x15, 1, 0, 2),
            op(0x15, 1, 0, 1),
            op(RETURN, 0, 0, 8),
            op(RETURN, 0, 0, 7),
        ];
        assert_eq!(asm.finish(start), expected);
    }

    #[test]
    fn equal_targets_need_no_branch() {
        let mut asm = Assembler::default();
        let both = asm.branch(Test::Equal, 1, Target::Return(7), Target::Return(7));
        assert_eq!(asm.finish(both), [op(RETURN, 0, 0, 7)]);
    }

    #[test]
    fn far_targets_get_a_long_jump_or_a_copy() {
        let mut asm = Assembler::default();
        let far = asm.load(16, Target::Return(1));
        let mut here = Target::Return(2);
        for k in 0..600 {
            here = asm.branch(Test::Equal, k, far, here);
        }
        let code = asm.finish(here);
        assert!(code.iter().filter(|one| one.code == JUMP).count() >= 2);
        let returns = code.iter().filter(|one| **one == op(RETURN, 0, 0, 2));
        assert_eq!(returns.count(), 1, "only the innermost test returns 2");
        for (at, one) in code.iter().enumerate() {
            let skip = match one.code {
                JUMP => one.k as usize,
                0x15 => usize::from(one.jt.max(one.jf)),
                _ => 0,
            };
            assert!(at + skip + 1 < code.len() || one.code == RETURN, "{at}");
        }
    }
}

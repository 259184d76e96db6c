//! Draws calls that are likely to touch a profile's rules.

use super::interpreter::Seen;
use crate::plan::seccomp::abi::Abi;
use crate::plan::seccomp::calls::Call;
use crate::spec::seccomp::{Architecture, Seccomp};

use Architecture as A;

/// Machines and the further interfaces a profile for them may admit.
pub const MACHINES: [(Architecture, &[Architecture]); 8] = [
    (A::X86_64, &[A::X86, A::X32, A::Aarch64]),
    (A::X86, &[A::X86_64]),
    (A::Aarch64, &[A::Arm]),
    (A::Riscv64, &[]),
    (A::LoongArch64, &[A::X86_64, A::Mips64]),
    (A::Ppc64Le, &[]),
    (A::Ppc64, &[A::Ppc]),
    (A::S390X, &[A::S390]),
];

/// Values at the edges of a word and of its halves.
pub const VALUES: [u64; 12] = [
    0,
    1,
    2,
    5,
    9,
    0x7e02_0000,
    0xffff_ffff,
    0x1_0000_0000,
    0x1_0000_0005,
    0xffff_ffff_0000_0000,
    u64::MAX - 1,
    u64::MAX,
];

/// Draws calls that are likely to touch the profile's rules.
#[derive(Debug)]
pub struct Caller<'a> {
    profile: &'a Seccomp,
    abis: Vec<&'static Abi>,
    seed: u64,
}

impl<'a> Caller<'a> {
    /// Calls through any interface that a profile for this machine may admit.
    #[must_use]
    pub fn new(profile: &'a Seccomp, native: Architecture, seed: u64) -> Caller<'a> {
        let machine = MACHINES.iter().find(|(one, _)| *one == native);
        let others = machine.map_or(&[][..], |(_, others)| others);
        let all = [native].into_iter().chain(others.iter().copied());
        let abis = all.filter_map(Abi::of).collect();
        Caller {
            profile,
            abis,
            seed,
        }
    }

    /// "splitmix64" by Sebastiano Vigna: small, and good enough to pick test inputs.
    fn next(&mut self) -> u64 {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap_or(0)
    }

    /// The next call.
    pub fn call(&mut self) -> Seen {
        let at = self.below(self.abis.len());
        let abi = self.abis[at];
        let named = (self.below(3) > 0).then(|| self.named(abi)).flatten();
        let number = named.unwrap_or_else(|| match self.below(8) {
            0 => u32::MAX,
            1 => 0xf0000 + u32::try_from(self.below(9)).unwrap_or(0),
            2 => u32::try_from(self.next() >> 32).unwrap_or(0),
            _ => abi.number(u16::try_from(self.below(600)).unwrap_or(0)),
        });
        Seen {
            number,
            audit: abi.audit,
            arguments: std::array::from_fn(|_| self.value()),
        }
    }

    /// The number of a name in the profile, or of its second door.
    fn named(&mut self, abi: &Abi) -> Option<u32> {
        if self.profile.syscalls.is_empty() {
            return None;
        }
        let at = self.below(self.profile.syscalls.len());
        let names = &self.profile.syscalls[at].names;
        let call = Call::named(&names[self.below(names.len())])?;
        let door = call.door(abi).map(|door| door.cell);
        let cell = match self.below(3) {
            0 => door.or(call.cell(abi)),
            _ => call.cell(abi).or(door),
        };
        Some(abi.number(cell?))
    }

    /// A value of the profile, one beside it, or a selector of a door.
    fn value(&mut self) -> u64 {
        let args = self.profile.syscalls.iter().flat_map(|rule| &rule.args);
        let pool: Vec<u64> = args.flat_map(|one| [one.value, one.value_two]).collect();
        if pool.is_empty() || self.below(4) == 0 {
            return match self.below(3) {
                0 => self.below(25) as u64,
                1 => VALUES[self.below(VALUES.len())],
                _ => self.next(),
            };
        }
        let value = pool[self.below(pool.len())];
        match self.below(6) {
            0 => value.wrapping_add(1),
            1 => value.wrapping_sub(1),
            2 => value ^ (1 << self.below(64)),
            _ => value,
        }
    }
}

//! Random profiles and calls, and the property that ties the program to the model.

use proptest::prelude::*;
use proptest::sample::select;

use super::interpreter::{Seen, run, verify};
use super::model::judge;
use crate::plan::seccomp::abi::Abi;
use crate::plan::seccomp::calls::Call;
use crate::plan::seccomp::compile;
use crate::plan::seccomp::table::TABLE;
use crate::spec::seccomp::{Action, Architecture, Argument, Operator, Rule, Seccomp};

use Architecture as A;

/// Machines and the further interfaces a profile for them may admit.
pub(super) const MACHINES: [(Architecture, &[Architecture]); 8] = [
    (A::X86_64, &[A::X86, A::X32, A::Aarch64]),
    (A::X86, &[A::X86_64]),
    (A::Aarch64, &[A::Arm]),
    (A::Riscv64, &[]),
    (A::LoongArch64, &[A::X86_64, A::Mips64]),
    (A::Ppc64Le, &[]),
    (A::Ppc64, &[A::Ppc]),
    (A::S390X, &[A::S390]),
];

/// Names drawn often, so that rules meet: doors and what is behind them, old and new calls.
const FAVOURITES: [&str; 14] = [
    "socket",
    "accept",
    "sendmsg",
    "socketcall",
    "semop",
    "shmat",
    "ipc",
    "clone",
    "personality",
    "read",
    "set_tls",
    "statx",
    "renameat2",
    "frobnicate",
];

const VALUES: [u64; 12] = [
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

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![4 => select(&VALUES[..]), 1 => any::<u64>()]
}

fn argument() -> impl Strategy<Value = Argument> {
    use Operator as O;
    let ops = [
        O::NotEqual,
        O::Less,
        O::LessOrEqual,
        O::Equal,
        O::GreaterOrEqual,
        O::Greater,
        O::MaskedEqual,
    ];
    let index = prop_oneof![3 => 0u32..2, 1 => 0u32..6];
    (index, number(), number(), select(ops.to_vec())).prop_map(|(index, value, value_two, op)| {
        Argument {
            index,
            value,
            value_two,
            op,
        }
    })
}

fn action() -> impl Strategy<Value = (Action, Option<u32>)> {
    let plain = [
        Action::Kill,
        Action::KillProcess,
        Action::Trap,
        Action::Log,
        Action::Allow,
        Action::Allow,
    ];
    let errno = prop_oneof![Just(None), (0u32..40).prop_map(Some)];
    prop_oneof![
        2 => select(plain.to_vec()).prop_map(|action| (action, None)),
        2 => errno.clone().prop_map(|errno| (Action::Errno, errno)),
        1 => errno.prop_map(|errno| (Action::Trace, errno)),
    ]
}

fn name() -> impl Strategy<Value = String> {
    let any = (0..TABLE.len()).prop_map(|at| TABLE[at].0);
    prop_oneof![select(&FAVOURITES[..]), any].prop_map(String::from)
}

fn rule() -> impl Strategy<Value = Rule> {
    let args = prop_oneof![
        2 => Just(Vec::new()),
        3 => prop::collection::vec(argument(), 1..4)
    ];
    let names = prop::collection::vec(name(), 1..8);
    (names, action(), args).prop_map(|(names, (action, errno_ret), args)| Rule {
        names,
        action,
        errno_ret,
        args,
    })
}

/// A machine, a profile for it and the seed of the calls to try.
pub(super) fn situation() -> impl Strategy<Value = (Architecture, Seccomp, u64)> {
    let rules = prop::collection::vec(rule(), 0..24);
    (
        select(&MACHINES[..]),
        action(),
        rules,
        any::<u64>(),
        any::<u8>(),
    )
        .prop_map(
            |((native, others), (default, errno), syscalls, seed, mask)| {
                let chosen = others.iter().enumerate();
                let chosen = chosen.filter(|(at, _)| mask & (1 << at) != 0);
                let profile = Seccomp {
                    default_action: default,
                    default_errno_ret: errno,
                    architectures: chosen.map(|(_, one)| *one).collect(),
                    flags: None,
                    listener_path: None,
                    listener_metadata: None,
                    syscalls,
                };
                (native, profile, seed)
            },
        )
}

/// Draws calls that are likely to touch the profile's rules.
pub(super) struct Caller<'a> {
    profile: &'a Seccomp,
    abis: Vec<&'static Abi>,
    seed: u64,
}

impl<'a> Caller<'a> {
    pub(super) fn new(profile: &'a Seccomp, native: Architecture, seed: u64) -> Caller<'a> {
        let machine = MACHINES.iter().find(|(one, _)| *one == native).unwrap();
        let mut abis = vec![Abi::of(native).unwrap()];
        abis.extend(machine.1.iter().filter_map(|one| Abi::of(*one)));
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
        usize::try_from(self.next() % limit as u64).unwrap()
    }

    pub(super) fn call(&mut self) -> Seen {
        let at = self.below(self.abis.len());
        let abi = self.abis[at];
        let named = (self.below(3) > 0).then(|| self.named(abi)).flatten();
        let number = named.unwrap_or_else(|| match self.below(8) {
            0 => u32::MAX,
            1 => 0xf0000 + u32::try_from(self.below(9)).unwrap(),
            2 => u32::try_from(self.next() >> 32).unwrap(),
            _ => abi.number(u16::try_from(self.below(600)).unwrap()),
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

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_program_says_what_the_model_says((native, profile, seed) in situation()) {
        let program = compile(&profile, native).unwrap();
        verify(&program.instructions);
        let big_endian = Abi::of(native).unwrap().big_endian;
        let mut caller = Caller::new(&profile, native, seed);
        for _ in 0..300 {
            let seen = caller.call();
            let expected = judge(&profile, native, &seen);
            let (value, _) = run(&program.instructions, &seen, big_endian);
            prop_assert_eq!(value, expected.value, "{:x?} {:x?}", seen, expected);
        }
    }
}

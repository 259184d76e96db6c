//! Random profiles and calls, and the property that ties the program to the model.

use proptest::prelude::*;
use proptest::sample::select;

use crate::plan::seccomp::compile;
use crate::plan::seccomp::oracle::assert_agrees;
use crate::plan::seccomp::oracle::caller::{MACHINES, VALUES};
use crate::plan::seccomp::table::TABLE;
use crate::spec::seccomp::{Action, Architecture, Argument, Operator, Rule, Seccomp};

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

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_program_says_what_the_model_says((native, profile, seed) in situation()) {
        prop_assert!(compile(&profile, native).is_ok());
        assert_agrees(&profile, native, seed, 300);
    }
}

//! A strict interpreter of classic BPF as seccomp(2) restricts it.

use crate::plan::seccomp::program::{Instruction, MAX_INSTRUCTIONS};

/// One system call as the filter sees it.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    /// The call's number.
    pub number: u32,
    /// The interface (`AUDIT_ARCH_…`).
    pub audit: u32,
    /// Its arguments, also those that the call does not have.
    pub arguments: [u64; 6],
}

impl Seen {
    /// The word at `offset` of `struct seccomp_data`.
    fn word(&self, offset: u32, big_endian: bool) -> u32 {
        match offset {
            0 => self.number,
            4 => self.audit,
            16..64 if offset.is_multiple_of(4) => {
                let argument = self.arguments[(offset as usize - 16) / 8];
                let second = offset % 8 == 4;
                let upper = second != big_endian;
                let half = if upper {
                    argument >> 32
                } else {
                    argument & 0xffff_ffff
                };
                u32::try_from(half).expect("a half has 32 bits")
            }
            _ => panic!("load from offset {offset}"),
        }
    }
}

/// Runs the filter; gives its return value and how many instructions it took.
///
/// # Panics
/// When the program does what the kernel would not let it.
#[must_use]
pub fn run(code: &[Instruction], seen: &Seen, big_endian: bool) -> (u32, usize) {
    let mut at = 0;
    let mut accumulator = 0;
    for count in 1.. {
        let Instruction {
            code: op,
            jt,
            jf,
            k,
        } = code[at];
        at += 1;
        let holds = match op {
            0x20 => {
                accumulator = seen.word(k, big_endian);
                continue;
            }
            0x54 => {
                accumulator &= k;
                continue;
            }
            0x05 => {
                at += k as usize;
                continue;
            }
            0x06 => return (k, count),
            0x15 => accumulator == k,
            0x25 => accumulator > k,
            0x35 => accumulator >= k,
            0x45 => accumulator & k != 0,
            _ => panic!("operation {op:#x}"),
        };
        at += usize::from(if holds { jt } else { jf });
    }
    unreachable!("a program only goes forward")
}

/// What the kernel checks before it takes a program (`bpf_check_classic`,
/// `seccomp_check_filter`). Gives the number of instructions no call can reach.
///
/// # Panics
/// When the kernel would not take it.
pub fn verify(code: &[Instruction]) -> usize {
    assert!(!code.is_empty() && code.len() <= MAX_INSTRUCTIONS);
    let mut reached = vec![false; code.len()];
    reached[0] = true;
    for (at, one) in code.iter().enumerate() {
        let mut reach = |skip: usize| reached[at + 1 + skip] = true;
        match one.code {
            0x20 => {
                assert!(one.k % 4 == 0 && one.k < 64);
                reach(0);
            }
            0x54 => reach(0),
            0x05 => reach(one.k as usize),
            0x06 => {}
            0x15 | 0x35 | 0x45 => {
                reach(one.jt.into());
                reach(one.jf.into());
            }
            code => panic!("operation {code:#x}"),
        }
    }
    assert_eq!(code.last().map(|one| one.code), Some(0x06));
    reached.iter().filter(|one| !**one).count()
}

/// Whether every test of a program is about one thing, the interface only against interfaces.
///
/// libseccomp sometimes forgets which word it loaded last: it leaves out the load of the
/// number after the one of the interface, or compares a lower half with an upper one. Such a
/// program says nothing about what the profile means. (Seen in 2.5.4 and 2.6.1.)
#[must_use]
pub fn sound(code: &[Instruction], interfaces: &[u32]) -> bool {
    const NOTHING: u64 = 1 << 63;
    let mut loaded = vec![0u64; code.len() + 1];
    loaded[0] = NOTHING;
    for (at, one) in code.iter().enumerate() {
        let now = loaded[at];
        let mut pass = |skip: usize, what: u64| loaded[at + 1 + skip] |= what;
        match one.code {
            0x20 => pass(0, 1 << (one.k / 4)),
            0x54 => pass(0, now << 32),
            0x05 => pass(one.k as usize, now),
            0x06 => {}
            _ => {
                let foreign = now == 1 << 1 && !interfaces.contains(&one.k);
                if now.count_ones() > 1 || foreign {
                    return false;
                }
                pass(one.jt.into(), now);
                pass(one.jf.into(), now);
            }
        }
    }
    true
}

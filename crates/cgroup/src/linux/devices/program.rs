//! Device rules for cgroup v2: an eBPF program.
//!
//! The kernel calls it with the access as `(bits << 16) | type`, the major and the minor number, and
//! lets the access happen when it returns 1. The program asks the rules from the last to the first:
//! a denying rule that names a bit still open ends with 0, an allowing one takes its bits away, and
//! when none is left the answer is 1.
//!
//! A rule for one device is one comparison, with a key of type, major and minor number: the verifier, which
//! walks every path at each start of a container, then has one path per rule to walk and not three.
//!
//! Source: `struct bpf_cgroup_dev_ctx` in include/uapi/linux/bpf.h; instruction set: RFC 9669.

use super::{Devices, EVERY_ACCESS, Kind, Rule, relevant};
use dhow_sys::bpf::Instruction;

// Operations, as their byte in the instruction.
const LOAD_WORD: u8 = 0x61; // dst = *(u32 *)(src + offset)
const MOVE_REGISTER: u8 = 0xbc; // (u32) dst = src
const MOVE: u8 = 0xb7; // dst = immediate
const AND: u8 = 0x54; // (u32) dst &= immediate
const SHIFT_RIGHT: u8 = 0x74; // (u32) dst >>= immediate
const JUMP_NOT_EQUAL: u8 = 0x56; // (u32) if dst != immediate
const JUMP_SET: u8 = 0x46; // (u32) if dst & immediate
const LOAD_WIDE: u8 = 0x18; // dst = immediate | next immediate << 32; two instructions
const SHIFT_LEFT_WIDE: u8 = 0x67; // dst <<= immediate
const OR_WIDE: u8 = 0x4f; // dst |= src
const MOVE_REGISTER_WIDE: u8 = 0xbf; // dst = src
const JUMP_NOT_EQUAL_WIDE: u8 = 0x5d; // if dst != src
const EXIT: u8 = 0x95;

// Registers.
const RESULT: u8 = 0;
const CONTEXT: u8 = 1;
const TYPE: u8 = 2;
const ACCESS: u8 = 3;
const MAJOR: u8 = 4;
const MINOR: u8 = 5;
const DEVICE: u8 = 6;
const NAMED: u8 = 7;

/// Bits of a major and of a minor number in the kernel (`MINORBITS` in include/linux/kdev_t.h).
const MAJOR_BITS: i32 = 12;
const MINOR_BITS: i32 = 20;

/// `BPF_DEVCG_DEV_BLOCK`
const BLOCK: i32 = 1;
/// `BPF_DEVCG_DEV_CHAR`
const CHARACTER: i32 = 2;

/// The program for a list of rules in their order.
pub(crate) fn compile(rules: &[Rule]) -> Vec<Instruction> {
    let mut program = vec![
        instruction(LOAD_WORD, TYPE, CONTEXT, 0, 0),
        instruction(MOVE_REGISTER, ACCESS, TYPE, 0, 0),
        instruction(AND, TYPE, 0, 0, 0xffff),
        instruction(SHIFT_RIGHT, ACCESS, 0, 0, 16),
        instruction(LOAD_WORD, MAJOR, CONTEXT, 4, 0),
        instruction(LOAD_WORD, MINOR, CONTEXT, 8, 0),
        instruction(MOVE_REGISTER_WIDE, DEVICE, TYPE, 0, 0),
        instruction(SHIFT_LEFT_WIDE, DEVICE, 0, 0, MAJOR_BITS),
        instruction(OR_WIDE, DEVICE, MAJOR, 0, 0),
        instruction(SHIFT_LEFT_WIDE, DEVICE, 0, 0, MINOR_BITS),
        instruction(OR_WIDE, DEVICE, MINOR, 0, 0),
    ];
    let mut decided = false;
    for rule in relevant(rules).iter().rev() {
        program.extend(block(rule));
        decided = rule.devices == Devices::ALL;
    }
    // A rule for all devices ends the program; the verifier refuses what can never be reached.
    if !decided {
        program.extend(answer(0));
    }
    program
}

/// The instructions of one rule: leave it when the device is another, else decide.
fn block(rule: &Rule) -> Vec<Instruction> {
    if !is_possible(rule.devices) {
        return Vec::new();
    }
    let body = verdict(rule);
    let mut block = match key(rule.devices) {
        Some(key) => vec![
            instruction(LOAD_WIDE, NAMED, 0, 0, low(key)),
            instruction(0, 0, 0, 0, low(key >> 32)),
            instruction(JUMP_NOT_EQUAL_WIDE, DEVICE, NAMED, past(body.len()), 0),
        ],
        None => tests(rule.devices, body.len()),
    };
    block.extend(body);
    block
}

/// Whether the kernel can have a device with these numbers.
fn is_possible(devices: Devices) -> bool {
    let fits = |number: Option<u32>, bits| number.is_none_or(|number| number >> bits == 0);
    fits(devices.major, MAJOR_BITS) && fits(devices.minor, MINOR_BITS)
}

/// One device as one number, the way the program puts it together.
fn key(devices: Devices) -> Option<u64> {
    let kind = kind(devices)?.cast_unsigned();
    let (major, minor) = (devices.major?, devices.minor?);
    Some((u64::from(kind) << MAJOR_BITS | u64::from(major)) << MINOR_BITS | u64::from(minor))
}

/// The lower half of a number, as an immediate.
fn low(number: u64) -> i32 {
    let half = u32::try_from(number & u64::from(u32::MAX)).expect("masked on this line");
    half.cast_signed()
}

fn kind(devices: Devices) -> Option<i32> {
    match devices.kind {
        Kind::All => None,
        Kind::Block => Some(BLOCK),
        Kind::Character => Some(CHARACTER),
    }
}

/// Jumps past a body of this length unless everything that is named agrees.
fn tests(devices: Devices, body: usize) -> Vec<Instruction> {
    let major = devices.major.map(u32::cast_signed);
    let minor = devices.minor.map(u32::cast_signed);
    let named = [(TYPE, kind(devices)), (MAJOR, major), (MINOR, minor)];
    let named: Vec<(u8, i32)> = named
        .into_iter()
        .filter_map(|(register, value)| Some((register, value?)))
        .collect();
    let count = named.len();
    let jump = |(index, (register, value)): (usize, (u8, i32))| {
        let left = count - index - 1 + body;
        instruction(JUMP_NOT_EQUAL, register, 0, past(left), value)
    };
    named.into_iter().enumerate().map(jump).collect()
}

fn past(length: usize) -> i16 {
    i16::try_from(length).expect("a rule has at most nine instructions")
}

fn verdict(rule: &Rule) -> Vec<Instruction> {
    let every = rule.access == EVERY_ACCESS;
    let bits = i32::from(rule.access);
    let mut body = Vec::new();
    match (rule.allow, every) {
        // All bits still open are decided at once.
        (allow, true) => body.extend(answer(i32::from(allow))),
        (true, false) => {
            body.push(instruction(
                AND,
                ACCESS,
                0,
                0,
                i32::from(EVERY_ACCESS) & !bits,
            ));
            body.push(instruction(JUMP_NOT_EQUAL, ACCESS, 0, 2, 0));
            body.extend(answer(1));
        }
        (false, false) => {
            // Over one instruction when no bit is touched: jump to the answer, or past it.
            body.push(instruction(JUMP_SET, ACCESS, 0, 1, bits));
            body.push(instruction(JUMP_ALWAYS, 0, 0, 2, 0));
            body.extend(answer(0));
        }
    }
    body
}

const JUMP_ALWAYS: u8 = 0x05;

fn answer(value: i32) -> [Instruction; 2] {
    [
        instruction(MOVE, RESULT, 0, 0, value),
        instruction(EXIT, 0, 0, 0, 0),
    ]
}

fn instruction(code: u8, destination: u8, source: u8, offset: i16, immediate: i32) -> Instruction {
    Instruction {
        code,
        registers: source << 4 | destination,
        offset,
        immediate,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{DeviceRule, READ, WRITE, device_rules, model};
    use super::*;
    use proptest::prelude::*;

    /// Runs a program as the kernel would; fails on anything it could not do.
    fn run(program: &[Instruction], context: [u32; 3]) -> u32 {
        let mut registers = [0u64; 11];
        let mut at = 0usize;
        let mut steps = 0;
        while steps < 100_000 {
            steps += 1;
            let instruction = program[at];
            let destination = usize::from(instruction.registers & 15);
            let source = usize::from(instruction.registers >> 4);
            let value = u64::from(instruction.immediate.cast_unsigned());
            at += 1;
            let mut jump = |when: bool| {
                if when {
                    at += usize::try_from(instruction.offset).expect("only forward");
                }
            };
            match instruction.code {
                LOAD_WORD => {
                    assert_eq!(source, usize::from(CONTEXT));
                    registers[destination] =
                        context[usize::try_from(instruction.offset).unwrap() / 4].into();
                }
                MOVE_REGISTER | MOVE_REGISTER_WIDE => {
                    registers[destination] = registers[source];
                }
                LOAD_WIDE => {
                    let high = u64::from(program[at].immediate.cast_unsigned());
                    registers[destination] = high << 32 | value;
                    at += 1;
                }
                SHIFT_LEFT_WIDE => registers[destination] <<= value,
                OR_WIDE => registers[destination] |= registers[source],
                JUMP_NOT_EQUAL_WIDE => jump(registers[destination] != registers[source]),
                MOVE => registers[destination] = value,
                AND => registers[destination] &= value,
                SHIFT_RIGHT => registers[destination] >>= value,
                JUMP_ALWAYS => jump(true),
                JUMP_NOT_EQUAL => jump(registers[destination] != value),
                JUMP_SET => jump(registers[destination] & value != 0),
                EXIT => return u32::try_from(registers[usize::from(RESULT)]).unwrap(),
                code => panic!("unknown operation {code:#x}"),
            }
        }
        panic!("endless");
    }

    fn allowed(program: &[Instruction], device: Devices, access: u8) -> bool {
        let kind = if device.kind == Kind::Block { 1 } else { 2 };
        let context = [
            u32::from(access) << 16 | kind,
            device.major.unwrap(),
            device.minor.unwrap(),
        ];
        run(program, context) == 1
    }

    /// Every instruction is reached from the first one, as the kernel's verifier demands.
    fn dead_code(program: &[Instruction]) -> Option<usize> {
        let mut reached = vec![false; program.len()];
        let mut pending = vec![0usize];
        while let Some(at) = pending.pop() {
            if std::mem::replace(&mut reached[at], true) {
                continue;
            }
            let target = at + 1 + usize::try_from(program[at].offset).unwrap();
            match program[at].code {
                EXIT => {}
                JUMP_ALWAYS => pending.push(target),
                JUMP_NOT_EQUAL | JUMP_NOT_EQUAL_WIDE | JUMP_SET => {
                    pending.extend([at + 1, target]);
                }
                LOAD_WIDE => {
                    reached[at + 1] = true;
                    pending.push(at + 2);
                }
                _ => pending.push(at + 1),
            }
        }
        reached.iter().position(|reached| !reached)
    }

    #[test]
    fn privileged_is_short() {
        let rules: Vec<DeviceRule> =
            serde_json::from_str(r#"[{"allow":true,"access":"rwm"}]"#).unwrap();
        let program = compile(&device_rules(&rules));
        let disk = Devices {
            kind: Kind::Block,
            major: Some(8),
            minor: Some(0),
        };
        assert!(allowed(&program, disk, READ | WRITE));
        assert_eq!(dead_code(&program), None);
    }

    #[test]
    fn split_rights_add_up() {
        let json = r#"[{"allow":true,"type":"b","major":8,"access":"r"},{"allow":true,"type":"b","minor":0,"access":"w"}]"#;
        let program = compile(&device_rules(
            &serde_json::from_str::<Vec<DeviceRule>>(json).unwrap(),
        ));
        let disk = |minor| Devices {
            kind: Kind::Block,
            major: Some(8),
            minor: Some(minor),
        };
        assert!(allowed(&program, disk(0), READ | WRITE));
        assert!(!allowed(&program, disk(1), READ | WRITE));
        assert!(allowed(&program, disk(1), READ));
    }

    fn any_rules() -> impl Strategy<Value = Vec<Rule>> {
        let number = || prop_oneof![1 => Just(None), 3 => prop_oneof![(0u32..3), Just(0xfff), Just(0xf_ffff), Just(u32::MAX)].prop_map(Some)];
        let kind = prop_oneof![Just(Kind::Block), Just(Kind::Character)];
        let some = (kind, number(), number()).prop_map(|(kind, major, minor)| Devices {
            kind,
            major,
            minor,
        });
        let devices = prop_oneof![8 => some, 1 => Just(Devices::ALL)];
        let rule = (any::<bool>(), devices, 1u8..8).prop_map(|(allow, devices, access)| Rule {
            allow,
            devices,
            access: if devices == Devices::ALL {
                EVERY_ACCESS
            } else {
                access
            },
        });
        prop::collection::vec(rule, 0..12)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn program_and_model_agree(rules in any_rules(), access in 1u8..8) {
            let program = compile(&rules);
            prop_assert_eq!(dead_code(&program), None);
            for kind in [Kind::Block, Kind::Character] {
                for major in [0, 1, 2, 3, 0xfff] {
                    for minor in [0, 1, 2, 3, 0xf_ffff] {
                        let device = Devices { kind, major: Some(major), minor: Some(minor) };
                        let expected = model::grants(&rules, device, access);
                        prop_assert_eq!(allowed(&program, device, access), expected, "{:?} {}", device, access);
                    }
                }
            }
        }
    }
}

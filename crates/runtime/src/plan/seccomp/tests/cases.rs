//! Cases with a name.

use crate::plan::seccomp::oracle::interpreter::{Seen, run, verify};
use crate::plan::seccomp::program::Program;
use crate::plan::seccomp::table::TABLE;
use crate::plan::seccomp::{FLAG_NEW_LISTENER, compile};
use crate::spec::seccomp::{Architecture, Seccomp};

const X86_64: u32 = 0xc000_003e;
const I386: u32 = 0x4000_0003;
const ALLOW: u32 = 0x7fff_0000;
const KILL: u32 = 0;
const EPERM: u32 = 0x0005_0001;
const ENOSYS: u32 = 0x0005_0026;

fn profile(text: &str) -> Seccomp {
    serde_json::from_str(text).unwrap()
}

fn compiled(text: &str) -> Program {
    let program = compile(&profile(text), Architecture::X86_64).unwrap();
    assert_eq!(verify(&program.instructions), 0, "no instruction is dead");
    program
}

fn answer(program: &Program, audit: u32, number: u32, arguments: &[u64]) -> u32 {
    let mut all = [0; 6];
    all[..arguments.len()].copy_from_slice(arguments);
    let seen = Seen {
        number,
        audit,
        arguments: all,
    };
    run(&program.instructions, &seen, false).0
}

#[test]
fn calls_newer_than_the_profile_do_not_exist_older_ones_are_forbidden() {
    let program = compiled(
        r#"{"defaultAction":"SCMP_ACT_ERRNO","architectures":["SCMP_ARCH_X86"],"syscalls":
            [{"names":["read","openat2"],"action":"SCMP_ACT_ALLOW"}]}"#,
    );
    let openat2 = 437;
    assert_eq!(answer(&program, X86_64, 0, &[]), ALLOW);
    assert_eq!(answer(&program, X86_64, 1, &[]), EPERM);
    assert_eq!(answer(&program, X86_64, openat2, &[]), ALLOW);
    assert_eq!(answer(&program, X86_64, openat2 + 1, &[]), ENOSYS);
    assert_eq!(answer(&program, I386, openat2 + 1, &[]), ENOSYS);
}

#[test]
fn a_name_that_has_only_a_second_door_counts_as_known_too() {
    for rule in [
        r#""action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":1,"op":"SCMP_CMP_EQ"}]"#,
        r#""action":"SCMP_ACT_ERRNO""#,
    ] {
        let program = compiled(&format!(
            r#"{{"defaultAction":"SCMP_ACT_ERRNO","architectures":["SCMP_ARCH_X86"],"syscalls":
                [{{"names":["read"],"action":"SCMP_ACT_ALLOW"}},{{"names":["semop"],{rule}}}]}}"#
        ));
        let ipc = 117;
        assert_eq!(answer(&program, I386, ipc - 1, &[]), EPERM, "{rule}");
        assert_eq!(answer(&program, I386, ipc + 1, &[]), ENOSYS, "{rule}");
    }
}

#[test]
fn a_name_with_the_default_action_still_counts_as_known() {
    let program = compiled(
        r#"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":
            [{"names":["read"],"action":"SCMP_ACT_ALLOW"},
             {"names":["mseal"],"action":"SCMP_ACT_ERRNO"}]}"#,
    );
    assert_eq!(answer(&program, X86_64, 462, &[]), EPERM);
    assert_eq!(answer(&program, X86_64, 463, &[]), ENOSYS);
}

#[test]
fn a_permissive_default_lets_newer_calls_through() {
    for default in ["SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_TRACE"] {
        let text = format!(
            r#"{{"defaultAction":"{default}","syscalls":
                [{{"names":["mount"],"action":"SCMP_ACT_ERRNO","errnoRet":13}}]}}"#
        );
        let program = compiled(&text);
        assert_ne!(answer(&program, X86_64, 1000, &[]), ENOSYS);
        assert_eq!(answer(&program, X86_64, 165, &[]), 0x0005_000d);
    }
}

#[test]
fn interfaces_outside_the_profile_are_fatal() {
    let program = compiled(
        r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":
            [{"names":["mount"],"action":"SCMP_ACT_ERRNO"}]}"#,
    );
    let x32 = 0x4000_0000;
    assert_eq!(answer(&program, I386, 1, &[]), KILL);
    assert_eq!(answer(&program, X86_64, x32, &[]), KILL);
    assert_eq!(answer(&program, X86_64, u32::MAX, &[]), ALLOW);
}

#[test]
fn a_list_of_socket_families_becomes_one_search() {
    let families = [1, 2, 10, 16, 17, 18, 19, 20, 31, 41, 44];
    let rules: Vec<String> = families
        .iter()
        .map(|family| {
            format!(
                r#"{{"names":["socket"],"action":"SCMP_ACT_ALLOW","args":
                    [{{"index":0,"value":{family},"op":"SCMP_CMP_EQ"}}]}}"#
            )
        })
        .collect();
    let program = compiled(&format!(
        r#"{{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{}]}}"#,
        rules.join(",")
    ));
    for family in 0..100 {
        let expected = if families.contains(&family) {
            ALLOW
        } else {
            EPERM
        };
        assert_eq!(
            answer(&program, X86_64, 41, &[family]),
            expected,
            "{family}"
        );
        let high = family | 1 << 32;
        assert_eq!(answer(&program, X86_64, 41, &[high]), EPERM, "{high}");
    }
    assert!(
        program.instructions.len() < 32,
        "{}",
        program.instructions.len()
    );
}

#[test]
fn a_family_list_cannot_be_passed_through_socketcall() {
    let program = compiled(
        r#"{"defaultAction":"SCMP_ACT_ERRNO","architectures":["SCMP_ARCH_X86"],"syscalls":
            [{"names":["socket"],"action":"SCMP_ACT_ALLOW","args":
                [{"index":0,"value":2,"op":"SCMP_CMP_EQ"}]},
             {"names":["connect"],"action":"SCMP_ACT_ALLOW"}]}"#,
    );
    let (socketcall, socket, connect) = (102, 1, 3);
    assert_eq!(answer(&program, I386, socketcall, &[socket]), EPERM);
    assert_eq!(answer(&program, I386, socketcall, &[connect]), ALLOW);
    assert_eq!(answer(&program, I386, 359, &[2]), ALLOW);

    let program = compiled(
        r#"{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86"],"syscalls":
            [{"names":["socket"],"action":"SCMP_ACT_ERRNO","args":
                [{"index":0,"value":38,"op":"SCMP_CMP_EQ"}]}]}"#,
    );
    assert_eq!(answer(&program, I386, socketcall, &[socket]), EPERM);
    assert_eq!(answer(&program, I386, socketcall, &[connect]), ALLOW);
}

#[test]
fn unknown_names_are_ignored_and_named() {
    let program = compiled(
        r#"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":
            [{"names":["read","frobnicate"],"action":"SCMP_ACT_ALLOW"}]}"#,
    );
    assert_eq!(program.ignored, ["frobnicate"]);
}

#[test]
fn flags_become_the_kernels() {
    let flags = |flags: &str, action: &str| {
        let text = format!(
            r#"{{"defaultAction":"SCMP_ACT_ALLOW",{flags}"listenerPath":"/run/agent",
                "syscalls":[{{"names":["mount"],"action":"{action}"}}]}}"#
        );
        compiled(&text).flags
    };
    let errno = "SCMP_ACT_ERRNO";
    let notify = "SCMP_ACT_NOTIFY";
    assert_eq!(flags("", errno), 4, "runc's default");
    assert_eq!(flags(r#""flags":[],"#, errno), 0);
    let tsync = r#""flags":["SECCOMP_FILTER_FLAG_TSYNC","SECCOMP_FILTER_FLAG_LOG"],"#;
    assert_eq!(flags(tsync, errno), 1 | 2);
    assert_eq!(flags(tsync, notify), 1 | 2 | FLAG_NEW_LISTENER | 16);
    let killable = r#""flags":["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"],"#;
    assert_eq!(flags(killable, notify), FLAG_NEW_LISTENER | 32);
}

#[test]
fn the_listener_travels_with_the_program() {
    let program = compiled(
        r#"{"defaultAction":"SCMP_ACT_ALLOW","listenerPath":"/run/agent","listenerMetadata":"m",
            "syscalls":[{"names":["mount"],"action":"SCMP_ACT_NOTIFY"}]}"#,
    );
    let listener = program.listener.as_ref().unwrap();
    assert_eq!(listener.path, "/run/agent");
    assert_eq!(listener.metadata.as_deref(), Some("m"));
    assert_eq!(answer(&program, X86_64, 165, &[]), 0x7fc0_0000);
    assert_eq!(Program::from_bytes(&program.to_bytes()).unwrap(), program);
}

#[test]
fn what_cannot_be_is_refused_with_its_place() {
    let rule = |rule: &str| {
        format!(r#"{{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{{"names":["read"],{rule}}}]}}"#)
    };
    let cases = [
        (rule(r#""action":"SCMP_ACT_ALLOW","errnoRet":1"#), "syscalls[0].errnoRet", "take an errno"),
        (rule(r#""action":"SCMP_ACT_ERRNO","errnoRet":4096"#), "syscalls[0].errnoRet", "larger than 4095"),
        (rule(r#""action":"SCMP_ACT_TRACE","errnoRet":65536"#), "syscalls[0].errnoRet", "larger than 65535"),
        (
            rule(r#""action":"SCMP_ACT_ALLOW","args":[{"index":6,"value":0,"op":"SCMP_CMP_EQ"}]"#),
            "syscalls[0].args[0].index",
            "between 0 and 5",
        ),
        (rule(r#""action":"SCMP_ACT_NOTIFY""#), "listenerPath", "agent's socket"),
        (
            r#"{"defaultAction":"SCMP_ACT_ALLOW","defaultErrnoRet":1}"#.into(),
            "defaultErrnoRet",
            "take an errno",
        ),
        (r#"{"defaultAction":"SCMP_ACT_NOTIFY"}"#.into(), "defaultAction", "cannot be the default"),
        (
            r#"{"defaultAction":"SCMP_ACT_ALLOW","listenerMetadata":"x"}"#.into(),
            "listenerMetadata",
            "without listenerPath",
        ),
        (
            r#"{"defaultAction":"SCMP_ACT_ALLOW","flags":["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]}"#.into(),
            "flags[0]",
            "SCMP_ACT_NOTIFY",
        ),
        (
            r#"{"defaultAction":"SCMP_ACT_ALLOW","listenerPath":"/a","syscalls":
                [{"names":["write"],"action":"SCMP_ACT_NOTIFY"}]}"#
                .into(),
            "syscalls[0].action",
            "write",
        ),
        (
            r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":[],"action":"SCMP_ACT_LOG"}]}"#.into(),
            "syscalls[0].names",
            "at least one name",
        ),
    ];
    for (text, place, reason) in cases {
        let error = compile(&profile(&text), Architecture::X86_64).unwrap_err();
        assert_eq!(error.path, format!("linux.seccomp.{place}"), "{text}");
        assert!(error.reason.contains(reason), "{}", error.reason);
    }
}

#[test]
fn a_machine_without_a_table_is_refused() {
    let profile = profile(r#"{"defaultAction":"SCMP_ACT_ALLOW"}"#);
    let error = compile(&profile, Architecture::Mips64).unwrap_err();
    assert!(error.reason.contains("no table"), "{}", error.reason);
}

/// Every call with a check of its own: long jumps everywhere, and in the end too long.
#[test]
fn long_profiles_work_up_to_the_kernels_limit() {
    let text = |checks: usize| {
        let rule = |at: usize| {
            let args: Vec<String> = (0..checks)
                .map(|arg| {
                    let value = at + 1;
                    format!(r#"{{"index":{arg},"value":{value},"valueTwo":{at},"op":"SCMP_CMP_MASKED_EQ"}}"#)
                })
                .collect();
            let (name, args) = (TABLE[at].0, args.join(","));
            format!(r#"{{"names":["{name}"],"action":"SCMP_ACT_ALLOW","args":[{args}]}}"#)
        };
        let rules: Vec<String> = (0..TABLE.len()).map(rule).collect();
        format!(
            r#"{{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{}]}}"#,
            rules.join(",")
        )
    };
    let program = compiled(&text(2));
    assert!(program.instructions.len() > 2000);
    for (at, (name, row)) in TABLE.iter().enumerate() {
        if row[0] != u16::MAX {
            let (mask, value) = (at as u64 + 1, at as u64);
            let number = row[0].into();
            let fits = [value & mask; 2];
            let fails = [value & mask, !value & mask];
            assert_eq!(answer(&program, X86_64, number, &fits), ALLOW, "{name}");
            assert_eq!(answer(&program, X86_64, number, &fails), EPERM, "{name}");
        }
    }
    let error = compile(&profile(&text(6)), Architecture::X86_64).unwrap_err();
    assert_eq!(error.path, "linux.seccomp");
    assert!(error.reason.contains("4096"), "{}", error.reason);
}

/// One call with 50,000 conditions is refused at once, not after minutes of sorting.
#[test]
fn an_absurd_profile_is_refused_quickly() {
    let mut absurd = profile(
        r#"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["socket"],
            "action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":0,"op":"SCMP_CMP_EQ"}]}]}"#,
    );
    let rule = absurd.syscalls.remove(0);
    for value in 0..50_000 {
        let mut rule = rule.clone();
        rule.args[0].value = 3 * value;
        absurd.syscalls.push(rule);
    }
    let begun = std::time::Instant::now();
    let error = compile(&absurd, Architecture::X86_64).unwrap_err();
    assert!(error.reason.contains("4096"), "{}", error.reason);
    assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
}

//! `linux.seccomp` of `config.json`: which system calls the container's process may make.
//!
//! This is the document as it is written, parsed strictly: an action, operator, flag or
//! architecture that the specification does not name is refused here, because a filter that
//! silently lacks a rule is worse than a container that does not start. System call *names*
//! stay text: which of them exist is the business of [`crate::plan::seccomp`].
//!
//! Source: runtime-spec `config-linux.md`, "Seccomp".

use serde::{Deserialize, Deserializer, Serialize};

/// The `linux.seccomp` object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Seccomp {
    /// What happens to a call that no rule matches.
    pub default_action: Action,
    /// The errno (or trace message) of `default_action`; EPERM when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_errno_ret: Option<u32>,
    /// Further call interfaces that the filter admits beside the host's own.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub architectures: Vec<Architecture>,
    /// Flags for seccomp(2). Absent is not empty: absent means the runtime chooses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flags: Option<Vec<Flag>>,
    /// The Unix socket of the agent that answers [`Action::Notify`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listener_path: Option<String>,
    /// Opaque text handed to that agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listener_metadata: Option<String>,
    /// The rules.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub syscalls: Vec<Rule>,
}

/// One entry of `syscalls`: the same action for several calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// Names as in the kernel's tables, for example `openat2`.
    pub names: Vec<String>,
    /// What happens to them.
    pub action: Action,
    /// The errno (or trace message) of `action`; EPERM when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errno_ret: Option<u32>,
    /// Conditions on the arguments; none means the rule always applies.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub args: Vec<Argument>,
}

/// A condition on one argument of a system call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Argument {
    /// Which argument, 0 to 5.
    pub index: u32,
    /// What to compare with; for [`Operator::MaskedEqual`] the mask.
    pub value: u64,
    /// Only for [`Operator::MaskedEqual`]: what the masked argument must equal.
    #[serde(default)]
    pub value_two: u64,
    /// How to compare.
    pub op: Operator,
}

/// What the kernel does with a call. Source: seccomp(2), "return value of a seccomp filter".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Action {
    /// End the calling thread; the older spelling of [`Action::KillThread`].
    #[serde(rename = "SCMP_ACT_KILL")]
    Kill,
    /// End the whole process, as if by SIGSYS.
    #[serde(rename = "SCMP_ACT_KILL_PROCESS")]
    KillProcess,
    /// End the calling thread, as if by SIGSYS.
    #[serde(rename = "SCMP_ACT_KILL_THREAD")]
    KillThread,
    /// Send SIGSYS to the thread, which may handle it.
    #[serde(rename = "SCMP_ACT_TRAP")]
    Trap,
    /// Do not make the call; it fails with an errno.
    #[serde(rename = "SCMP_ACT_ERRNO")]
    Errno,
    /// Ask a ptrace(2) tracer; without one the call fails with ENOSYS.
    #[serde(rename = "SCMP_ACT_TRACE")]
    Trace,
    /// Make the call.
    #[serde(rename = "SCMP_ACT_ALLOW")]
    Allow,
    /// Make the call and log it.
    #[serde(rename = "SCMP_ACT_LOG")]
    Log,
    /// Ask the agent at `listenerPath`.
    #[serde(rename = "SCMP_ACT_NOTIFY")]
    Notify,
}

/// How an argument is compared; all comparisons are unsigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Operator {
    /// `argument != value`
    #[serde(rename = "SCMP_CMP_NE")]
    NotEqual,
    /// `argument < value`
    #[serde(rename = "SCMP_CMP_LT")]
    Less,
    /// `argument <= value`
    #[serde(rename = "SCMP_CMP_LE")]
    LessOrEqual,
    /// `argument == value`
    #[serde(rename = "SCMP_CMP_EQ")]
    Equal,
    /// `argument >= value`
    #[serde(rename = "SCMP_CMP_GE")]
    GreaterOrEqual,
    /// `argument > value`
    #[serde(rename = "SCMP_CMP_GT")]
    Greater,
    /// `(argument & value) == valueTwo`
    #[serde(rename = "SCMP_CMP_MASKED_EQ")]
    MaskedEqual,
}

/// A flag of seccomp(2) that a profile may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Flag {
    /// Put the filter on all threads of the process.
    #[serde(rename = "SECCOMP_FILTER_FLAG_TSYNC")]
    Tsync,
    /// Log every action except ALLOW.
    #[serde(rename = "SECCOMP_FILTER_FLAG_LOG")]
    Log,
    /// Leave the mitigation of speculative store bypass off.
    #[serde(rename = "SECCOMP_FILTER_FLAG_SPEC_ALLOW")]
    SpecAllow,
    /// While the agent works on a call, only fatal signals interrupt it (Linux 5.19).
    #[serde(rename = "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV")]
    WaitKillableRecv,
}

/// A system call interface, as the specification names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each variant's name is its whole meaning")]
pub enum Architecture {
    #[serde(rename = "SCMP_ARCH_X86")]
    X86,
    #[serde(rename = "SCMP_ARCH_X86_64")]
    X86_64,
    #[serde(rename = "SCMP_ARCH_X32")]
    X32,
    #[serde(rename = "SCMP_ARCH_ARM")]
    Arm,
    #[serde(rename = "SCMP_ARCH_AARCH64")]
    Aarch64,
    #[serde(rename = "SCMP_ARCH_MIPS")]
    Mips,
    #[serde(rename = "SCMP_ARCH_MIPS64")]
    Mips64,
    #[serde(rename = "SCMP_ARCH_MIPS64N32")]
    Mips64N32,
    #[serde(rename = "SCMP_ARCH_MIPSEL")]
    Mipsel,
    #[serde(rename = "SCMP_ARCH_MIPSEL64")]
    Mipsel64,
    #[serde(rename = "SCMP_ARCH_MIPSEL64N32")]
    Mipsel64N32,
    #[serde(rename = "SCMP_ARCH_PPC")]
    Ppc,
    #[serde(rename = "SCMP_ARCH_PPC64")]
    Ppc64,
    #[serde(rename = "SCMP_ARCH_PPC64LE")]
    Ppc64Le,
    #[serde(rename = "SCMP_ARCH_S390")]
    S390,
    #[serde(rename = "SCMP_ARCH_S390X")]
    S390X,
    #[serde(rename = "SCMP_ARCH_PARISC")]
    Parisc,
    #[serde(rename = "SCMP_ARCH_PARISC64")]
    Parisc64,
    #[serde(rename = "SCMP_ARCH_RISCV64")]
    Riscv64,
    #[serde(rename = "SCMP_ARCH_LOONGARCH64")]
    LoongArch64,
    #[serde(rename = "SCMP_ARCH_M68K")]
    M68k,
    #[serde(rename = "SCMP_ARCH_SH")]
    Sh,
    #[serde(rename = "SCMP_ARCH_SHEB")]
    Sheb,
}

/// Go programs write an empty list as `null`.
fn null_is_empty<'de, D, T>(source: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Option::<Vec<T>>::deserialize(source)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Seccomp, String> {
        crate::bundle::parse(text.as_bytes())
    }

    #[test]
    fn a_full_profile_survives_a_round_trip() {
        let text = r#"{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":38,
            "architectures":["SCMP_ARCH_X86_64","SCMP_ARCH_X32"],
            "flags":["SECCOMP_FILTER_FLAG_LOG"],"listenerPath":"/run/agent.sock",
            "listenerMetadata":"x","syscalls":[{"names":["clone"],"action":"SCMP_ACT_ALLOW",
            "args":[{"index":0,"value":2114060288,"valueTwo":0,"op":"SCMP_CMP_MASKED_EQ"}]}]}"#;
        let profile = parse(text).unwrap();
        assert_eq!(profile.syscalls[0].args[0].op, Operator::MaskedEqual);
        let written = serde_json::to_string(&profile).unwrap();
        assert_eq!(parse(&written).unwrap(), profile);
    }

    #[test]
    fn absent_flags_differ_from_none() {
        let absent = parse(r#"{"defaultAction":"SCMP_ACT_ALLOW"}"#).unwrap();
        let none = parse(r#"{"defaultAction":"SCMP_ACT_ALLOW","flags":[]}"#).unwrap();
        assert_eq!((absent.flags, none.flags), (None, Some(vec![])));
    }

    #[test]
    fn go_nulls_are_empty_lists() {
        let profile = parse(
            r#"{"defaultAction":"SCMP_ACT_ALLOW","architectures":null,
                "syscalls":[{"names":["read"],"action":"SCMP_ACT_LOG","args":null}]}"#,
        )
        .unwrap();
        assert!(profile.architectures.is_empty() && profile.syscalls[0].args.is_empty());
    }

    #[test]
    fn a_wrong_word_is_refused_with_its_place_and_the_allowed_ones() {
        let cases = [
            (
                r#"{"defaultAction":"ALLOW"}"#,
                "defaultAction",
                "SCMP_ACT_ALLOW",
            ),
            (
                r#"{"defaultAction":"SCMP_ACT_ALLOW","architectures":["amd64"]}"#,
                "architectures[0]",
                "SCMP_ARCH_X86_64",
            ),
            (
                r#"{"defaultAction":"SCMP_ACT_ALLOW","flags":["TSYNC"]}"#,
                "flags[0]",
                "SECCOMP_FILTER_FLAG_TSYNC",
            ),
            (
                r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["read"],
                    "action":"SCMP_ACT_LOG","args":[{"index":0,"value":1,"op":"=="}]}]}"#,
                "syscalls[0].args[0].op",
                "SCMP_CMP_EQ",
            ),
            (
                r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["read"],
                    "action":"SCMP_ACT_LOG","errnoRet":-1}]}"#,
                "syscalls[0].errnoRet",
                "u32",
            ),
        ];
        for (text, place, allowed) in cases {
            let error = parse(text).unwrap_err();
            assert!(error.starts_with(place), "{error}");
            assert!(error.contains(allowed), "{error}");
        }
    }
}

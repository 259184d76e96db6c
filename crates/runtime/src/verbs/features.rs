//! `features`: what this runtime and this host support, as features.md describes.

use crate::cli::{Arguments, Global, Usage, usage_error};
use crate::error::Result;
use crate::linux::lsm;
use crate::output;
use crate::plan::mounts;
use crate::plan::namespaces::Kind;
use dhow_sys::{capability, id};
use serde_json::{Value, json};
use std::ffi::OsString;

/// The command line.
pub const USAGE: Usage = Usage {
    verb: "features",
    arguments: "",
    summary: "Print what is supported, as JSON",
    flags: &[],
    verbatim_after: None,
    example: "dhow-runtime features",
};

/// Runs the verb.
///
/// # Errors
/// [`crate::error::Error::Usage`]
pub fn run(_: &Global, arguments: Vec<OsString>) -> Result<u8> {
    let arguments = Arguments::read(&USAGE, arguments)?;
    if let Some(extra) = arguments.words.first() {
        return Err(usage_error(
            &USAGE,
            &format!("unexpected argument {extra:?}"),
        ));
    }
    let text = serde_json::to_string_pretty(&document()).unwrap_or_default();
    output::print(&format!("{text}\n"))?;
    Ok(0)
}

fn document() -> Value {
    json!({
        "ociVersionMin": "1.0.0",
        "ociVersionMax": "1.3.0",
        "hooks": ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"],
        "mountOptions": mounts::WORDS,
        "linux": {
            "namespaces": namespaces(),
            "capabilities": capability_names(),
            // What this runtime can do; whether the host has it shows when it is asked for (features-linux.md).
            "cgroup": { "v1": true, "v2": true, "systemd": true, "systemdUser": true, "rdma": true },
            "seccomp": filters(),
            "apparmor": { "enabled": lsm::apparmor_enabled() },
            "selinux": { "enabled": lsm::selinux_enabled() },
            "intelRdt": { "enabled": true, "schemata": true, "monitoring": true },
            "memoryPolicy": {
                "modes": crate::plan::MEMORY_MODES,
                "flags": crate::plan::MEMORY_FLAGS.map(|(name, _)| name),
            },
            "mountExtensions": { "idmap": { "enabled": true } },
            "netDevices": { "enabled": true },
        },
        "annotations": { "org.dhow.runtime.version": env!("CARGO_PKG_VERSION") },
        "potentiallyUnsafeConfigAnnotations": ["org.systemd.property."],
    })
}

/// Actions and the kernel's numbers for them.
const ACTIONS: [(&str, u32); 8] = [
    ("SCMP_ACT_ALLOW", 0x7fff_0000),
    ("SCMP_ACT_ERRNO", 0x0005_0000),
    ("SCMP_ACT_KILL", 0),
    ("SCMP_ACT_KILL_PROCESS", 0x8000_0000),
    ("SCMP_ACT_KILL_THREAD", 0),
    ("SCMP_ACT_LOG", 0x7ffc_0000),
    ("SCMP_ACT_NOTIFY", 0x7fc0_0000),
    ("SCMP_ACT_TRACE", 0x7ff0_0000),
];
const TRAP: (&str, u32) = ("SCMP_ACT_TRAP", 0x0003_0000);
const OPERATORS: [&str; 7] = [
    "SCMP_CMP_EQ",
    "SCMP_CMP_GE",
    "SCMP_CMP_GT",
    "SCMP_CMP_LE",
    "SCMP_CMP_LT",
    "SCMP_CMP_MASKED_EQ",
    "SCMP_CMP_NE",
];
/// Every name is recognized; rules count for those whose calls this machine can make.
const ARCHITECTURES: [&str; 23] = [
    "SCMP_ARCH_AARCH64",
    "SCMP_ARCH_ARM",
    "SCMP_ARCH_LOONGARCH64",
    "SCMP_ARCH_M68K",
    "SCMP_ARCH_MIPS",
    "SCMP_ARCH_MIPS64",
    "SCMP_ARCH_MIPS64N32",
    "SCMP_ARCH_MIPSEL",
    "SCMP_ARCH_MIPSEL64",
    "SCMP_ARCH_MIPSEL64N32",
    "SCMP_ARCH_PARISC",
    "SCMP_ARCH_PARISC64",
    "SCMP_ARCH_PPC",
    "SCMP_ARCH_PPC64",
    "SCMP_ARCH_PPC64LE",
    "SCMP_ARCH_RISCV64",
    "SCMP_ARCH_S390",
    "SCMP_ARCH_S390X",
    "SCMP_ARCH_SH",
    "SCMP_ARCH_SHEB",
    "SCMP_ARCH_X32",
    "SCMP_ARCH_X86",
    "SCMP_ARCH_X86_64",
];
const FLAGS: [&str; 4] = [
    "SECCOMP_FILTER_FLAG_LOG",
    "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
    "SECCOMP_FILTER_FLAG_TSYNC",
    "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
];

/// What filters may say: actions that the running kernel knows, and everything that the compiler does.
fn filters() -> Value {
    let known = |(_, number): &&(&str, u32)| dhow_sys::seccomp::knows_action(*number);
    let actions: Vec<&str> = ACTIONS
        .iter()
        .chain([&TRAP])
        .filter(known)
        .map(|(name, _)| *name)
        .collect();
    json!({
        "enabled": !actions.is_empty(),
        "actions": actions,
        "operators": OPERATORS,
        "archs": ARCHITECTURES,
        "knownFlags": FLAGS,
        "supportedFlags": FLAGS,
    })
}

/// The kinds that this kernel has: each shows a file for this process.
fn namespaces() -> Vec<&'static str> {
    let has = |kind: &Kind| {
        std::path::Path::new("/proc/self/ns")
            .join(kind.file())
            .exists()
    };
    Kind::ALL.into_iter().filter(has).map(Kind::word).collect()
}

/// The capabilities that both this runtime and this kernel know.
fn capability_names() -> Vec<String> {
    let last = id::last_capability();
    capability::names(u64::MAX >> (63 - last.min(63))).collect()
}

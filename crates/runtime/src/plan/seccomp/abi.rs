//! System call interfaces: how a machine's kernel reports a call to the filter.
//!
//! A kernel may offer several interfaces at once (x86_64 also i386 and x32). The filter sees
//! which one was used by `seccomp_data.arch`, an `AUDIT_ARCH_*` value, and, for x32 alone, by
//! bit 30 of the number. Sources: seccomp(2), `linux/audit.h`, `linux/elf-em.h`.

use crate::spec::seccomp::Architecture;

/// Bit 30 marks a call made through x32 (`__X32_SYSCALL_BIT`).
pub(super) const X32_BIT: u32 = 0x4000_0000;

/// `AUDIT_ARCH_X86_64`, which x32 uses too.
pub(super) const AUDIT_X86_64: u32 = 0xc000_003e;

/// Table cells from here on are Arm's private calls; see [`Abi::number`].
pub(super) const PRIVATE: u16 = 1008;

/// Where 32-bit Arm keeps its own calls (`__ARM_NR_BASE`).
pub(super) const ARM_PRIVATE_BASE: u32 = 0x000f_0000;

/// One interface.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Abi {
    pub(super) architecture: Architecture,
    /// `AUDIT_ARCH_*`.
    pub(super) audit: u32,
    /// Which column of the table of calls.
    pub(super) column: usize,
    /// Whether a filter compares all 64 bits of an argument. x32 counts as 32-bit here, as it
    /// does for libseccomp.
    pub(super) wide: bool,
    pub(super) big_endian: bool,
    /// Whether `socketcall` and `ipc` are second doors to other calls.
    pub(super) multiplexes: bool,
    /// Interfaces that can meet on one machine share a family.
    family: Family,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    X86,
    Arm,
    Riscv,
    LoongArch,
    Power,
    PowerLe,
    S390,
}

/// How many columns the table of calls has.
pub(super) const COLUMNS: usize = 11;

#[rustfmt::skip]
static ABIS: [Abi; 12] = {
    use Architecture as A;
    [
        abi(A::X86_64,      AUDIT_X86_64, 0,  Family::X86,       true,  false, false),
        abi(A::X86,         0x4000_0003, 1,  Family::X86,       false, false, true),
        abi(A::X32,         AUDIT_X86_64, 2,  Family::X86,       false, false, false),
        abi(A::Aarch64,     0xc000_00b7, 3,  Family::Arm,       true,  false, false),
        abi(A::Arm,         0x4000_0028, 4,  Family::Arm,       false, false, false),
        abi(A::Riscv64,     0xc000_00f3, 5,  Family::Riscv,     true,  false, false),
        abi(A::LoongArch64, 0xc000_0102, 6,  Family::LoongArch, true,  false, false),
        abi(A::Ppc64,       0x8000_0015, 7,  Family::Power,     true,  true,  true),
        abi(A::Ppc64Le,     0xc000_0015, 7,  Family::PowerLe,   true,  false, true),
        abi(A::Ppc,         0x0000_0014, 8,  Family::Power,     false, true,  true),
        abi(A::S390X,       0x8000_0016, 9,  Family::S390,      true,  true,  true),
        abi(A::S390,        0x0000_0016, 10, Family::S390,      false, true,  true),
    ]
};

const fn abi(
    architecture: Architecture,
    audit: u32,
    column: usize,
    family: Family,
    wide: bool,
    big_endian: bool,
    multiplexes: bool,
) -> Abi {
    Abi {
        architecture,
        audit,
        column,
        wide,
        big_endian,
        multiplexes,
        family,
    }
}

impl Abi {
    /// The interface called `architecture`, if there is a table of its calls.
    pub(super) fn of(architecture: Architecture) -> Option<&'static Abi> {
        ABIS.iter().find(|abi| abi.architecture == architecture)
    }

    /// Whether a kernel of `native`'s machine can ever report a call made through this one.
    pub(super) fn meets(&self, native: &Abi) -> bool {
        self.family == native.family
    }

    /// The number as the filter sees it, from the 16 bits of a table cell.
    ///
    /// Cells from [`PRIVATE`] on stand for 32-bit Arm's own calls, whose real numbers need
    /// more than 16 bits.
    pub(super) fn number(&self, cell: u16) -> u32 {
        let bit = if self.is_x32() { X32_BIT } else { 0 };
        if cell >= PRIVATE {
            ARM_PRIVATE_BASE + u32::from(cell - PRIVATE)
        } else {
            bit | u32::from(cell)
        }
    }

    /// Whether the kernel shows a call it does not have as number 0 (s390's way of passing
    /// numbers above 255 leaves them out of sight).
    pub(super) fn hides_unknown_numbers(&self) -> bool {
        self.family == Family::S390
    }

    /// Whether this is x32, which shares its audit value with x86_64.
    pub(super) fn is_x32(&self) -> bool {
        self.architecture == Architecture::X32
    }
}

impl Architecture {
    /// The interface of the programs this very binary belongs to.
    ///
    /// `None` on machines for which there is no table of system calls.
    #[must_use]
    pub fn native() -> Option<Architecture> {
        let little = u16::from_ne_bytes([1, 0]) == 1;
        Some(match std::env::consts::ARCH {
            "x86_64" => Architecture::X86_64,
            "x86" => Architecture::X86,
            "aarch64" => Architecture::Aarch64,
            "arm" => Architecture::Arm,
            "riscv64" => Architecture::Riscv64,
            "loongarch64" => Architecture::LoongArch64,
            "powerpc64" if little => Architecture::Ppc64Le,
            "powerpc64" => Architecture::Ppc64,
            "powerpc" => Architecture::Ppc,
            "s390x" => Architecture::S390X,
            _ => return None,
        })
    }
}

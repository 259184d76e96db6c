//! eBPF programs on cgroups (`bpf(2)`).
//!
//! Every attribute is passed in a zeroed buffer much larger than any kernel's, with the size of the
//! part that we mean: a kernel that writes back more than its header of that day said (Linux 6.17
//! grew the query result) then writes into our spare room, never past it.

use super::raw::{check_raw, syscall};
use crate::{Error, Result};
use rustix::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// One eBPF instruction (`struct bpf_insn`).
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instruction {
    /// Operation.
    pub code: u8,
    /// Destination register in the low four bits, source in the high four.
    pub registers: u8,
    /// Jump distance or memory offset.
    pub offset: i16,
    /// Operand.
    pub immediate: i32,
}

/// The name that our programs carry, by which they are found again among those of others.
pub const NAME: &str = "dhow_devices";

/// Room for any kernel's `union bpf_attr` (168 bytes on Linux 6.18).
const ROOM: usize = 512;

/// A zeroed attribute that fields are put into at their offsets.
#[repr(C, align(8))]
struct Attribute([u8; ROOM]);

impl Attribute {
    fn new() -> Self {
        Self([0; ROOM])
    }

    fn put(mut self, offset: usize, value: u32) -> Self {
        self.0[offset..offset + 4].copy_from_slice(&value.to_ne_bytes());
        self
    }

    fn put_address<T>(mut self, offset: usize, address: *const T) -> Self {
        let address = address as u64;
        self.0[offset..offset + 8].copy_from_slice(&address.to_ne_bytes());
        self
    }

    fn put_fd(self, offset: usize, fd: BorrowedFd<'_>) -> Self {
        self.put(offset, fd.as_raw_fd().cast_unsigned())
    }

    fn get(&self, offset: usize) -> u32 {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(&self.0[offset..offset + 4]);
        u32::from_ne_bytes(bytes)
    }
}

const PROG_LOAD: usize = 5;
const PROG_ATTACH: usize = 8;
const PROG_DETACH: usize = 9;
const PROG_GET_FD_BY_ID: usize = 13;
const OBJ_GET_INFO_BY_FD: usize = 15;
const PROG_QUERY: usize = 16;
const TYPE_CGROUP_DEVICE: u32 = 15;
const ATTACH_CGROUP_DEVICE: u32 = 6;
const ALLOW_MULTI: u32 = 1 << 1;
const REPLACE: u32 = 1 << 2;

/// Makes the call. `size` is the part of the attribute that carries meaning; pointers inside must
/// point to live memory of the stated lengths.
fn call(
    command: usize,
    attribute: &mut Attribute,
    size: usize,
    shown: impl FnOnce() -> String,
) -> Result<usize> {
    let pointer = (&raw mut attribute.0).cast::<u8>() as usize;
    // SAFETY: the buffer is live, writable and larger than `size` and than any kernel's attribute;
    // the callers in this file keep what it points to alive.
    // NEED: neither std nor rustix has bpf(2).
    let result = unsafe { syscall(libc::SYS_bpf, [command, pointer, size, 0, 0, 0]) };
    check_raw("bpf", result, shown)
}

fn adopt(value: usize) -> Result<OwnedFd> {
    let number =
        i32::try_from(value).map_err(|_| Error::new("bpf", value.to_string(), libc::EBADF))?;
    // SAFETY: the kernel has just returned this new descriptor; nobody else owns it. It is close-on-exec.
    // NEED: it arrives as a number.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Loads a device program (`BPF_PROG_TYPE_CGROUP_DEVICE`) under [`NAME`]; it lives while attached or held.
///
/// # Errors
/// `bpf`: EPERM without CAP_BPF, EINVAL or EACCES when the verifier refuses it, E2BIG.
pub fn load_device_program(instructions: &[Instruction]) -> Result<OwnedFd> {
    let count = u32::try_from(instructions.len()).unwrap_or(u32::MAX);
    let licence = c"MIT";
    let mut attribute = Attribute::new()
        .put(0, TYPE_CGROUP_DEVICE)
        .put(4, count)
        .put_address(8, instructions.as_ptr())
        .put_address(16, licence.as_ptr());
    attribute.0[48..48 + NAME.len()].copy_from_slice(NAME.as_bytes());
    let shown = || format!("BPF_PROG_LOAD, CGROUP_DEVICE, {count} instructions");
    call(PROG_LOAD, &mut attribute, 64, shown).and_then(adopt)
}

/// Attaches a device program to a cgroup v2 directory beside those already there; with `replacing`,
/// in the place of that one, atomically (Linux 5.6).
///
/// # Errors
/// `bpf`: EPERM, ENOENT when `replacing` is not attached, EINVAL before Linux 5.6.
pub fn attach_device_program(
    cgroup: BorrowedFd<'_>,
    program: BorrowedFd<'_>,
    replacing: Option<BorrowedFd<'_>>,
) -> Result<()> {
    let flags = ALLOW_MULTI | if replacing.is_some() { REPLACE } else { 0 };
    let mut attribute = Attribute::new()
        .put_fd(0, cgroup)
        .put_fd(4, program)
        .put(8, ATTACH_CGROUP_DEVICE)
        .put(12, flags);
    let mut size = 16;
    if let Some(old) = replacing {
        attribute = attribute.put_fd(16, old);
        size = 20;
    }
    let shown = || {
        format!(
            "BPF_PROG_ATTACH, CGROUP_DEVICE, cgroup {}, flags {flags:#x}",
            cgroup.as_raw_fd()
        )
    };
    call(PROG_ATTACH, &mut attribute, size, shown).map(drop)
}

/// Detaches a device program from a cgroup v2 directory.
///
/// # Errors
/// `bpf`: ENOENT when it is not attached there.
pub fn detach_device_program(cgroup: BorrowedFd<'_>, program: BorrowedFd<'_>) -> Result<()> {
    let mut attribute = Attribute::new()
        .put_fd(0, cgroup)
        .put_fd(4, program)
        .put(8, ATTACH_CGROUP_DEVICE);
    let shown = || {
        format!(
            "BPF_PROG_DETACH, CGROUP_DEVICE, cgroup {}",
            cgroup.as_raw_fd()
        )
    };
    call(PROG_DETACH, &mut attribute, 16, shown).map(drop)
}

/// The numbers of the device programs attached to a cgroup v2 directory itself, not above it.
///
/// # Errors
/// `bpf`: EPERM, EINVAL when the kernel lacks `CONFIG_CGROUP_BPF`.
pub fn attached_device_programs(cgroup: BorrowedFd<'_>) -> Result<Vec<u32>> {
    // A kernel allows 64 programs per cgroup and attach type (BPF_CGROUP_MAX_PROGS).
    let mut numbers = vec![0u32; 64];
    let room = u32::try_from(numbers.len()).unwrap_or(64);
    let mut attribute = Attribute::new()
        .put_fd(0, cgroup)
        .put(4, ATTACH_CGROUP_DEVICE)
        .put_address(16, numbers.as_mut_ptr().cast_const())
        .put(24, room);
    let shown = || {
        format!(
            "BPF_PROG_QUERY, CGROUP_DEVICE, cgroup {}",
            cgroup.as_raw_fd()
        )
    };
    call(PROG_QUERY, &mut attribute, 64, shown)?;
    let count = usize::try_from(attribute.get(24)).unwrap_or(0);
    numbers.truncate(count);
    Ok(numbers)
}

/// Opens a loaded program by its number.
///
/// # Errors
/// `bpf`: ENOENT when it is gone, EPERM without CAP_SYS_ADMIN.
pub fn open_program(number: u32) -> Result<OwnedFd> {
    let mut attribute = Attribute::new().put(0, number);
    call(PROG_GET_FD_BY_ID, &mut attribute, 12, || {
        format!("BPF_PROG_GET_FD_BY_ID, {number}")
    })
    .and_then(adopt)
}

/// The name that a program was loaded with; empty when it has none.
///
/// # Errors
/// `bpf`: EPERM.
pub fn program_name(program: BorrowedFd<'_>) -> Result<String> {
    /// Up to and with `name` in `struct bpf_prog_info`; the kernel writes no more than is asked for.
    const INFORMATION: u32 = 80;
    let mut information = Attribute::new();
    let mut attribute = Attribute::new()
        .put_fd(0, program)
        .put(4, INFORMATION)
        .put_address(8, (&raw mut information.0).cast_const());
    let shown = || format!("BPF_OBJ_GET_INFO_BY_FD, {}", program.as_raw_fd());
    call(OBJ_GET_INFO_BY_FD, &mut attribute, 16, shown)?;
    let name = information.0[64..80]
        .split(|byte| *byte == 0)
        .next()
        .unwrap_or_default();
    Ok(String::from_utf8_lossy(name).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fd::AsFd;
    use std::path::Path;

    const ALLOW: [Instruction; 2] = [
        Instruction {
            code: 0xb7,
            registers: 0,
            offset: 0,
            immediate: 1,
        },
        Instruction {
            code: 0x95,
            registers: 0,
            offset: 0,
            immediate: 0,
        },
    ];

    #[test]
    fn the_verifier_refuses_what_does_not_end() {
        let code = load_device_program(&ALLOW[..1])
            .expect_err("no exit")
            .code();
        assert!([libc::EINVAL, libc::EPERM].contains(&code), "{code}");
    }

    #[test]
    fn a_program_is_attached_replaced_and_detached() {
        let mount = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"].map(Path::new);
        let Some(mount) = mount
            .into_iter()
            .find(|mount| mount.join("cgroup.procs").exists())
        else {
            println!("skipped: no cgroup v2 mount");
            return;
        };
        let path = mount.join(format!("dhow-bpf-{}", std::process::id()));
        if std::fs::create_dir(&path).is_err() {
            println!("skipped: may not create a cgroup in {}", mount.display());
            return;
        }
        let result = attach_replace_detach(&path);
        std::fs::remove_dir(&path).expect("remove the cgroup");
        match result {
            Err(error) if error.code() == libc::EPERM => println!("skipped: {error}"),
            result => result.expect("attach, replace and detach"),
        }
    }

    /// S-BPFSIZE: fills the room behind what is meant, asks, and says how far the kernel wrote.
    fn written(command: usize, mut attribute: Attribute, size: usize) -> Result<usize> {
        attribute.0[size..].fill(0xa5);
        call(command, &mut attribute, size, || "a question".into())?;
        let last = attribute.0[size..].iter().rposition(|byte| *byte != 0xa5);
        Ok(last.map_or(size, |last| size + last + 1))
    }

    /// Some kernels since 6.17 write 64 bytes of an answer for which older programs made room for 28.
    #[test]
    fn what_the_kernel_writes_stays_in_the_room() {
        let mount = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"].map(Path::new);
        let cgroup = mount.into_iter().find_map(|mount| {
            let known = mount.join("cgroup.procs").exists();
            let directory = known
                .then(|| super::super::path::open_directory(mount))?
                .ok()?;
            super::super::path::reopen(directory.as_fd(), super::super::OFlags::RDONLY).ok()
        });
        let Some(cgroup) = cgroup else {
            println!("skipped: no cgroup v2 mount");
            return;
        };
        for size in [28, 32, 40, 56, 64, 128] {
            let mut numbers = [0_u32; 64];
            let question = Attribute::new()
                .put_fd(0, cgroup.as_fd())
                .put(4, ATTACH_CGROUP_DEVICE)
                .put_address(16, numbers.as_mut_ptr().cast_const())
                .put(24, 64);
            match written(PROG_QUERY, question, size) {
                Err(error) if error.code() == libc::EPERM => {
                    println!("skipped: {error}");
                    return;
                }
                end => {
                    let end = end.expect("an answer");
                    println!("asked with {size} bytes, written up to {end}");
                    assert!(end <= ROOM / 2, "{end} of {ROOM} bytes");
                }
            }
        }
    }

    fn attach_replace_detach(path: &Path) -> Result<()> {
        let cgroup = super::super::path::open_directory(path)?;
        // BPF_PROG_ATTACH wants a descriptor that is open for reading.
        let cgroup = super::super::path::reopen(cgroup.as_fd(), super::super::OFlags::RDONLY)?;
        let cgroup = cgroup.as_fd();
        assert_eq!(attached_device_programs(cgroup)?, []);
        let first = load_device_program(&ALLOW)?;
        attach_device_program(cgroup, first.as_fd(), None)?;
        let one = attached_device_programs(cgroup)?;
        assert_eq!(one.len(), 1);
        for _ in 0..100 {
            let old = open_program(attached_device_programs(cgroup)?[0])?;
            let new = load_device_program(&ALLOW)?;
            attach_device_program(cgroup, new.as_fd(), Some(old.as_fd()))?;
        }
        let other = attached_device_programs(cgroup)?;
        assert_eq!(program_name(open_program(other[0])?.as_fd())?, NAME);
        assert!(other.len() == 1 && other != one, "{other:?}");
        let missing = detach_device_program(cgroup, first.as_fd()).expect_err("no longer attached");
        assert_eq!(missing.code(), libc::ENOENT);
        detach_device_program(cgroup, open_program(other[0])?.as_fd())?;
        assert_eq!(attached_device_programs(cgroup)?, []);
        Ok(())
    }
}

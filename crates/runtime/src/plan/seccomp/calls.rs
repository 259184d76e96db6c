//! System calls by name.
//!
//! A profile has some 400 names and a container start has no time, so names are found by
//! hashing; the index is made when dhow is compiled.

use super::abi::Abi;
use super::table::{NO, TABLE};

/// A system call that at least one interface has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Call(usize);

impl Call {
    /// Looks a name up; `None` when no interface has such a call.
    pub(super) fn named(name: &str) -> Option<Call> {
        let mut slot = hash(name.as_bytes());
        loop {
            let row = usize::from(INDEX[slot % INDEX.len()].checked_sub(1)?);
            if TABLE[row].0 == name {
                return Some(Call(row));
            }
            slot += 1;
        }
    }

    /// The table cell of this call in `abi`, `None` where the interface lacks it.
    /// [`Abi::number`] turns a cell into the number.
    pub(super) fn cell(self, abi: &Abi) -> Option<u16> {
        let cell = TABLE[self.0].1[abi.column];
        (cell != NO).then_some(cell)
    }

    /// The second door to this call, where the interface has one.
    pub(super) fn door(self, abi: &Abi) -> Option<Door> {
        if !abi.multiplexes {
            return None;
        }
        let (_, entrance, selector) = DOORS[usize::from(DOOR_OF[self.0].checked_sub(1)?)];
        let cell = Call::named(entrance)?.cell(abi)?;
        Some(Door { cell, selector })
    }
}

/// FNV-1a.
const fn hash(name: &[u8]) -> usize {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut at = 0;
    while at < name.len() {
        hash = (hash ^ name[at] as u64).wrapping_mul(0x0100_0000_01b3);
        at += 1;
    }
    (hash >> 40) as usize
}

/// Row number plus one by hash, the next free slot on a clash; zero where there is none. At
/// most half full, so a search for an unknown name ends soon.
static INDEX: [u16; 1024] = {
    let mut index = [0; 1024];
    let mut row: u16 = 0;
    while (row as usize) < TABLE.len() {
        let mut slot = hash(TABLE[row as usize].0.as_bytes());
        while index[slot % 1024] != 0 {
            slot += 1;
        }
        row += 1;
        index[slot % 1024] = row;
    }
    index
};

/// Entry of `DOORS` plus one by row of the table; zero for calls with one door only.
static DOOR_OF: [u8; TABLE.len()] = {
    let mut doors = [0; TABLE.len()];
    let mut door: u8 = 0;
    while (door as usize) < DOORS.len() {
        let name = DOORS[door as usize].0.as_bytes();
        let mut row = 0;
        while !same(TABLE[row].0.as_bytes(), name) {
            row += 1;
        }
        door += 1;
        doors[row] = door;
    }
    doors
};

/// Equality that can be computed at compile time.
const fn same(one: &[u8], other: &[u8]) -> bool {
    let mut at = 0;
    while at < one.len() && at < other.len() && one[at] == other[at] {
        at += 1;
    }
    at == one.len() && at == other.len()
}

/// A call that stands for several others and is told by its first argument which one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Door {
    /// Table cell of `socketcall` or `ipc`.
    pub(super) cell: u16,
    /// The first argument that means the call in question.
    pub(super) selector: u32,
}

const SOCKETCALL: &str = "socketcall";
const IPC: &str = "ipc";

/// Sources: socketcall(2) and `linux/net.h`; ipc(2) and `linux/ipc.h`.
#[rustfmt::skip]
const DOORS: [(&str, &str, u32); 32] = [
    ("accept",      SOCKETCALL, 5),
    ("accept4",     SOCKETCALL, 18),
    ("bind",        SOCKETCALL, 2),
    ("connect",     SOCKETCALL, 3),
    ("getpeername", SOCKETCALL, 7),
    ("getsockname", SOCKETCALL, 6),
    ("getsockopt",  SOCKETCALL, 15),
    ("listen",      SOCKETCALL, 4),
    ("msgctl",      IPC,        14),
    ("msgget",      IPC,        13),
    ("msgrcv",      IPC,        12),
    ("msgsnd",      IPC,        11),
    ("recv",        SOCKETCALL, 10),
    ("recvfrom",    SOCKETCALL, 12),
    ("recvmmsg",    SOCKETCALL, 19),
    ("recvmsg",     SOCKETCALL, 17),
    ("semctl",      IPC,        3),
    ("semget",      IPC,        2),
    ("semop",       IPC,        1),
    ("semtimedop",  IPC,        4),
    ("send",        SOCKETCALL, 9),
    ("sendmmsg",    SOCKETCALL, 20),
    ("sendmsg",     SOCKETCALL, 16),
    ("sendto",      SOCKETCALL, 11),
    ("setsockopt",  SOCKETCALL, 14),
    ("shmat",       IPC,        21),
    ("shmctl",      IPC,        24),
    ("shmdt",       IPC,        22),
    ("shmget",      IPC,        23),
    ("shutdown",    SOCKETCALL, 13),
    ("socket",      SOCKETCALL, 1),
    ("socketpair",  SOCKETCALL, 8),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::seccomp::abi::PRIVATE;
    use crate::spec::seccomp::Architecture;

    #[test]
    fn the_table_is_sorted_and_every_row_is_found() {
        assert!(TABLE.is_sorted_by(|a, b| a.0 < b.0));
        for (row, (name, _)) in TABLE.iter().enumerate() {
            assert_eq!(Call::named(name), Some(Call(row)));
        }
        assert_eq!(
            DOOR_OF.iter().filter(|door| **door != 0).count(),
            DOORS.len()
        );
    }

    #[test]
    fn no_interface_gives_one_number_to_two_calls() {
        for column in 0..super::super::abi::COLUMNS {
            let mut cells: Vec<u16> = TABLE.iter().map(|(_, row)| row[column]).collect();
            cells.retain(|cell| *cell != NO);
            let count = cells.len();
            cells.sort_unstable();
            cells.dedup();
            assert_eq!(cells.len(), count, "column {column}");
            let public = cells.iter().filter(|cell| **cell < PRIVATE);
            assert!(public.copied().max() < Some(PRIVATE - 1));
        }
    }

    #[test]
    fn known_numbers() {
        let cases = [
            ("read", Architecture::X86_64, Some(0)),
            ("openat2", Architecture::X86_64, Some(437)),
            ("socketcall", Architecture::X86, Some(102)),
            ("execve", Architecture::X32, Some(0x4000_0208)),
            ("clone", Architecture::Aarch64, Some(220)),
            ("set_tls", Architecture::Arm, Some(0xf0005)),
            ("open", Architecture::Riscv64, None),
            ("mseal", Architecture::S390X, Some(462)),
            ("open_tree_attr", Architecture::Ppc64Le, Some(467)),
        ];
        for (name, architecture, number) in cases {
            let abi = Abi::of(architecture).unwrap();
            let cell = Call::named(name).unwrap().cell(abi);
            assert_eq!(cell.map(|cell| abi.number(cell)), number, "{name}");
        }
        assert_eq!(Call::named("frobnicate"), None);
    }

    /// The host's own header, where it is installed, must agree with our column.
    #[test]
    fn the_native_header_agrees() {
        let path = "/usr/include/x86_64-linux-gnu/asm/unistd_64.h";
        let Ok(text) = std::fs::read_to_string(path) else {
            println!("skipped: {path} is not there (package linux-libc-dev)");
            return;
        };
        let abi = Abi::of(Architecture::X86_64).unwrap();
        let mut seen = 0;
        for line in text.lines() {
            let Some(rest) = line.strip_prefix("#define __NR_") else {
                continue;
            };
            let (name, number) = rest.split_once(' ').unwrap();
            let call = Call::named(name).unwrap_or_else(|| panic!("{name} is missing"));
            assert_eq!(
                call.cell(abi),
                Some(number.trim().parse().unwrap()),
                "{name}"
            );
            seen += 1;
        }
        assert!(seen > 300);
    }

    #[test]
    fn second_doors_exist_only_where_the_kernel_has_them() {
        let socket = Call::named("socket").unwrap();
        let door = socket.door(Abi::of(Architecture::X86).unwrap()).unwrap();
        assert_eq!((door.cell, door.selector), (102, 1));
        assert_eq!(socket.door(Abi::of(Architecture::X86_64).unwrap()), None);
        let semop = Call::named("semop").unwrap();
        let door = semop.door(Abi::of(Architecture::Ppc64Le).unwrap()).unwrap();
        assert_eq!((door.cell, door.selector), (117, 1));
    }
}

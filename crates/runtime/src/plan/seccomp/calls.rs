//! System calls by name.

use super::abi::Abi;
use super::table::{NO, TABLE};

/// A system call that at least one interface has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Call {
    name: &'static str,
    row: &'static [u16; super::abi::COLUMNS],
}

impl Call {
    /// Looks a name up; `None` when no interface has such a call.
    pub(super) fn named(name: &str) -> Option<Call> {
        let at = TABLE.binary_search_by(|(one, _)| (*one).cmp(name)).ok()?;
        let (name, row) = &TABLE[at];
        Some(Call { name, row })
    }

    /// The table cell of this call in `abi`, `None` where the interface lacks it.
    /// [`Abi::number`] turns a cell into the number.
    pub(super) fn cell(self, abi: &Abi) -> Option<u16> {
        let cell = self.row[abi.column];
        (cell != NO).then_some(cell)
    }

    /// The second door to this call, where the interface has one.
    pub(super) fn door(self, abi: &Abi) -> Option<Door> {
        if !abi.multiplexes {
            return None;
        }
        let at = DOORS.binary_search_by(|(one, ..)| (*one).cmp(self.name));
        let (_, entrance, selector) = DOORS[at.ok()?];
        let cell = Call::named(entrance)?.cell(abi)?;
        Some(Door { cell, selector })
    }
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

/// Sources: socketcall(2) and `linux/net.h`; ipc(2) and `linux/ipc.h`. Sorted by name.
#[rustfmt::skip]
static DOORS: [(&str, &str, u32); 32] = [
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
    fn tables_are_sorted_so_that_searches_find_every_row() {
        assert!(TABLE.is_sorted_by(|a, b| a.0 < b.0));
        assert!(DOORS.is_sorted_by(|a, b| a.0 < b.0));
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

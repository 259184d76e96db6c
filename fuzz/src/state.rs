//! F-STATE: our own files of a state directory, damaged: an error, never a panic, and never another
//! process or cgroup taken for the container's.
//!
//! The first byte chooses: 0, the rest is a file as it is, read by every reader; else a real file (state,
//! intent, or compiled filter) is damaged as the rest says: truncated, up to three bits flipped, or up to
//! four bytes in a row replaced. These are exactly what a CRC-32 is certain to find.

use crate::bytes::Bytes;
use dhow_cgroup::Group;
use dhow_runtime::linux::record::Record;
use dhow_runtime::plan::seccomp::{Program, compile};
use dhow_runtime::seal;
use dhow_runtime::spec::seccomp::{Architecture, Seccomp};
use std::sync::LazyLock;

const STATE: &str = include_str!("../samples/state.json");
const INTENT: &str = include_str!("../samples/intent.json");
const PROFILE: &str = include_str!("../samples/seccomp.json");

/// The three files, as they lie in a state directory.
static FILES: LazyLock<[Vec<u8>; 3]> = LazyLock::new(|| {
    let record = Record::read(STATE.trim_end().as_bytes()).expect("the sample is a record");
    let group: Group = serde_json::from_str(INTENT).expect("the sample is a group");
    let profile: Seccomp = serde_json::from_str(PROFILE).expect("the sample is a profile");
    let program = compile(&profile, Architecture::X86_64).expect("a good profile");
    [
        serde_json::to_vec(&record).expect("a record prints"),
        serde_json::to_vec(&group).expect("a group prints"),
        program.to_bytes(),
    ]
    .map(|data| [data.clone(), seal::seal(&data)].concat())
});

/// Damage is seen.
///
/// # Panics
/// When it is not.
pub fn check(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let Some(kind) = bytes.byte().checked_sub(1) else {
        read(data.get(1..).unwrap_or_default());
        return;
    };
    let whole = &FILES[usize::from(kind) % FILES.len()];
    assert!(seal::open(whole).is_ok());
    let mut file = whole.clone();
    damage(&mut file, &mut bytes);
    if file != *whole {
        assert!(seal::open(&file).is_err(), "damage was not seen");
    }
    read(&file);
    // Also what a seal of the damaged bytes would let through: no reader panics.
    let end = whole.len() - seal::seal(&[]).len();
    read_inner(&file[..end.min(file.len())]);
}

fn damage(file: &mut Vec<u8>, bytes: &mut Bytes<'_>) {
    let how = bytes.byte();
    let place = |bytes: &mut Bytes<'_>, length: usize| usize::from(bytes.pair()) % length;
    match how % 8 {
        0 => file.truncate(place(bytes, file.len())),
        1..=3 => {
            for _ in 0..how % 8 {
                let bit = place(bytes, file.len());
                file[bit] ^= 1 << (bytes.byte() % 8);
            }
        }
        length => {
            let at = place(bytes, file.len());
            let end = file.len().min(at + usize::from(length) - 3);
            file[at..end]
                .iter_mut()
                .for_each(|byte| *byte = bytes.byte());
        }
    }
}

fn read(file: &[u8]) {
    if let Ok(data) = seal::open(file) {
        assert_eq!([data, &seal::seal(data)].concat(), file);
        read_inner(data);
    }
    read_inner(file);
}

/// Every reader takes any bytes; what it takes it writes back as the same.
fn read_inner(data: &[u8]) {
    if let Ok(record) = Record::read(data) {
        let written = serde_json::to_vec(&record).expect("a record prints");
        let again = Record::read(&written).expect("what we write we read");
        assert_eq!(
            (&record.id, record.pid, record.start_time, &record.boot_id),
            (&again.id, again.pid, again.start_time, &again.boot_id)
        );
        assert_eq!(
            serde_json::to_vec(&again).expect("a record prints"),
            written
        );
    }
    if let Ok(group) = serde_json::from_slice::<Group>(data) {
        // Where it would kill and remove.
        let places: Vec<_> = group.directories().collect();
        assert!(places.len() <= data.len());
    }
    if let Ok(program) = Program::from_bytes(data) {
        assert_eq!(program.to_bytes(), data);
    }
}

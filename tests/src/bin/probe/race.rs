//! The neighbour who shares a volume: it exchanges two names as fast as the kernel lets it.

use crate::act::Done;
use rustix::fs::{CWD, RenameFlags, renameat_with};

/// Exchanges the two names until a signal ends it.
pub(crate) fn exchange(one: &str, other: &str) -> Done {
    loop {
        // EBUSY: one of them is a mount point for a moment. It will be free again.
        match renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE) {
            Ok(()) | Err(rustix::io::Errno::BUSY) => {}
            Err(error) => {
                eprintln!("probe: cannot exchange {one} and {other}: {error}");
                return Done::Code(1);
            }
        }
    }
}

//! A process inside somebody else's user or pid namespace takes two clones.
//!
//! Only who is in that user namespace may enter or make the others that belong to it, and a pid
//! namespace counts for children only. So a first process enters, clones the second as its own
//! sibling, hands its pidfd to the parent of both, and ends.

use super::handshake::{Channel, Said};
use super::platform::is_host_root;
use crate::error::{At, Error, Failure, Result};
use dhow_sys::fd::{self, Interest};
use dhow_sys::process::{self, Child, Cloned};
use std::os::fd::{AsFd, BorrowedFd};

const STEP: &str = "clone the container's process";

/// Clones into a cgroup. An ordinary user may move processes only below a common parent that was given
/// to it; one that comes from another of its sessions then stays in that session's cgroup, as with
/// the other runtimes.
///
/// # Errors
/// `clone3`.
pub fn into(flags: u64, cgroup: Option<BorrowedFd<'_>>) -> dhow_sys::Result<Cloned> {
    match process::clone(flags, cgroup) {
        Err(error) if error.code() == 13 && cgroup.is_some() && !is_host_root() => {
            process::clone(flags, None)
        }
        result => result,
    }
}

/// Clones a process that has entered: `None` in it. `flags` are the namespaces that it makes.
///
/// # Errors
/// The step that failed, here or in the first process.
pub fn clone_inside(
    enter: impl FnOnce() -> Result<()>,
    flags: u64,
    cgroup: Option<BorrowedFd<'_>>,
    parent: &Channel,
    child: &Channel,
) -> Result<Option<Child>> {
    let first = match into(0, cgroup).at(STEP)? {
        Cloned::Parent(first) => first,
        Cloned::Child => {
            let second = fd::pipe().at(STEP).and_then(|ends| {
                enter()?;
                let cloned = process::clone(flags | process::CLONE_PARENT, None).at(STEP)?;
                Ok((cloned, ends))
            });
            match second {
                Ok((Cloned::Child, (reader, writer))) => {
                    drop(writer);
                    // Until the first one has ended: on a busy machine we could be heard before it was, and
                    // the parent would not know yet who we are.
                    let _ = fd::read_all(reader.as_fd(), 1);
                    return Ok(None);
                }
                Ok((Cloned::Parent(second), _writer)) => {
                    let handed = child
                        .moved(second.pidfd.as_fd())
                        .at("hand the process over");
                    if let Err(error) = &handed {
                        // Nobody else knows of it.
                        let _ = process::signal(second.pidfd.as_fd(), 9);
                        child.failed(error);
                    }
                    process::exit(u8::from(handed.is_err()))
                }
                Err(error) => {
                    child.failed(&error);
                    process::exit(1)
                }
            }
        }
    };
    let said = hear(parent, &first);
    let _ = process::wait(first.pidfd.as_fd());
    let Said::Moved(pidfd) = said? else {
        let text = "no process arrived".into();
        return Err(Error::Birth(Failure {
            step: STEP.into(),
            text,
            code: 0,
        }));
    };
    let pid = process::number(pidfd.as_fd()).at(STEP)?;
    Ok(Some(Child { pid, pidfd }))
}

/// What the first process says, also when that is nothing: the second may live on, and hold the other end, until
/// ours is closed.
fn hear(parent: &Channel, first: &Child) -> Result<Said> {
    let both = [
        (parent.as_fd(), Interest::Read),
        (first.pidfd.as_fd(), Interest::Read),
    ];
    let has_spoken = fd::poll(&both, None).at(STEP)?[0];
    // It may have spoken and ended between two looks.
    if has_spoken || fd::poll(&both[..1], Some(0)).at(STEP)?[0] {
        return parent.expect(|said| matches!(said, Said::Moved(_)), STEP);
    }
    let text = "the process that enters the namespaces ended without a word; was it killed, or out of memory?";
    Err(Error::Birth(Failure {
        step: STEP.into(),
        text: text.into(),
        code: 0,
    }))
}

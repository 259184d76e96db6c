//! What to do about a failure: one table from what failed to a sentence.
//!
//! A hint is given only where the cause is known well enough that the advice helps; every row has a
//! test that provokes it.

use crate::{Error, Kind};

/// One row: all given conditions must hold.
struct Row {
    kind: Kind,
    /// A part of the step's label, when the runtime named one.
    step: &'static str,
    /// The symbolic error number, or nothing for any.
    errno: &'static str,
    /// A part of the whole message.
    text: &'static str,
    hint: &'static str,
}

const fn row(
    kind: Kind,
    step: &'static str,
    errno: &'static str,
    text: &'static str,
    hint: &'static str,
) -> Row {
    Row {
        kind,
        step,
        errno,
        text,
        hint,
    }
}

const TABLE: &[Row] = &[
    row(
        Kind::Permission,
        "",
        "EPERM",
        "overlay",
        "this kernel does not allow overlay mounts in a user namespace (needs Linux 5.11); try --storage-driver=copy",
    ),
    row(
        Kind::Kernel,
        "",
        "EINVAL",
        "overlay",
        "the filesystem of the store cannot be the upper layer of an overlay; try --storage-driver=copy or another --root",
    ),
    row(
        Kind::Kernel,
        "",
        "ELOOP",
        "overlay",
        "the kernel refuses overlays over more than two filesystems of that kind; put the store on a plain disk filesystem",
    ),
    row(
        Kind::Internal,
        "",
        "",
        "cannot find the program",
        "install dhow's programs in one directory, or name them in DHOW_RUNTIME and DHOW_MONITOR",
    ),
    row(
        Kind::Conflict,
        "",
        "",
        "is taken by container",
        "choose another --name, or remove that container with `dhow rm`",
    ),
    row(
        Kind::Conflict,
        "",
        "",
        "cannot remove container",
        "stop it first, or use `dhow rm --force`",
    ),
    row(
        Kind::NotFound,
        "",
        "",
        "executable",
        "the image has no such program in its PATH; list what it has with `dhow run --rm IMAGE ls /bin`",
    ),
    row(
        Kind::Permission,
        "",
        "",
        "linux.resources",
        "this user may not set limits here: log in through systemd with delegated controllers, or leave the limit away",
    ),
    row(
        Kind::Kernel,
        "",
        "",
        "linux.resources",
        "this host lacks the cgroup controller for that limit; `dhow doctor` lists the ones it has",
    ),
    row(
        Kind::Permission,
        "",
        "EPERM",
        "uid_map",
        "give this user ranges in /etc/subuid and /etc/subgid and install newuidmap; `dhow doctor` shows how",
    ),
    row(
        Kind::Unsupported,
        "",
        "",
        "--network bridge",
        "use --network host to share the host's network, or --network none",
    ),
];

/// The hint for an error, when there is one.
pub(crate) fn hint(error: &Error) -> Option<&'static str> {
    let kind = error.kind();
    let errno = error.errno().unwrap_or_default();
    let step = error.step().unwrap_or_default().to_owned();
    let mut text = error.to_string();
    for cause in error.causes() {
        text.push('\n');
        text.push_str(&cause);
    }
    TABLE
        .iter()
        .find(|row| {
            row.kind == kind
                && (row.errno.is_empty() || row.errno == errno)
                && step.contains(row.step)
                && text.contains(row.text)
        })
        .map(|row| row.hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{ProgramFault, RuntimeFailure};

    fn start(step: &str, message: &str, errno: &str, program: ProgramFault) -> Error {
        Error::Start(RuntimeFailure {
            step: (!step.is_empty()).then(|| step.to_owned()),
            message: message.to_owned(),
            errno: (!errno.is_empty()).then(|| errno.to_owned()),
            program,
        })
    }

    /// One failure for each row, in the table's order.
    fn provocations() -> Vec<Error> {
        let none = ProgramFault::None;
        vec![
            start(
                "mount /",
                "fsconfig(overlay, CREATE) = EPERM (…)",
                "EPERM",
                none,
            ),
            start(
                "mount /",
                "fsconfig(overlay, CREATE) = EINVAL (…)",
                "EINVAL",
                none,
            ),
            start(
                "mount /",
                "fsconfig(overlay, CREATE) = ELOOP (…)",
                "ELOOP",
                none,
            ),
            Error::NoSibling {
                program: "dhow-monitor".into(),
                looked: "/x".into(),
            },
            Error::NameTaken {
                name: "a".into(),
                id: "b".into(),
            },
            Error::WrongState {
                verb: "remove",
                name: "a".into(),
                state: "running",
            },
            start(
                "",
                "exec: \"x\": executable file not found in $PATH",
                "",
                ProgramFault::NotFound,
            ),
            start(
                "",
                "linux.resources.memory.limit: this user may not create a control group",
                "",
                none,
            ),
            start("", "linux.resources.rdma: there is no controller", "", none),
            start("map the ids", "open(uid_map) = EPERM (…)", "EPERM", none),
            Error::unsupported("--network bridge", "not there yet"),
        ]
    }

    #[test]
    fn every_row_has_a_failure_that_it_helps() {
        for (index, error) in provocations().iter().enumerate() {
            assert_eq!(hint(error), Some(TABLE[index].hint), "row {index}: {error}");
        }
        assert_eq!(provocations().len(), TABLE.len());
    }

    #[test]
    fn no_advice_where_nothing_is_known() {
        assert_eq!(hint(&Error::MonitorLost), None);
        let error = start("", "something else", "", ProgramFault::None);
        assert_eq!(hint(&error), None);
    }
}

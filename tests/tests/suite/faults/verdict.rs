//! What a verb came to after a fault.

use super::sweep::Fault;
use dhow_tests::Output;

/// The three ends.
pub(super) enum Verdict {
    /// An error that names the cause.
    Refused,
    /// Success, and everything is as it should be.
    Tolerated,
    /// Anything else.
    Wrong(String),
}

/// Judges an output. `whole` looks at what a success has made.
pub(super) fn of(
    output: &Output,
    call: &str,
    fault: Fault,
    whole: impl FnOnce(&Output) -> Result<(), String>,
) -> Verdict {
    let said = output.stderr();
    match output.code {
        Some(0) => match whole(output) {
            Ok(()) => Verdict::Tolerated,
            Err(why) => Verdict::Wrong(format!("succeeded, but {why}")),
        },
        Some(1 | 255) if said.contains("panicked") => Verdict::Wrong("panicked".into()),
        Some(1 | 255) if names(&said, fault) => Verdict::Refused,
        // Whatever keeps libc from getting memory, or from starting a program (`posix_spawn` of musl), it
        // says that there is none.
        Some(1 | 255) if matches!(call, "mmap" | "pipe2") && said.contains("Out of memory") => {
            Verdict::Refused
        }
        Some(1 | 255) => Verdict::Wrong(format!("the error does not name {fault}")),
        code => Verdict::Wrong(format!("ended with {code:?}, signal {:?}", output.signal)),
    }
}

/// Whether a message tells the errno, by its name or in the words of the standard library.
fn names(said: &str, fault: Fault) -> bool {
    let errno = match fault {
        Fault::Errno(errno, _) => errno,
        // As the caller that cannot go on with a part says it.
        Fault::Short => {
            return ["EIO", "is damaged", "cut short"]
                .iter()
                .any(|text| said.contains(text));
        }
    };
    let words = match errno {
        "EIO" => "I/O error",
        "EPERM" => "Operation not permitted",
        "ENOMEM" => "Out of memory",
        "ENOSPC" => "No space left on device",
        "EINTR" => "Interrupted system call",
        _ => "Function not implemented",
    };
    said.contains(errno) || said.contains(words)
}

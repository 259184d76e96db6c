//! What a failed call looks like.

use std::fmt;

/// The result of a call of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// A call that failed: its name, its arguments and the system's error number.
///
/// It prints like a line of strace:
/// `openat2(5, "etc/passwd", IN_ROOT) = ENOENT (No such file or directory)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    call: &'static str,
    arguments: String,
    code: i32,
}

impl Error {
    /// An error of `call`, with its arguments as they should be printed and the system's number.
    pub fn new(call: &'static str, arguments: impl Into<String>, code: i32) -> Self {
        Self {
            call,
            arguments: arguments.into(),
            code,
        }
    }

    /// The name of the call.
    #[must_use]
    pub fn call(&self) -> &'static str {
        self.call
    }

    /// The arguments of the call, as printed.
    #[must_use]
    pub fn arguments(&self) -> &str {
        &self.arguments
    }

    /// The system's error number: `errno` on Linux, `GetLastError` or an `HRESULT` on Windows.
    #[must_use]
    pub fn code(&self) -> i32 {
        self.code
    }

    /// The symbolic name of the error number, such as `ENOENT`, or `errno 4242`.
    #[must_use]
    pub fn name(&self) -> String {
        errno_name(self.code).map_or_else(|| format!("errno {}", self.code), str::to_owned)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = std::io::Error::from_raw_os_error(self.code).to_string();
        let text = text.split(" (os error").next().unwrap_or_default();
        write!(
            f,
            "{}({}) = {} ({text})",
            self.call,
            self.arguments,
            self.name()
        )
    }
}

impl std::error::Error for Error {}

/// The symbolic name of a Linux error number, for those that our calls return.
fn errno_name(code: i32) -> Option<&'static str> {
    Some(match code {
        1 => "EPERM",
        2 => "ENOENT",
        3 => "ESRCH",
        4 => "EINTR",
        5 => "EIO",
        6 => "ENXIO",
        7 => "E2BIG",
        8 => "ENOEXEC",
        9 => "EBADF",
        10 => "ECHILD",
        11 => "EAGAIN",
        12 => "ENOMEM",
        13 => "EACCES",
        14 => "EFAULT",
        15 => "ENOTBLK",
        16 => "EBUSY",
        17 => "EEXIST",
        18 => "EXDEV",
        19 => "ENODEV",
        20 => "ENOTDIR",
        21 => "EISDIR",
        22 => "EINVAL",
        23 => "ENFILE",
        24 => "EMFILE",
        25 => "ENOTTY",
        26 => "ETXTBSY",
        27 => "EFBIG",
        28 => "ENOSPC",
        29 => "ESPIPE",
        30 => "EROFS",
        31 => "EMLINK",
        32 => "EPIPE",
        33 => "EDOM",
        34 => "ERANGE",
        35 => "EDEADLK",
        36 => "ENAMETOOLONG",
        38 => "ENOSYS",
        39 => "ENOTEMPTY",
        40 => "ELOOP",
        61 => "ENODATA",
        71 => "EPROTO",
        74 => "EBADMSG",
        75 => "EOVERFLOW",
        87 => "EUSERS",
        90 => "EMSGSIZE",
        92 => "ENOPROTOOPT",
        95 => "EOPNOTSUPP",
        98 => "EADDRINUSE",
        103 => "ECONNABORTED",
        104 => "ECONNRESET",
        107 => "ENOTCONN",
        110 => "ETIMEDOUT",
        111 => "ECONNREFUSED",
        116 => "ESTALE",
        122 => "EDQUOT",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::Error;

    #[test]
    fn prints_like_strace() {
        let error = Error::new("openat2", "5, \"etc/passwd\", IN_ROOT", 2);
        let text = error.to_string();
        assert!(
            text.starts_with("openat2(5, \"etc/passwd\", IN_ROOT) = ENOENT ("),
            "{text}"
        );
    }
}

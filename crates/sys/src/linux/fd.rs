//! Descriptors: inheritance, reading and writing through them.

use super::raw::{check, check_raw, syscall};
use crate::{Error, Result};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// Marks every descriptor from `first` on close-on-exec, in one call (`close_range(2)`, Linux 5.11).
///
/// # Errors
/// `close_range`, ENOSYS or EINVAL before Linux 5.11.
pub fn cloexec_from(first: u32) -> Result<()> {
    const CLOEXEC: usize = 1 << 2;
    // SAFETY: the call takes no pointers.
    // NEED: rustix has no close_range.
    let result = unsafe {
        syscall(
            libc::SYS_close_range,
            [first as usize, u32::MAX as usize, CLOEXEC, 0, 0, 0],
        )
    };
    check_raw("close_range", result, || format!("{first}, ~0, CLOEXEC")).map(drop)
}

/// Sets or clears close-on-exec.
///
/// # Errors
/// `fcntl`, EBADF only.
pub fn set_cloexec(fd: BorrowedFd<'_>, on: bool) -> Result<()> {
    let flags = if on {
        rustix::io::FdFlags::CLOEXEC
    } else {
        rustix::io::FdFlags::empty()
    };
    check("fcntl", rustix::io::fcntl_setfd(fd, flags), || {
        format!("{}, F_SETFD, {flags:?}", fd.as_raw_fd())
    })
}

/// Adopts a descriptor that this process inherited from its caller under a known number.
///
/// # Errors
/// `fcntl`, EBADF when no such descriptor is open.
pub fn inherited(number: RawFd) -> Result<OwnedFd> {
    // SAFETY: F_GETFD only asks; a bad number is answered with EBADF.
    // NEED: a number that may not be open cannot be a BorrowedFd.
    let flags = unsafe { libc::fcntl(number, libc::F_GETFD) };
    if flags < 0 {
        return Err(Error::new(
            "fcntl",
            format!("{number}, F_GETFD"),
            super::raw::errno(),
        ));
    }
    // SAFETY: the descriptor is open, and by contract of the command line it was given to us.
    // NEED: inherited descriptors arrive as numbers.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Duplicates a descriptor, close-on-exec, to the lowest number that is at least `minimum`.
///
/// # Errors
/// `fcntl`, EMFILE.
pub fn duplicate_from(fd: BorrowedFd<'_>, minimum: RawFd) -> Result<OwnedFd> {
    check(
        "fcntl",
        rustix::io::fcntl_dupfd_cloexec(fd, minimum),
        || format!("{}, F_DUPFD_CLOEXEC, {minimum}", fd.as_raw_fd()),
    )
}

/// Makes `fd` the process's standard input (0), output (1) or error (2).
///
/// # Errors
/// `dup2`.
pub fn become_standard(fd: BorrowedFd<'_>, number: u8) -> Result<()> {
    let result = match number {
        0 => rustix::stdio::dup2_stdin(fd),
        1 => rustix::stdio::dup2_stdout(fd),
        _ => rustix::stdio::dup2_stderr(fd),
    };
    check("dup2", result, || format!("{}, {number}", fd.as_raw_fd()))
}

/// Reads until end of file, at most `limit` bytes.
///
/// # Errors
/// `read`; EFBIG when there is more than `limit`.
pub fn read_all(fd: BorrowedFd<'_>, limit: usize) -> Result<Vec<u8>> {
    let mut data = vec![0; 1024.min(limit + 1)];
    let mut length = 0;
    loop {
        if length == data.len() {
            if length > limit {
                return Err(Error::new(
                    "read",
                    format!("{}, > {limit} bytes", fd.as_raw_fd()),
                    libc::EFBIG,
                ));
            }
            data.resize((length * 4).min(limit + 1), 0);
        }
        match rustix::io::read(fd, &mut data[length..]) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return check("read", Err(errno), || fd.as_raw_fd().to_string()),
        }
    }
    if length > limit {
        return Err(Error::new(
            "read",
            format!("{}, > {limit} bytes", fd.as_raw_fd()),
            libc::EFBIG,
        ));
    }
    data.truncate(length);
    Ok(data)
}

/// Reads a file of a disk or of the kernel to its end, at most `limit` bytes: a small one without asking for
/// memory first. Only a read of nothing is the end: any other may be short, and half a file is another file.
///
/// # Errors
/// As [`read_all`].
pub fn read_file(fd: BorrowedFd<'_>, limit: usize) -> Result<Vec<u8>> {
    const SMALL: usize = 4096;
    let mut small = [0; SMALL];
    let mut length = 0;
    while length < SMALL {
        let read = rustix::io::retry_on_intr(|| rustix::io::read(fd, &mut small[length..]));
        match check("read", read, || fd.as_raw_fd().to_string())? {
            0 => break,
            count => length += count,
        }
    }
    let mut data = small[..length].to_vec();
    if length == SMALL {
        data.extend(read_all(fd, limit.saturating_sub(length))?);
    }
    if data.len() > limit {
        return Err(Error::new(
            "read",
            format!("{}, > {limit} bytes", fd.as_raw_fd()),
            libc::EFBIG,
        ));
    }
    Ok(data)
}

/// Writes all of `data` in one `write`, as kernel control files demand; a short write is EIO.
///
/// # Errors
/// `write`.
pub fn write_once(fd: BorrowedFd<'_>, data: &[u8]) -> Result<()> {
    let shown = || {
        format!(
            "{}, {:?}",
            fd.as_raw_fd(),
            String::from_utf8_lossy(&data[..data.len().min(64)])
        )
    };
    let count = check(
        "write",
        rustix::io::retry_on_intr(|| rustix::io::write(fd, data)),
        shown,
    )?;
    if count == data.len() {
        Ok(())
    } else {
        Err(Error::new("write", shown(), libc::EIO))
    }
}

/// The type and identity of an open file (`fstat(2)`).
///
/// # Errors
/// `fstat`.
pub fn stat(fd: BorrowedFd<'_>) -> Result<super::Stat> {
    check("fstat", rustix::fs::fstat(fd), || {
        fd.as_raw_fd().to_string()
    })
}

/// The magic number of the filesystem that `fd` is on (`statfs(2)` `f_type`).
///
/// # Errors
/// `fstatfs`.
pub fn filesystem_magic(fd: BorrowedFd<'_>) -> Result<u64> {
    let statfs = check("fstatfs", rustix::fs::fstatfs(fd), || {
        fd.as_raw_fd().to_string()
    })?;
    Ok(u64::from_ne_bytes((statfs.f_type as i64).to_ne_bytes()))
}

/// A pipe, both ends close-on-exec: (read end, write end).
///
/// # Errors
/// `pipe2`, EMFILE.
pub fn pipe() -> Result<(OwnedFd, OwnedFd)> {
    check(
        "pipe2",
        rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC),
        || "O_CLOEXEC".into(),
    )
}

/// What [`poll`] waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// Something to read, or the other end is gone.
    Read,
    /// Room to write, or the other end is gone.
    Write,
    /// The content of a control file of the kernel has changed since it was last read.
    Changed,
}

/// Waits until one of the descriptors is ready; returns one flag each. `timeout` in milliseconds,
/// `None` waits for ever.
///
/// # Errors
/// `poll`; EINTR is retried.
pub fn poll(fds: &[(BorrowedFd<'_>, Interest)], timeout: Option<u64>) -> Result<Vec<bool>> {
    use rustix::event::{PollFd, PollFlags};
    let deadline =
        timeout.map(|ms| std::time::Instant::now() + std::time::Duration::from_millis(ms));
    loop {
        let mut polled: Vec<PollFd<'_>> = fds
            .iter()
            .map(|(fd, interest)| {
                let flags = match interest {
                    Interest::Read => PollFlags::IN,
                    Interest::Write => PollFlags::OUT,
                    Interest::Changed => PollFlags::PRI,
                };
                PollFd::from_borrowed_fd(*fd, flags)
            })
            .collect();
        let left = deadline.map(|deadline| {
            let left = deadline.saturating_duration_since(std::time::Instant::now());
            rustix::time::Timespec {
                tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: i64::from(left.subsec_nanos()),
            }
        });
        match rustix::event::poll(&mut polled, left.as_ref()) {
            Ok(_) => return Ok(polled.iter().map(|fd| !fd.revents().is_empty()).collect()),
            Err(rustix::io::Errno::INTR) => {}
            Err(errno) => {
                return check("poll", Err(errno), || format!("{} descriptors", fds.len()));
            }
        }
    }
}

/// The number of a descriptor, for messages and for `/proc/self/fd/N` names only.
pub fn number(fd: impl AsFd) -> RawFd {
    fd.as_fd().as_raw_fd()
}

/// A kind of access that [`may`] asks about; the values of `access(2)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Writing.
    Write = 2,
    /// Executing.
    Execute = 1,
}

/// Whether this process's effective ids may access an open file (`O_PATH` is enough) in a way.
///
/// # Errors
/// `faccessat2` (Linux 5.8) other than EACCES, EROFS and ETXTBSY, which are the answer no.
pub fn may(fd: BorrowedFd<'_>, access: Access) -> Result<bool> {
    const EMPTY_PATH: usize = 0x1000;
    const EACCESS: usize = 0x200;
    let number = usize::try_from(fd.as_raw_fd()).unwrap_or(usize::MAX);
    let empty = c"";
    let arguments = [
        number,
        empty.as_ptr() as usize,
        access as usize,
        EMPTY_PATH | EACCESS,
        0,
        0,
    ];
    // SAFETY: the path is a live empty C string.
    // NEED: rustix refuses an empty path here.
    let result = unsafe { syscall(libc::SYS_faccessat2, arguments) };
    match check_raw("faccessat2", result, || format!("{number}, {access:?}")) {
        Err(error) if [libc::EACCES, libc::EROFS, libc::ETXTBSY].contains(&error.code()) => {
            Ok(false)
        }
        result => result.map(|_| true),
    }
}

/// Whether an open (`O_PATH` is enough) file is a regular one that may be executed by this process.
///
/// # Errors
/// `fstat`, or as [`may`].
pub fn is_executable_file(fd: BorrowedFd<'_>) -> Result<bool> {
    let regular = rustix::fs::FileType::from_raw_mode(stat(fd)?.st_mode).is_file();
    Ok(regular && may(fd, Access::Execute)?)
}

/// Closes every descriptor from `first` on but those in `kept`: for a process that is about to
/// execute a program and whose frames, with the descriptors that they own, are never returned to.
///
/// # Errors
/// `close_range`.
pub fn close_all_but(first: u32, kept: &[BorrowedFd<'_>]) -> Result<()> {
    let mut numbers: Vec<u32> = kept
        .iter()
        .filter_map(|fd| u32::try_from(fd.as_raw_fd()).ok())
        .collect();
    numbers.sort_unstable();
    numbers.push(u32::MAX);
    let mut start = first;
    for number in numbers {
        if number > start {
            let end = if number == u32::MAX {
                number
            } else {
                number - 1
            };
            // SAFETY: the caller never returns to a frame that owns one of these.
            // NEED: rustix has no close_range.
            let result = unsafe {
                syscall(
                    libc::SYS_close_range,
                    [start as usize, end as usize, 0, 0, 0, 0],
                )
            };
            check_raw("close_range", result, || format!("{start}, {end}, 0"))?;
        }
        start = start.max(number.saturating_add(1));
    }
    Ok(())
}

/// Gives a descriptor up without closing it: a program that is executed next owns it.
pub fn forget(fd: OwnedFd) {
    let _ = rustix::fd::IntoRawFd::into_raw_fd(fd);
}

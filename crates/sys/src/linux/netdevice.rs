//! Network interfaces, as far as a container without a network needs them (`netdevice(7)`).

use super::raw::{check, check_raw, syscall};
use crate::Result;
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::net::{AddressFamily, SocketFlags, SocketType};

/// The kernel's `struct ifreq`, with the flags in its union.
#[repr(C)]
struct Request {
    name: [u8; 16],
    flags: i16,
    rest: [u8; 22],
}

/// Brings the loopback interface of a new network namespace up; the kernel then gives it its
/// addresses. Its other flags are those it was made with, which this call does not change.
///
/// # Errors
/// `socket`, `ioctl`: EPERM without CAP_NET_ADMIN in the namespace, ENODEV.
pub fn bring_up_loopback() -> Result<()> {
    const UP: i16 = 0x1;
    const LOOPBACK: i16 = 0x8;
    let socket = rustix::net::socket_with(
        AddressFamily::INET,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        None,
    );
    let socket = check("socket", socket, || "AF_INET, SOCK_DGRAM".into())?;
    let mut request = Request {
        name: [0; 16],
        flags: UP | LOOPBACK,
        rest: [0; 22],
    };
    request.name[..2].copy_from_slice(b"lo");
    ioctl(&socket, 0x8914, "SIOCSIFFLAGS", &mut request)
}

fn ioctl(socket: &OwnedFd, number: usize, name: &str, request: &mut Request) -> Result<()> {
    let fd = usize::try_from(socket.as_raw_fd()).unwrap_or(usize::MAX);
    let arguments = [fd, number, std::ptr::from_mut(request) as usize, 0, 0, 0];
    // SAFETY: the request reads one struct ifreq, which is live and as large.
    // NEED: rustix has no interface flags.
    let result = unsafe { syscall(libc::SYS_ioctl, arguments) };
    check_raw("ioctl", result, || format!("{fd}, {name}, \"lo\"")).map(drop)
}

#[cfg(test)]
mod tests {
    /// In the namespace that the tests run in it is up already, so this changes nothing.
    #[test]
    fn asking_twice_is_harmless() {
        assert_eq!(size_of::<super::Request>(), 40);
        let first = super::bring_up_loopback();
        assert_eq!(first.is_ok(), super::bring_up_loopback().is_ok());
    }
}

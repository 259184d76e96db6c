//! Network devices: finding them, their addresses, and moving them between network namespaces
//! (`rtnetlink(7)`).

use super::netlink::{Answer, Message, Socket, attributes};
use crate::Result;
use rustix::fd::{AsRawFd, BorrowedFd};

const RTM_NEWADDR: u16 = 20;
const RTM_GETADDR: u16 = 22;
const RTM_GETLINK: u16 = 18;
const RTM_SETLINK: u16 = 19;
const IFLA_IFNAME: u16 = 3;
const IFLA_NET_NS_FD: u16 = 28;
/// Since Linux 5.13; older kernels keep the number when it is free.
const IFLA_NEW_IFINDEX: u16 = 49;
const IFLA_PROP_LIST: u16 = 52;
const IFLA_ALT_IFNAME: u16 = 53;
const IFA_LABEL: u16 = 3;
const IFA_CACHEINFO: u16 = 6;
const IFA_FLAGS: u16 = 8;
/// Not a lease that runs out.
const IFA_F_PERMANENT: u32 = 0x80;
const RT_SCOPE_UNIVERSE: u8 = 0;
const IFF_UP: u32 = 1;
/// `struct ifinfomsg`
const LINK: usize = 16;
/// `struct ifaddrmsg`
const ADDRESS: usize = 8;
/// A network device as one namespace shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its number in this namespace.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Its further names.
    pub other_names: Vec<String>,
    /// Whether it is up.
    pub up: bool,
}

impl Link {
    fn of(answer: &Answer) -> Result<Self> {
        let fixed = answer.fixed::<LINK>()?;
        let text = |value: &[u8]| {
            let end = value.iter().position(|byte| *byte == 0);
            String::from_utf8_lossy(&value[..end.unwrap_or(value.len())]).into_owned()
        };
        let mut link = Self {
            index: u32::from_ne_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]),
            name: String::new(),
            other_names: Vec::new(),
            up: u32::from_ne_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]) & IFF_UP != 0,
        };
        for (kind, value) in answer.attributes(LINK) {
            match kind {
                IFLA_IFNAME => link.name = text(value),
                IFLA_PROP_LIST => {
                    let names = attributes(value).filter(|(kind, _)| *kind == IFLA_ALT_IFNAME);
                    link.other_names = names.map(|(_, value)| text(value)).collect();
                }
                _ => {}
            }
        }
        Ok(link)
    }
}

/// The device of this name.
///
/// # Errors
/// ENODEV.
pub fn find(socket: &Socket, name: &str) -> Result<Link> {
    let question = about(RTM_GETLINK, 0, 0, 0).attribute(IFLA_IFNAME, &terminated(name))?;
    Link::of(&socket.one(question, &format!("RTM_GETLINK, {name:?}"))?)
}

/// The device of this number.
///
/// # Errors
/// ENODEV.
pub fn get(socket: &Socket, index: u32) -> Result<Link> {
    let question = about(RTM_GETLINK, index, 0, 0);
    Link::of(&socket.one(question, &format!("RTM_GETLINK, {index}"))?)
}

/// All devices of the namespace.
///
/// # Errors
/// What the kernel answers.
pub fn list(socket: &Socket) -> Result<Vec<Link>> {
    let answers = socket.all(about(RTM_GETLINK, 0, 0, 0), "RTM_GETLINK, all")?;
    answers.iter().map(Link::of).collect()
}

/// Where a device goes, and what it is there.
#[derive(Debug, Clone, Copy)]
pub struct Destination<'a> {
    /// The network namespace.
    pub namespace: BorrowedFd<'a>,
    /// The name there; a `%d` in it is the first free number.
    pub name: &'a str,
    /// The number there.
    pub index: u32,
}

/// Moves a device to another network namespace. It arrives down and without addresses; when its name
/// is taken there, it may have arrived all the same, under its old name.
///
/// # Errors
/// EPERM without `CAP_NET_ADMIN` in both; EINVAL for a device that cannot move; EEXIST for the name,
/// EBUSY for the number.
pub fn move_to(socket: &Socket, link: &Link, destination: Destination<'_>) -> Result<()> {
    let Destination {
        namespace,
        name,
        index,
    } = destination;
    let request = about(RTM_SETLINK, link.index, 0, 0)
        .attribute(IFLA_NET_NS_FD, &namespace.as_raw_fd().to_ne_bytes())?
        .attribute(IFLA_NEW_IFINDEX, &index.to_ne_bytes())?
        .attribute(IFLA_IFNAME, &terminated(name))?;
    let shown = format!(
        "RTM_SETLINK, {:?}, to another network namespace as {name:?}",
        link.name
    );
    socket.request(request, &shown)
}

/// Brings a device up or down.
///
/// # Errors
/// What its driver says.
pub fn set_up(socket: &Socket, index: u32, up: bool) -> Result<()> {
    let flags = if up { IFF_UP } else { 0 };
    let word = if up { "up" } else { "down" };
    let request = about(RTM_SETLINK, index, flags, IFF_UP);
    socket.request(request, &format!("RTM_SETLINK, {index}, {word}"))
}

/// An address of a device, as the kernel told it.
#[derive(Debug, Clone)]
pub struct Address(Answer);

/// The addresses of a device that are its own for good and known everywhere: permanent and of global
/// scope.
///
/// # Errors
/// What the kernel answers.
pub fn permanent_addresses(socket: &Socket, index: u32) -> Result<Vec<Address>> {
    let answers = socket.all(Message::new(RTM_GETADDR, &[0; ADDRESS]), "RTM_GETADDR, all")?;
    let mut found = Vec::new();
    for answer in answers {
        let fixed = answer.fixed::<ADDRESS>()?;
        let of = u32::from_ne_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]);
        let flags = answer
            .attributes(ADDRESS)
            .find(|(kind, _)| *kind == IFA_FLAGS)
            .and_then(|(_, value)| value.try_into().ok())
            .map_or(u32::from(fixed[2]), u32::from_ne_bytes);
        if of == index && flags & IFA_F_PERMANENT != 0 && fixed[3] == RT_SCOPE_UNIVERSE {
            found.push(Address(answer));
        }
    }
    Ok(found)
}

/// Gives a device an address that it, or another, had elsewhere.
///
/// # Errors
/// EEXIST when it has it.
pub fn add_address(socket: &Socket, index: u32, address: &Address) -> Result<()> {
    let mut fixed = address.0.fixed::<ADDRESS>()?;
    fixed[4..].copy_from_slice(&index.to_ne_bytes());
    let mut request = Message::new(RTM_NEWADDR, &fixed);
    for (kind, value) in address.0.attributes(ADDRESS) {
        // The label begins with the device's name, which may be another now; the kernel makes it
        // anew. Lifetimes are not for what is permanent.
        if !matches!(kind, IFA_LABEL | IFA_CACHEINFO) {
            request = request.attribute(kind, value)?;
        }
    }
    socket.request(request, &format!("RTM_NEWADDR, {index}"))
}

fn terminated(name: &str) -> Vec<u8> {
    let mut bytes = name.as_bytes().to_vec();
    bytes.push(0);
    bytes
}

/// A request about one device, or about all with number 0.
fn about(kind: u16, index: u32, flags: u32, change: u32) -> Message {
    let mut fixed = [0; LINK];
    fixed[4..8].copy_from_slice(&index.to_ne_bytes());
    fixed[8..12].copy_from_slice(&flags.to_ne_bytes());
    fixed[12..].copy_from_slice(&change.to_ne_bytes());
    Message::new(kind, &fixed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_device_is_found_by_name_and_by_number() {
        let socket = Socket::route().expect("netlink");
        let link = find(&socket, "lo").expect("every network namespace has one");
        assert_eq!(link.name, "lo");
        assert_eq!(get(&socket, link.index).expect("the same").name, "lo");
        assert!(list(&socket).expect("all").contains(&link));
    }

    #[test]
    fn a_device_that_is_not_there_is_enodev() {
        let socket = Socket::route().expect("netlink");
        assert_eq!(find(&socket, "dhow-no").expect_err("none").code(), 19);
    }
}

//! Network devices that move into the container (runtime-spec config-linux.md, "Network Devices").
//!
//! The kernel takes a device's addresses when it moves and leaves it down, so both are given back. What
//! was moved comes back when the container is not born after all: a new network namespace that ends
//! would take virtual devices with it.

use crate::error::{At, Error, Result};
use crate::plan::invalid::Invalid;
use crate::plan::net_devices::NetDevice;
use dhow_sys::link::{self, Address, Destination, Link};
use dhow_sys::namespace;
use dhow_sys::netlink::Socket;
use dhow_sys::procfs::Procfs;
use std::os::fd::{AsFd, OwnedFd};

/// Devices that a container has; they go back when this is dropped before [`Given::keep`].
#[derive(Debug, Default)]
pub struct Given(Option<Between>);

/// Two network namespaces, and what went from one to the other.
#[derive(Debug)]
struct Between {
    host: (Socket, OwnedFd),
    container: (Socket, OwnedFd),
    moved: Vec<Moved>,
}

#[derive(Debug)]
struct Moved {
    before: Link,
    addresses: Vec<Address>,
    index: u32,
}

impl Given {
    /// Moves devices into the network namespace of a process, in which they are up and have the
    /// permanent global addresses that they had.
    ///
    /// # Errors
    /// [`Error::Config`] when a name is taken there; the call. What was moved is back again.
    pub fn to(devices: &[NetDevice], procfs: &Procfs, pid: u32) -> Result<Self> {
        if devices.is_empty() {
            return Ok(Self::default());
        }
        let step = "open the network namespaces";
        let own = procfs.namespace(std::process::id(), "net").at(step)?;
        let theirs = procfs.namespace(pid, "net").at(step)?;
        let host = Socket::route().at(step)?;
        // A socket belongs to the namespace in which it was made, so this process goes there once.
        namespace::join(theirs.as_fd(), namespace::NETWORK).at(step)?;
        let container = Socket::route().at(step);
        namespace::join(own.as_fd(), namespace::NETWORK).at(step)?;
        let mut between = Between {
            host: (host, own),
            container: (container?, theirs),
            moved: Vec::new(),
        };
        for device in devices {
            between.give(device)?;
        }
        Ok(Self(Some(between)))
    }

    /// The container is born: they are its own.
    pub fn keep(mut self) {
        if let Some(between) = &mut self.0 {
            between.moved.clear();
        }
    }
}

impl Drop for Between {
    fn drop(&mut self) {
        self.take_back();
    }
}

impl Between {
    fn give(&mut self, device: &NetDevice) -> Result<()> {
        let step = format!("move network device {:?} into the container", device.host);
        let (host, _) = &self.host;
        let (inside, namespace) = &self.container;
        let before = link::find(host, &device.host).at(&step)?;
        let addresses = link::permanent_addresses(host, before.index).at(&step)?;
        let there = link::list(inside).at(&step)?;
        let named =
            |link: &Link| link.name == device.name || link.other_names.contains(&device.name);
        if there.iter().any(named) {
            let reason = format!("{:?} is a device of the container already", device.name);
            return Err(Error::Config(Invalid::new(
                format!("{}.name", device.path()),
                reason,
            )));
        }
        let index = free_index(&there, before.index);
        let destination = Destination {
            namespace: namespace.as_fd(),
            name: &device.name,
            index,
        };
        let arrived = link::move_to(host, &before, destination);
        // Noted also on an error: it may have arrived and only not got its name.
        if arrived.is_ok() || link::find(host, &device.host).is_err() {
            self.moved.push(Moved {
                before,
                addresses: addresses.clone(),
                index,
            });
        }
        arrived.at(&step)?;
        for address in &addresses {
            link::add_address(inside, index, address).at(&step)?;
        }
        link::set_up(inside, index, true).at(&step)
    }

    /// As well as it goes: there is nobody left to tell.
    fn take_back(&mut self) {
        let (host, namespace) = &self.host;
        for Moved {
            before,
            addresses,
            index,
        } in self.moved.drain(..).rev()
        {
            let destination = Destination {
                namespace: namespace.as_fd(),
                name: &before.name,
                index: before.index,
            };
            let back = link::get(&self.container.0, index)
                .and_then(|now| link::move_to(&self.container.0, &now, destination));
            if back.is_err() {
                continue;
            }
            for address in &addresses {
                let _ = link::add_address(host, before.index, address);
            }
            let _ = link::set_up(host, before.index, before.up);
        }
    }
}

/// The same number as on the host when it is free, else one above all others.
fn free_index(there: &[Link], wanted: u32) -> u32 {
    if there.iter().all(|link| link.index != wanted) {
        return wanted;
    }
    let highest = there.iter().map(|link| link.index).max();
    highest.unwrap_or_default().saturating_add(1)
}

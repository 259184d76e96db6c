//! Linux calls, by subject.

pub mod bpf;
pub mod cgroupfs;
pub mod exe;
pub mod fd;
pub mod feature;
pub mod file;
pub mod id;
pub mod keyring;
pub mod link;
pub mod lock;
pub mod mount;
pub mod namespace;
pub mod netdevice;
pub mod netlink;
pub mod notify;
pub mod path;
pub mod process;
pub mod procfs;
pub mod pty;
pub mod sched;
pub mod seccomp;
pub mod signal;
pub mod socket;
pub mod stream;
pub mod tree;
pub mod xattr;

mod raw;

pub use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};

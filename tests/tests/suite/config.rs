//! One file per part of config.json: what is asked for is read back from the kernel.

mod capabilities;
mod cgroup_v1;
mod cgroup_v2;
pub(crate) mod cgroups;
mod devices;
mod hooks;
mod identity;
mod idmaps;
mod mount_options;
mod mounts;
mod namespaces;
mod net_devices;
mod ordinary_user;
mod paths;
mod process;
mod root;
mod scheduling;
mod seccomp;
mod sysctl;
mod uts;

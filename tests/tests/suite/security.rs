//! One test per row of the catalogue of attacks in SECURITY.md; the ids are the module's names.
//!
//! "Refused" means: exit code other than 0, a message that names the field or the path, and
//! nothing left (the leak snapshot of every test). Where a rival is weak against a row, the test
//! runs on ours alone or says which expectation differs.

mod s_af;
mod s_bpf_size;
mod s_cgroup_ro;
mod s_console;
mod s_cwd;
mod s_dev_link;
mod s_exe;
mod s_fd_leak;
mod s_id;
mod s_identity;
mod s_inheritable;
mod s_lsm_write;
mod s_mask;
mod s_mkdir;
mod s_mount_race;
mod s_netlink;
mod s_order;
mod s_proc_link;
mod s_ptrace;
mod s_readonly;
mod s_root_write;
mod s_sec_tab;
mod s_sysctl;

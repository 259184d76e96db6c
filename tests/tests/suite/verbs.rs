//! One file per verb of the OCI command line, each run on ours, runc and crun.

mod create;
mod delete;
mod events;
mod exec;
mod exec_cgroup;
mod exec_options;
mod features;
mod global;
mod kill;
mod list;
mod options;
mod ordinary_user;
mod pause;
mod pidfd_socket;
mod plan;
mod ps;
mod run;
mod spec;
mod start;
mod state;
mod states;
mod terminal;
mod update;
mod update_refusals;
mod update_v2;

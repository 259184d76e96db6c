//! What may be done with a container, one file per verb.

pub(crate) mod attach;
pub(crate) mod create;
pub(crate) mod exec;
pub(crate) mod inspect;
pub(crate) mod logs;
pub(crate) mod mounts;
pub(crate) mod plan;
pub(crate) mod remove;
pub(crate) mod root;
pub(crate) mod run;
pub(crate) mod start;
pub(crate) mod stop;
pub(crate) mod sweep;
pub(crate) mod wait;

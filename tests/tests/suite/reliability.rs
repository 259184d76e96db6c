//! What must hold when it is repeated, when there are many, under load, and on a host that gives little.
//! [docs/reliability.md](../../../docs/reliability.md) has the figures.

mod parallel;
mod r_fork;
mod r_hook;
mod r_limits;
mod r_scale;
mod r_soak;
mod repeated;

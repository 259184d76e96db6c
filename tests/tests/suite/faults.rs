//! Every system call of a verb fails once, or is the last that its process makes.
//!
//! After each single fault one of two things must be true: the verb says what failed and has left nothing, or it
//! has done its work whole, which for a container means that the probe inside reports the same as without a
//! fault. The bounded form visits a part of the points with one errno each; the long profile all of them with all.

mod kills;
mod ordinary_user;
mod rootful;
mod rootless;
mod shorts;
mod sweep;
mod verbs;
mod verdict;

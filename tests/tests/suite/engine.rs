//! The `dhow` command: real containers in a store of the test's own, seen from inside by the probe
//! and from outside by what the kernel and the store hold afterwards.

mod bad_images;
mod bad_stores;
mod bundles;
mod debian;
mod files;
mod isolation;
mod leaks;
mod life;
mod limits;
mod listing;
mod load;
mod many;
mod ordinary_user;
mod process;
mod run;
mod terminal;

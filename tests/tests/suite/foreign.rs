//! Real peers: engines of others that drive a runtime by its command line.

mod containerd;
mod podman;
mod podman_ordinary_user;

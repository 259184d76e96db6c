//! The platform seam: the same names from whichever system this is built for.

#[cfg(target_os = "linux")]
pub use crate::linux::platform::{
    default_root, host, ids, prepare, real_path, send_datagram, verbs,
};
#[cfg(not(target_os = "linux"))]
pub use crate::windows::{default_root, host, ids, prepare, real_path, send_datagram, verbs};

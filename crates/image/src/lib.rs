#![forbid(unsafe_code)]
//! From an image reference to a root filesystem.
//!
//! [`Store`] is the door: it loads archives, finds images by what people write, unpacks layers and
//! prepares a container's root. Everything here is blocking and prints nothing.
//!
//! ```no_run
//! # fn main() -> dhow_image::Result<()> {
//! use dhow_image::{Driver, LoadOptions, RootOptions, Store};
//! let store = Store::open("/var/lib/dhow".as_ref())?;
//! store.load("debian.tar".as_ref(), &LoadOptions::default())?;
//! let image = store.find("debian")?;
//! let root = store.prepare("web", &image, Driver::Overlay, &RootOptions::default(), &mut ())?;
//! println!("{:?}", root.mount_options());
//! # Ok(())
//! # }
//! ```

mod archive;
mod compression;
mod content;
mod digest;
mod document;
#[cfg(target_os = "linux")]
mod durable;
#[cfg(not(target_os = "linux"))]
#[path = "durable_elsewhere.rs"]
mod durable;
#[cfg_attr(
    not(target_os = "linux"),
    allow(dead_code, reason = "layers are unpacked on Linux only so far")
)]
mod error;
mod image;
#[cfg_attr(
    not(target_os = "linux"),
    allow(dead_code, reason = "layers are unpacked on Linux only so far")
)]
mod layer;
mod layout;
#[cfg_attr(
    not(target_os = "linux"),
    allow(dead_code, reason = "layers are unpacked on Linux only so far")
)]
mod limits;
mod lock;
mod platform;
mod progress;
mod reference;
pub mod snapshot;
mod store;
#[cfg_attr(
    not(target_os = "linux"),
    allow(dead_code, reason = "layers are unpacked on Linux only so far")
)]
mod tar;

pub use archive::LoadOptions;
pub use digest::Digest;
pub use error::{Error, ErrorKind, Result};
pub use image::{Image, Layer, Summary};
pub use layer::{Ownership, Report, Skipped};
pub use limits::Limits;
pub use platform::Platform;
pub use progress::Progress;
pub use reference::Reference;
pub use snapshot::{Driver, Root, RootOptions, Snapshotter};
#[cfg(target_os = "linux")]
pub use store::Unpacked;
pub use store::commit::{Loaded, NameOutcome};
pub use store::garbage::Collected;
pub use store::{NewImage, Store};

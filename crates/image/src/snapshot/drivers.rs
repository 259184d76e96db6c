//! Chooses the snapshotter.

use super::copy::Copy;
use super::overlay::Overlay;
use super::{Driver, Snapshotter};

/// The snapshotter of that name.
pub(crate) fn snapshotter(driver: Driver) -> &'static dyn Snapshotter {
    match driver {
        Driver::Overlay => &Overlay,
        Driver::Copy => &Copy,
    }
}

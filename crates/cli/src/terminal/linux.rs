//! The terminal on Linux.

use std::os::fd::AsFd;

/// The width of the terminal behind standard output, in characters; `None` when it is none.
pub(crate) fn output_width() -> Option<usize> {
    let size = dhow_sys::pty::size(std::io::stdout().as_fd()).ok();
    size.map(|(columns, _)| usize::from(columns))
        .filter(|columns| *columns > 0)
}

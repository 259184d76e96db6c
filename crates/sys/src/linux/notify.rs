//! Being told of changes in a directory (`inotify(7)`), instead of asking again and again.

use super::raw::check;
use crate::Result;
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use rustix::fs::inotify;

/// A watch on one directory: readable when something in it was written, created or renamed.
#[derive(Debug)]
pub struct Watch(OwnedFd);

impl Watch {
    /// Begins to watch an open directory.
    ///
    /// # Errors
    /// `inotify_init1`: EMFILE; `inotify_add_watch`: ENOSPC when the user has too many watches.
    pub fn directory(directory: BorrowedFd<'_>) -> Result<Self> {
        let flags = inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK;
        let watch = check("inotify_init1", inotify::init(flags), || {
            format!("{flags:?}")
        })?;
        let events = inotify::WatchFlags::MODIFY
            | inotify::WatchFlags::CREATE
            | inotify::WatchFlags::MOVED_TO;
        // The descriptor stands for the directory, whatever its path has become.
        let name = format!("/proc/self/fd/{}", directory.as_raw_fd());
        check(
            "inotify_add_watch",
            inotify::add_watch(&watch, &*name, events),
            || format!("{name}, {events:?}"),
        )?;
        Ok(Self(watch))
    }

    /// Forgets what has been told so far, so that the next change makes it readable again.
    ///
    /// # Errors
    /// `read`, other than EAGAIN.
    pub fn clear(&self) -> Result<()> {
        let mut buffer = [0; 4096];
        while super::stream::read(self.0.as_fd(), &mut buffer)?.is_some() {}
        Ok(())
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fd::{Interest, poll};

    #[test]
    fn a_write_is_told() {
        let path = std::env::temp_dir().join(format!("dhow-watch-{}", std::process::id()));
        std::fs::create_dir(&path).expect("directory");
        let directory = crate::path::open_directory(&path).expect("open");
        let watch = Watch::directory(directory.as_fd()).expect("watch");
        let told = |wait| poll(&[(watch.as_fd(), Interest::Read)], Some(wait)).expect("poll")[0];
        assert!(!told(0));
        std::fs::write(path.join("file"), "x").expect("write");
        assert!(told(5000));
        watch.clear().expect("clear");
        assert!(!told(0));
        std::fs::remove_dir_all(&path).expect("clean up");
    }
}

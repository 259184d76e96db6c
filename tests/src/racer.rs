//! RACER: a process that exchanges a directory and a link as fast as it can, in a volume that the
//! container under creation mounts. Whoever checks a path and then uses it by name loses to it,
//! which `harness::racing` shows of a resolver that does just that.
//!
//! A race is bounded by a count and by time, so that a slow machine ends it early and a fast one
//! does not repeat itself: 200 creations or ten seconds; with `DHOW_LONG=1` at least 2,000 and at
//! least a minute.

use crate::{Running, Test, program};
use rustix::process::Signal;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The name of what is raced for; half of the time a directory, half of the time a link.
pub const PLACE: &str = "place";
/// The name under which the other of the two is.
pub const OTHER: &str = "other";

/// A volume in which a directory and a link exchange their names.
#[derive(Debug)]
pub struct Racer {
    volume: PathBuf,
    running: Running,
}

impl Racer {
    /// Starts it in a new volume of the test: [`PLACE`] is a directory that `fill` fills, or a
    /// link to `target`.
    ///
    /// # Panics
    /// When the volume cannot be made or the exchange does not begin.
    #[must_use]
    pub fn start(test: &Test, target: &Path, fill: impl FnOnce(&Path)) -> Self {
        Self::start_for(test, PLACE, target, |place| {
            fs::create_dir(place).expect("mkdir");
            fill(place);
        })
    }

    /// The same for this name, at which `make` makes what a link takes the place of.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    #[must_use]
    pub fn start_for(test: &Test, place: &str, target: &Path, make: impl FnOnce(&Path)) -> Self {
        let volume = test.root().join("volume");
        fs::create_dir(&volume).expect("make the volume");
        let (one, other) = (volume.join(place), volume.join(OTHER));
        make(&one);
        symlink(target, &other).expect("link out of the volume");
        let probe = program::binary("probe").unwrap_or_else(|reason| panic!("{reason}"));
        let words: [OsString; 4] = [probe.into(), "exchange".into(), one.into(), other.into()];
        let hour = Duration::from_secs(3600);
        let running = test.command(&words).limit(hour).spawn();
        let racer = Self { volume, running };
        let began =
            crate::processes::eventually(Duration::from_secs(5), || racer.has_both_forms(place));
        assert!(began, "the exchange did not begin");
        racer
    }

    /// The volume's path.
    #[must_use]
    pub fn volume(&self) -> &Path {
        &self.volume
    }

    /// Whether the name is seen as a link and as something else within a few looks.
    fn has_both_forms(&self, place: &str) -> bool {
        let path = self.volume.join(place);
        let looks = (0..1000).filter(|_| path.is_symlink()).count();
        looks > 0 && looks < 1000
    }

    /// Ends it, after the last creation: it must have raced to the end.
    ///
    /// # Panics
    /// When it ended before.
    pub fn stop(self) {
        assert!(!self.running.has_ended(), "the racer gave up");
        self.running.signal(Signal::KILL);
        let output = self.running.wait();
        assert_eq!(output.signal, Some(Signal::KILL.as_raw()), "{output}");
    }
}

/// Calls `attempt` with the numbers from 0 on until the race is long enough, and says how many
/// there were.
pub fn race(mut attempt: impl FnMut(u32)) -> u32 {
    let is_long = std::env::var_os("DHOW_LONG").is_some();
    let start = Instant::now();
    let mut number = 0;
    loop {
        let elapsed = start.elapsed();
        let is_over = if is_long {
            number >= 2_000 && elapsed >= Duration::from_secs(60)
        } else {
            number >= 200 || elapsed >= Duration::from_secs(10)
        };
        if is_over {
            eprintln!("{number} attempts in {elapsed:?}");
            return number;
        }
        attempt(number);
        number += 1;
    }
}

//! The racer can win: a resolver that checks a path and then uses it by name is led out of its
//! root. A rig that never wins would prove nothing of a runtime that never loses.

use dhow_tests::racer::PLACE;
use dhow_tests::{Canary, Racer, Test, for_runtimes};
use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use std::fs;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long the racer may take to win once.
const LIMIT: Duration = Duration::from_secs(10);

/// The resolver that every advisory of this kind describes: it looks where the path leads, sees
/// that this is inside, and opens it by name.
fn check_then_use(root: &Path, inside: &str) -> Option<String> {
    let path = root.join(inside);
    let leads_to = path.canonicalize().ok()?;
    leads_to
        .starts_with(root)
        .then(|| fs::read_to_string(&path).ok())?
}

/// What the kernel offers instead.
fn in_root(root: &OwnedFd, inside: &str) -> Option<String> {
    let how = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let file = openat2(root, inside, flags, Mode::empty(), how).ok()?;
    std::io::read_to_string(fs::File::from(file)).ok()
}

fn wins_against_a_check_and_a_name(test: &Test) {
    let canary = Canary::plant(&test.root().join("canary"));
    let racer = Racer::start(test, canary.path(), |place| {
        fs::write(place.join("secret"), "inside").expect("write");
    });
    let root = racer.volume().canonicalize().expect("a path");
    let inside = format!("{PLACE}/secret");
    let start = Instant::now();
    let (mut tries, mut wins) = (0_u64, 0_u64);
    while wins == 0 && start.elapsed() < LIMIT {
        tries += 1;
        let read = check_then_use(&root, &inside);
        wins += u64::from(read.is_some_and(|text| text.starts_with("canary")));
    }
    eprintln!("{wins} wins in {tries} tries, {:?}", start.elapsed());
    assert!(
        wins > 0,
        "the racer never won in {tries} tries: a blind rig"
    );
    racer.stop();
}

fn loses_against_a_resolver_in_the_root(test: &Test) {
    let canary = Canary::plant(&test.root().join("canary"));
    let racer = Racer::start(test, canary.path(), |place| {
        fs::write(place.join("secret"), "inside").expect("write");
    });
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = rustix::fs::open(racer.volume(), flags, Mode::empty()).expect("open");
    let inside = format!("{PLACE}/secret");
    let start = Instant::now();
    let (mut inner, mut refused) = (0, 0);
    // Until both forms were met often: then many of the attempts were races.
    while (inner < 1000 || refused < 1000) && start.elapsed() < LIMIT {
        match in_root(&root, &inside) {
            Some(text) => {
                assert_eq!(text, "inside");
                inner += 1;
            }
            None => refused += 1,
        }
    }
    assert!(
        inner > 0 && refused > 0,
        "{inner} inside, {refused} refused"
    );
    racer.stop();
}

for_runtimes!([Dhow];
    wins_against_a_check_and_a_name,
    loses_against_a_resolver_in_the_root,
);

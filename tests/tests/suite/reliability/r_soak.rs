//! R-SOAK: whole lives again and again, and everything that could grow counted before and after.

use super::parallel::{Shared, each};
use dhow_tests::{Bundle, Test, for_runtimes, host, needs};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

const AT_ONCE: usize = 8;

/// How often what the kernel takes back at its leisure (credentials, namespaces) is counted again.
const PATIENCE: Duration = Duration::from_secs(30);

/// A leak in one cycle of so many is seen beside what the rest of the machine does meanwhile.
const NOISE: usize = 20;

/// What any program that somebody else starts changes by hundreds: here a leak in each cycle is seen. Those of
/// this test are counted by its mark, and must be none.
const RESTLESS: [&str; 3] = ["open files", "processes", "threads"];

/// Whether there is more of this than others can have made.
fn has_grown(name: &str, before: usize, after: usize, total: usize) -> bool {
    let noise = match RESTLESS.contains(&name) {
        true => total,
        false => total / NOISE,
    };
    after > before + noise
}

/// Counts by name.
type Census = BTreeMap<&'static str, usize>;

fn lines(path: &str) -> usize {
    fs::read_to_string(path).unwrap_or_default().lines().count()
}

fn entries(path: impl AsRef<Path>) -> usize {
    fs::read_dir(path).into_iter().flatten().count()
}

/// What only this test changes; what bears its mark is compared at its end beside this.
fn own(test: &Test, volume: &Path) -> Census {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let threads = status
        .lines()
        .find_map(|line| line.strip_prefix("Threads:"));
    let threads = threads.and_then(|count| count.trim().parse().ok());
    let children = dhow_tests::processes::tree(std::process::id().cast_signed());
    Census::from([
        ("own descriptors", entries("/proc/self/fd")),
        ("own threads", threads.unwrap_or(0)),
        ("own processes and zombies", children.len()),
        (
            "files of the bundle and its volume",
            files(volume.parent().expect("a bundle")),
        ),
        ("states", entries(test.state_root())),
        ("files of the output", files(&test.root().join("out"))),
    ])
}

fn files(directory: &Path) -> usize {
    let found = fs::read_dir(directory).into_iter().flatten().flatten();
    found
        .map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => 1 + files(&entry.path()),
            _ => 1,
        })
        .sum()
}

fn directories(directory: &Path) -> usize {
    let found = fs::read_dir(directory).into_iter().flatten().flatten();
    let found = found.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    found.map(|entry| 1 + directories(&entry.path())).sum()
}

/// What the whole machine has; its other users change it too.
fn hosts() -> Census {
    let pids = || {
        fs::read_dir("/proc")
            .into_iter()
            .flatten()
            .flatten()
            .filter(|entry| {
                let name = entry.file_name();
                name.to_string_lossy()
                    .bytes()
                    .all(|byte| byte.is_ascii_digit())
            })
    };
    let namespaces: std::collections::BTreeSet<_> = pids()
        .filter_map(|entry| fs::read_link(entry.path().join("ns/net")).ok())
        .collect();
    let threads = pids().map(|entry| entries(entry.path().join("task"))).sum();
    // Not by /proc/cgroups: the kernel counts a memory cgroup until the last page that was charged to it is reclaimed.
    let mounts = host::cgroup_mounts();
    let cgroups = mounts.iter().map(|mount| directories(&mount.point)).sum();
    let open = fs::read_to_string("/proc/sys/fs/file-nr").unwrap_or_default();
    let open = open
        .split_whitespace()
        .next()
        .and_then(|count| count.parse().ok());
    let loops = fs::read_dir("/sys/block").into_iter().flatten().flatten();
    let loops = loops.filter(|device| device.path().join("loop/backing_file").exists());
    Census::from([
        ("mounts", lines("/proc/self/mountinfo")),
        ("cgroups of all hierarchies", cgroups),
        ("network namespaces", namespaces.len()),
        ("network links", entries("/sys/class/net")),
        ("open files", open.unwrap_or(0)),
        ("processes", pids().count()),
        ("threads", threads),
        ("keys of root", keys()),
        ("SysV shared memory", lines("/proc/sysvipc/shm")),
        ("POSIX shared memory", entries("/dev/shm")),
        ("loop devices", loops.count()),
    ])
}

/// The processor time of the runtime's processes up to now, in ticks (proc_pid_stat(5): cutime, cstime). Unlike
/// the time on the wall it is hardly longer beside other work.
fn processor_time() -> u64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let fields = fields.split_whitespace().skip(13).take(2);
    fields.filter_map(|field| field.parse::<u64>().ok()).sum()
}

/// The number of keys that count for root (`/proc/key-users`: uid, usage, nkeys/nikeys, …).
fn keys() -> usize {
    let users = fs::read_to_string("/proc/key-users").unwrap_or_default();
    let root = users
        .lines()
        .find(|line| line.trim_start().starts_with("0:"));
    root.and_then(|line| {
        line.split_whitespace()
            .nth(2)?
            .split('/')
            .next()?
            .parse()
            .ok()
    })
    .unwrap_or(0)
}

/// Waits until what the host has is what it had, but for noise; prints the two beside each other.
fn assert_level(before: &Census, total: usize) {
    let most = |name: &str, after: usize| has_grown(name, before[name], after, total);
    let start = Instant::now();
    let mut after = hosts();
    while after.iter().any(|(name, count)| most(name, *count)) && start.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(200));
        after = hosts();
    }
    for (name, count) in &after {
        eprintln!(
            "{name}: {} before, {count} after {total} cycles",
            before[name]
        );
    }
    for (name, count) in &after {
        assert!(
            !most(name, *count),
            "{name} grew from {} to {count}",
            before[name]
        );
    }
}

/// One whole life: created, started, ended by a signal or by itself, deleted.
fn live(shared: &Shared, bundle: &Bundle, number: usize) {
    let id = shared.id(number);
    let create = shared.runtime().args(["create", "--bundle"]);
    create.arg(bundle.path()).arg(&id).run_silently();
    shared.runtime().args(["start", &id]).run_silently();
    let end = match number % 2 {
        0 => ["kill", &id, "KILL"],
        _ => ["kill", "--all", &id],
    };
    shared.runtime().args(end).run_silently();
    let delete = ["delete", "--force", &id];
    shared.runtime().args(delete).run_silently();
}

fn whole_lives(test: &Test) {
    needs!(test, root, native);
    let is_long = std::env::var_os("DHOW_LONG").is_some();
    let total = if is_long { 10_000 } else { 300 };
    let bundle = test.bundle_running(&["sh", "-c", "touch /volume/file; exec sleep 100000"]);
    let volume = bundle.path().join("volume");
    fs::create_dir(&volume).expect("make the volume");
    let source = volume.display().to_string();
    bundle.edit(|config| config.add_mount("bind", &source, "/volume", &["rbind", "rw"]));
    let shared = Shared::of(test);
    // Once before counting: the mount point and the file are made by the first.
    test.run_with(|config| config.args(&["true"])).ok();
    live(&shared, &bundle, total);
    fs::write(volume.join("file"), "").expect("write into the volume");
    let (own_before, hosts_before) = (own(test, &volume), hosts());
    let part = total / 10;
    let used = Mutex::new(BTreeMap::from([(0, processor_time())]));
    let start = Instant::now();
    each(total, AT_ONCE, |number| {
        live(&shared, &bundle, number);
        if [part, total - part, total - 1].contains(&number) {
            let mut used = used.lock().expect("no thread panicked");
            used.insert(number, processor_time());
        }
    });
    eprintln!("{total} cycles in {:?}", start.elapsed());
    let used = used.into_inner().expect("no thread panicked");
    let (first, last) = (
        used[&part] - used[&0],
        used[&(total - 1)] - used[&(total - part)],
    );
    eprintln!("processor time of the first {part}: {first} ticks, of the last: {last}");
    assert_level(&hosts_before, total);
    // A thread that has been joined is counted for a moment more.
    dhow_tests::processes::eventually(PATIENCE, || own(test, &volume) == own_before);
    assert_eq!(own(test, &volume), own_before);
}

for_runtimes!([Dhow]; whole_lives);

//! A private engine in a directory of its own, and a root filesystem to run.

use dhow_engine::options::Root;
use dhow_engine::{Config, ContainerOptions, Engine, LogLine, LogOptions, Moment, State};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// An engine, its directories, and the check that nothing is left in them.
pub(crate) struct Rig {
    pub(crate) engine: Engine,
    pub(crate) directory: PathBuf,
}

/// Where the programs are.
fn programs() -> Option<PathBuf> {
    let named = std::env::var_os("DHOW_BIN_DIR").map(PathBuf::from);
    let own = std::env::current_exe().ok()?;
    let beside = own.parent()?.parent()?.to_path_buf();
    [named, Some(beside)]
        .into_iter()
        .flatten()
        .find(|directory| {
            ["dhow-runtime", "dhow-monitor", "dhow"]
                .iter()
                .all(|name| directory.join(name).exists())
        })
}

fn busybox() -> Option<PathBuf> {
    ["/bin/busybox", "/usr/bin/busybox"]
        .iter()
        .map(PathBuf::from)
        .find(|path| path.exists())
}

/// Says why a test does nothing.
pub(crate) fn skip(reason: &str) -> Option<Rig> {
    println!("skipped: {reason}");
    if let Some(file) = std::env::var_os("DHOW_SKIPS") {
        use std::io::Write as _;
        let name = std::thread::current().name().unwrap_or_default().to_owned();
        let opened = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(file);
        writeln!(opened.unwrap(), "{name}: {reason}").unwrap();
    }
    None
}

impl Rig {
    /// Makes one, or says why not.
    pub(crate) fn new() -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        if dhow_sys::id::effective_user() != 0 {
            return skip("needs root");
        }
        let Some(programs) = programs() else {
            return skip("dhow-runtime, dhow-monitor and dhow are not built");
        };
        let Some(busybox) = busybox() else {
            return skip("needs busybox");
        };
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("dhow-engine-{}-{number}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        let bin = directory.join("rootfs/bin");
        std::fs::create_dir_all(&bin).unwrap();
        std::fs::create_dir_all(directory.join("rootfs/etc")).unwrap();
        std::fs::copy(busybox, bin.join("busybox")).unwrap();
        for name in [
            "sh", "cat", "echo", "sleep", "true", "id", "head", "yes", "ls", "kill", "hostname",
            "env", "dd", "touch", "mkdir", "chown", "chmod",
        ] {
            std::os::unix::fs::symlink("busybox", bin.join(name)).unwrap();
        }
        let users = "root:x:0:0:root:/root:/bin/sh\nweb:x:33:34::/srv:/bin/false\n";
        std::fs::write(directory.join("rootfs/etc/passwd"), users).unwrap();
        std::fs::write(directory.join("rootfs/etc/hostname"), "image\n").unwrap();
        let mut config = Config::detect(&|_| None, 0);
        config.root = directory.join("root");
        config.run = directory.join("run");
        config.runtime = programs.join("dhow-runtime");
        config.monitor = programs.join("dhow-monitor");
        config.init = programs.join("dhow-init");
        config.helper = programs.join("dhow");
        Some(Self {
            engine: Engine::open(config).unwrap(),
            directory,
        })
    }

    /// A second door to the same engine, as another process has it.
    pub(crate) fn again(&self) -> Engine {
        Engine::open(self.engine.config().clone()).unwrap()
    }

    /// Options to run a command over a throw-away view of the root filesystem.
    pub(crate) fn options(&self, command: &[&str]) -> ContainerOptions {
        let mut options = ContainerOptions::new(Root::Directory {
            path: self.directory.join("rootfs"),
            overlay: true,
        });
        options.command = command.iter().map(ToString::to_string).collect();
        options
    }

    /// Options to run a line of shell.
    pub(crate) fn shell(&self, line: &str) -> ContainerOptions {
        self.options(&["/bin/sh", "-ec", line])
    }

    /// The container's output so far: standard output, standard error.
    pub(crate) fn output(&self, name: &str) -> (String, String) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut sink = |line: LogLine<'_>| {
            match line.stream {
                dhow_engine::Stream::Stdout => out.extend_from_slice(line.bytes),
                dhow_engine::Stream::Stderr => err.extend_from_slice(line.bytes),
            }
            ControlFlow::Continue(())
        };
        self.engine
            .logs(name, &LogOptions::default(), &mut sink)
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (text(out), text(err))
    }

    /// Runs to the end and returns exit code and standard output; the container stays.
    pub(crate) fn finish(&self, options: &ContainerOptions) -> (u8, String) {
        let container = self.engine.run_detached(options).unwrap();
        let exit = self.engine.wait(&container.id).unwrap();
        let output = self.output(&container.id);
        self.engine.remove(&container.id, false).unwrap();
        (exit.code, output.0)
    }

    pub(crate) fn state(&self, name: &str) -> State {
        self.engine.inspect(name).unwrap().summary.state
    }

    /// The process id of the container's monitor.
    pub(crate) fn monitor_of(&self, id: &str) -> u32 {
        let entries = std::fs::read_dir("/proc").unwrap().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let is_it = |pid: &u32| {
            let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let mut words = words.split(|byte| *byte == 0);
            words
                .next()
                .is_some_and(|word| word.ends_with(b"dhow-monitor"))
                && words.any(|word| word == id.as_bytes())
        };
        pids.into_iter().find(is_it).unwrap()
    }

    /// All names in the engine's own directories: empty when nothing is left.
    pub(crate) fn left(&self) -> Vec<PathBuf> {
        let own = [
            "root/containers",
            "root/container-names",
            "root/roots",
            "root/volumes",
        ];
        let mut all = own.map(|name| self.directory.join(name)).to_vec();
        all.push(self.directory.join("run/containers"));
        all.push(self.directory.join("run/runtime"));
        all.iter()
            .flat_map(|path| std::fs::read_dir(path).into_iter().flatten())
            .flatten()
            .map(|entry| entry.path())
            .collect()
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        let containers = self.engine.list(true).unwrap_or_default();
        for container in containers {
            let removed = self.engine.remove(&container.id, true);
            if !std::thread::panicking() {
                removed.unwrap();
            }
        }
        let left = self.left();
        if !std::thread::panicking() {
            assert_eq!(left, Vec::<PathBuf>::new(), "left behind");
        }
        remove(&self.directory);
    }
}

fn remove(path: &Path) {
    std::fs::remove_dir_all(path).unwrap();
}

/// Waits until something is true, at most ten seconds.
pub(crate) fn eventually(what: &str, check: impl Fn() -> bool) {
    let start = Instant::now();
    while !check() {
        assert!(start.elapsed() < Duration::from_secs(10), "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The moment of a text.
pub(crate) fn moment(text: &str) -> Moment {
    Moment(text.parse().unwrap())
}

//! `cargo xtask bench engine`: `dhow run --rm` beside `podman run --rm` with the same image, no
//! network, everything unpacked before, and beside `dhow-runtime run`, which is what the engine
//! itself adds to.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::bundle::{bundle, root_filesystem};
use super::launcher::{Copies, Launcher, Start};
use super::table::Table;
use super::{Options, make_folder, rivals, runtime, text_of};
use crate::build::{self, Audience};
use crate::child;
use crate::error::Error;
use crate::repository;

const IMAGE: &str = "localhost/dhow-bench:latest";
const LIMITS: [&str; 4] = [
    "--ulimit",
    "nofile=1024:1024",
    "--ulimit",
    "nproc=1024:1024",
];
const LIMIT: Duration = Duration::from_secs(300);

/// Measures and returns the table.
///
/// # Errors
/// When podman is not installed, or one of the engines fails at its work.
pub(super) fn measure(options: &Options) -> Result<Table, Error> {
    let metadata = repository::metadata()?;
    let programs = build::programs(&metadata, "release", Audience::Users)?;
    let program = |name: &str| {
        programs.get(name).cloned().ok_or_else(|| Error::Form {
            what: "the workspace".into(),
            why: format!("it builds no {name}"),
        })
    };
    let folder = metadata.target_directory.join("bench");
    let rootfs = root_filesystem(&folder)?;
    let launcher = Launcher::new(&folder)?;
    let places = Places::new(&folder)?;
    let archive = places.podman_image(&folder, &rootfs)?;
    places.dhow_image(&program("dhow")?, &archive)?;

    let ends = bundle(&folder.join("ends"), &rootfs, &["/bin/true"])?;
    let run = ["run", "--rm", "--network", "none", IMAGE, "/bin/true"];
    let starts = [
        ("dhow", places.dhow(&program("dhow")?, &run)),
        // Its own defaults need the right to raise limits, which not every root has.
        (
            "podman",
            places.podman(&[&run[..2], &LIMITS, &run[2..]].concat()),
        ),
        (
            "dhow-runtime",
            places.runtime(&program("dhow-runtime")?, &ends),
        ),
    ];
    let mut table = Table::new(
        &["dhow", "podman", "dhow-runtime"],
        &["podman", "dhow-runtime"],
    );
    table.note(text_of("podman", &["--version"])?.trim().to_owned());
    table.note(runtime::machine(options.rounds)?);
    for round in 0..options.rounds {
        for turn in 0..starts.len() {
            let (name, start) = &starts[(round + turn) % starts.len()];
            let sample = launcher.run(start, Copies::One)?;
            table.add("run --rm", "ms", name, sample.wall);
            table.add("run --rm: CPU of what it waits for", "ms", name, sample.cpu);
            table.add("run --rm: peak memory", "KiB", name, sample.peak);
        }
    }
    Ok(table)
}

/// Stores of their own, so that the host's images and containers are not touched.
struct Places {
    store: PathBuf,
    run: PathBuf,
}

impl Places {
    fn new(folder: &Path) -> Result<Places, Error> {
        let places = Places {
            store: folder.join("engines"),
            run: PathBuf::from("/run/dhow-bench-engine"),
        };
        places.clear();
        make_folder(&places.store)?;
        make_folder(&places.run.join("runtime"))?;
        Ok(places)
    }

    fn clear(&self) {
        // What is not there needs no removing.
        let _ = fs::remove_dir_all(&self.store);
        let _ = fs::remove_dir_all(&self.run);
    }

    fn podman(&self, words: &[&str]) -> Start {
        let (root, run) = (self.store.join("podman"), self.run.join("podman"));
        let mut all = vec!["/usr/bin/podman", "--cgroup-manager", "cgroupfs", "--root"];
        let (root, run) = (root.to_string_lossy(), run.to_string_lossy());
        all.extend([&*root, "--runroot", &run]);
        all.extend(words);
        Start {
            hidden: rivals::hybrid_controllers(),
            ..Start::new(&all)
        }
    }

    fn dhow(&self, program: &Path, words: &[&str]) -> Start {
        let program = program.to_string_lossy();
        let mut all = vec![program.as_ref()];
        all.extend(words);
        let environment = vec![
            ("DHOW_ROOT", self.store.join("dhow")),
            ("DHOW_RUN", self.run.join("dhow")),
        ];
        Start {
            environment,
            ..Start::new(&all)
        }
    }

    fn runtime(&self, program: &Path, bundle: &Path) -> Start {
        let (state, program) = (self.run.join("runtime"), program.to_string_lossy());
        let (state, bundle) = (state.to_string_lossy(), bundle.to_string_lossy());
        Start::new(&[
            &program, "--root", &state, "run", "--bundle", &bundle, "bench",
        ])
    }

    /// Gives podman the image, and returns an archive of it.
    fn podman_image(&self, folder: &Path, rootfs: &Path) -> Result<PathBuf, Error> {
        if !Path::new("/usr/bin/podman").is_file() {
            let why = "it is what dhow run is compared with (Debian: podman)";
            return Err(Error::Missing {
                tool: "podman".into(),
                why: why.into(),
            });
        }
        let (tar, archive) = (folder.join("rootfs.tar"), folder.join("image.tar"));
        let mut pack = Command::new("tar");
        pack.arg("-C").arg(rootfs).arg("-cf").arg(&tar).arg(".");
        child::output_of(pack, LIMIT)?;
        let _ = fs::remove_file(&archive);
        run_once(&self.podman(&["import", "--quiet", &tar.to_string_lossy(), IMAGE]))?;
        run_once(&self.podman(&[
            "save",
            "--quiet",
            "--output",
            &archive.to_string_lossy(),
            IMAGE,
        ]))?;
        Ok(archive)
    }

    fn dhow_image(&self, program: &Path, archive: &Path) -> Result<(), Error> {
        run_once(&self.dhow(program, &["load", "--input", &archive.to_string_lossy()]))?;
        // Once, so that the layers are unpacked.
        run_once(&self.dhow(
            program,
            &["run", "--rm", "--network", "none", IMAGE, "/bin/true"],
        ))
    }
}

impl Drop for Places {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Runs a command of the set-up, unmeasured.
fn run_once(start: &Start) -> Result<(), Error> {
    let mut command = Command::new(&start.words[0]);
    command
        .args(&start.words[1..])
        .envs(start.environment.iter().map(|(key, value)| (key, value)));
    child::output_of(command, LIMIT).map(drop)
}

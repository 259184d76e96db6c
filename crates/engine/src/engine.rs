//! The engine's door: every verb, each delegated to its own file.

use crate::host::Cgroups;
use crate::idmap::Maps;
use crate::options::ContainerOptions;
use crate::record::Record;
use crate::runtime::{self, Runtime};
use crate::store::{Directory, Locked, Store};
use crate::view::{
    Attach, Container, Details, Ended, ExecOptions, Exit, ImageSummary, LogLine, LogOptions, Plan,
    Summary,
};
use crate::{Config, Error, Result, container, images, rootless};
use std::ffi::OsString;
use std::io::Read;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// An engine over one pair of directories. Several processes may have one open at the same time.
#[derive(Debug)]
pub struct Engine {
    config: Config,
    store: Store,
    maps: OnceLock<Maps>,
    cgroups: OnceLock<Cgroups>,
    images: OnceLock<dhow_image::Store>,
}

impl Engine {
    /// Opens the directories, making them (0700) when they are missing.
    ///
    /// # Errors
    /// `Permission`, `Kernel`.
    pub fn open(config: Config) -> Result<Self> {
        let store = Store::open(&config.root, &config.run)?;
        Ok(Self {
            config,
            store,
            maps: OnceLock::new(),
            cgroups: OnceLock::new(),
            images: OnceLock::new(),
        })
    }

    /// The configuration in use.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Makes a container without starting it.
    ///
    /// # Errors
    /// `NotFound` (image, user), `Conflict` (name), `InvalidInput`, `Unsupported`, `Kernel`.
    pub fn create(&self, options: &ContainerOptions) -> Result<Container> {
        container::create::create(self, options).map(|made| Container {
            id: made.record.id,
            name: made.record.name,
        })
    }

    /// Starts a container and returns once it runs.
    ///
    /// # Errors
    /// `NotFound`, `Conflict` (it runs), and what the runtime says; see [`Error::exit_code`].
    pub fn start(&self, name: &str) -> Result<Container> {
        container::start::start(self, name)
    }

    /// Starts a container with this process's standard streams attached to it, and returns when it
    /// ends or the user detaches. With `remove` in its options it is gone afterwards.
    ///
    /// # Errors
    /// As [`Engine::start`].
    pub fn start_attached(&self, name: &str, attach: &Attach) -> Result<Ended> {
        container::run::start_attached(self, name, attach)
    }

    /// Creates and starts, attached; a container with `remove` is gone afterwards, also when the start fails.
    ///
    /// # Errors
    /// As [`Engine::create`] and [`Engine::start`].
    pub fn run_attached(&self, options: &ContainerOptions, attach: &Attach) -> Result<Ended> {
        container::run::attached(self, options, attach)
    }

    /// Creates and starts in the background.
    ///
    /// # Errors
    /// As [`Engine::create`] and [`Engine::start`].
    pub fn run_detached(&self, options: &ContainerOptions) -> Result<Container> {
        container::run::detached(self, options)
    }

    /// Attaches to a running container.
    ///
    /// # Errors
    /// `NotFound`, `Conflict` when it does not run.
    pub fn attach(&self, name: &str, attach: &Attach) -> Result<Ended> {
        container::attach::attach(self, name, attach)
    }

    /// Waits until a container has ended; returns at once when it has.
    ///
    /// # Errors
    /// `NotFound`, `Conflict` when it was never started.
    pub fn wait(&self, name: &str) -> Result<Exit> {
        container::wait::wait(self, name)
    }

    /// Asks a container to end by its stop signal, and kills it after `timeout` seconds (10 when absent).
    ///
    /// # Errors
    /// `NotFound`; stopping one that does not run is no error.
    pub fn stop(&self, name: &str, timeout: Option<u32>) -> Result<Container> {
        container::stop::stop(self, name, timeout)
    }

    /// Sends a signal, by name (`TERM`, `SIGTERM`) or number.
    ///
    /// # Errors
    /// `NotFound`, `Conflict` when it does not run, `InvalidInput`.
    pub fn kill(&self, name: &str, signal: &str) -> Result<Container> {
        container::stop::kill(self, name, signal)
    }

    /// Removes a container; with `force` kills it first when it runs.
    ///
    /// # Errors
    /// `NotFound`, `Conflict` when it runs.
    pub fn remove(&self, name: &str, force: bool) -> Result<Container> {
        container::remove::remove(self, name, force)
    }

    /// Runs a program in a living container with this process's standard streams; returns its exit
    /// code (0 at once when detached).
    ///
    /// # Errors
    /// `NotFound`, `Conflict`, and what the runtime says.
    pub fn exec(&self, name: &str, options: &ExecOptions) -> Result<u8> {
        container::exec::exec(self, name, options)
    }

    /// Reads a container's log; `sink` gets each piece and may break off.
    ///
    /// # Errors
    /// `NotFound`, `Kernel`.
    pub fn logs(
        &self,
        name: &str,
        options: &LogOptions,
        sink: &mut dyn FnMut(LogLine<'_>) -> ControlFlow<()>,
    ) -> Result<()> {
        container::logs::logs(self, name, options, sink)
    }

    /// The containers, youngest first; those that have ended and those not started only with `all`.
    ///
    /// # Errors
    /// `Kernel`.
    pub fn list(&self, all: bool) -> Result<Vec<Summary>> {
        container::inspect::list(self, all)
    }

    /// All about one container, by name, id, or a beginning of the id that no other has.
    ///
    /// # Errors
    /// `NotFound`, `InvalidInput` (ambiguous).
    pub fn inspect(&self, name: &str) -> Result<Details> {
        container::inspect::inspect(self, name)
    }

    /// What the runtime would do to make this container: `dhow-runtime plan` over its bundle.
    ///
    /// # Errors
    /// `NotFound`; `Unsupported` when the container's runtime has no such verb.
    pub fn plan(&self, name: &str) -> Result<Plan> {
        container::plan::plan(self, name)
    }

    /// As [`Engine::plan`] for a container that is made for this question only.
    ///
    /// # Errors
    /// As [`Engine::create`] and [`Engine::plan`].
    pub fn explain(&self, options: &ContainerOptions) -> Result<Plan> {
        container::plan::explain(self, options)
    }

    /// Removes what operations that were killed in the middle have left; returns how many things.
    ///
    /// # Errors
    /// `Kernel`.
    pub fn sweep(&self) -> Result<usize> {
        container::sweep::sweep(self)
    }

    /// Loads images from an OCI layout (directory or tar) or a docker archive.
    ///
    /// # Errors
    /// `NotFound`, `InvalidInput` (naming the entry), `Kernel`.
    pub fn load(&self, path: &Path) -> Result<Vec<ImageSummary>> {
        images::load(self.images_store()?, path)
    }

    /// As [`Engine::load`], from a stream such as standard input.
    ///
    /// # Errors
    /// As [`Engine::load`].
    pub fn load_stream(&self, stream: &mut dyn Read) -> Result<Vec<ImageSummary>> {
        images::load_stream(self.images_store()?, stream)
    }

    /// Makes an image called `name` of one static program, which it runs.
    ///
    /// # Errors
    /// `Kernel`.
    pub fn add_program_image(&self, name: &str, program: &Path) -> Result<ImageSummary> {
        images::add_program(self.images_store()?, name, program)
    }

    /// The images, by name.
    ///
    /// # Errors
    /// `Kernel`.
    pub fn images(&self) -> Result<Vec<ImageSummary>> {
        images::all(self.images_store()?)
    }

    /// One image, by name, id, or a beginning of the id.
    ///
    /// # Errors
    /// `NotFound`, `InvalidInput`.
    pub fn image(&self, name: &str) -> Result<ImageSummary> {
        images::one(self.images_store()?, name)
    }
}

/// What the verbs share.
impl Engine {
    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// The image store, opened when it is first needed.
    pub(crate) fn images_store(&self) -> Result<&dhow_image::Store> {
        if let Some(images) = self.images.get() {
            return Ok(images);
        }
        let opened = dhow_image::Store::open(&self.config.root)
            .map_err(|error| crate::images::image_error("open the image store".into(), error))?;
        Ok(self.images.get_or_init(|| opened))
    }

    /// This user's ids.
    pub(crate) fn maps(&self) -> &Maps {
        self.maps.get_or_init(rootless::maps)
    }

    pub(crate) fn cgroups(&self) -> &Cgroups {
        self.cgroups
            .get_or_init(|| Cgroups::detect(self.config.rootless))
    }

    /// Which capabilities can be given, by number: root gives what it has; whoever makes a user
    /// namespace has all of them in it.
    pub(crate) fn held_capabilities(&self) -> impl Fn(u32) -> bool {
        let mask = if self.config.rootless {
            (2u64 << dhow_sys::id::last_capability()) - 1
        } else {
            dhow_sys::id::capabilities().map_or(0, |sets| sets.permitted)
        };
        move |number| mask & (1 << number) != 0
    }

    pub(crate) fn runtime(&self, program: &Path) -> Box<dyn Runtime> {
        runtime::for_program(
            program.to_path_buf(),
            &self.store.runtime_root(),
            self.cgroups().systemd,
        )
    }

    /// Our own program, which has the hidden modes.
    pub(crate) fn helper(&self) -> Result<PathBuf> {
        if self.config.helper.as_os_str().is_empty() {
            return std::env::current_exe().map_err(|source| Error::Spawn {
                program: "our own program".into(),
                source,
            });
        }
        runtime::find(&self.config.helper)
    }

    /// What a monitor becomes when a container that is to be removed has ended and nobody watched.
    pub(crate) fn cleanup_words(&self, id: &str) -> Result<Vec<OsString>> {
        let mut words = vec![self.helper()?.into_os_string()];
        words.extend(rootless::cleanup_words(&self.config, id));
        Ok(words)
    }

    /// A whole container, by name or id.
    pub(crate) fn open_container(&self, name: &str) -> Result<(Directory, Record)> {
        let directory = self.store.find(name)?;
        match directory.record()? {
            Some(record) => Ok((directory, record)),
            None => Err(Error::NoSuchContainer {
                name: name.to_owned(),
            }),
        }
    }

    /// A whole container, locked for this process.
    pub(crate) fn lock(&self, name: &str) -> Result<(Locked, Record)> {
        let missing = || Error::NoSuchContainer {
            name: name.to_owned(),
        };
        let directory = self.store.find(name)?.lock(&self.store)?;
        let directory = directory.ok_or_else(missing)?;
        // Read under the lock: whoever held it may have removed the container.
        let record = directory.directory().record()?.ok_or_else(missing)?;
        Ok((directory, record))
    }
}

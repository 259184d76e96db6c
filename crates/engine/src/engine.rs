//! The engine's door: every verb, each delegated to its own file.

use crate::options::ContainerOptions;
use crate::view::{
    Attach, Container, Details, Ended, ExecOptions, Exit, ImageSummary, LogLine, LogOptions, Plan,
    Summary,
};
use crate::{Config, Error, Result};
use std::io::Read;
use std::ops::ControlFlow;
use std::path::Path;

/// An engine over one pair of directories. Several processes may have one open at the same time.
#[derive(Debug)]
pub struct Engine {
    config: Config,
}

fn later<T>() -> Result<T> {
    Err(Error::unsupported("this", "it is being written"))
}

#[allow(clippy::unused_self, unused_variables)]
impl Engine {
    /// Opens the directories, making them (0700) when they are missing.
    ///
    /// # Errors
    /// `Permission`, `Kernel`.
    pub fn open(config: Config) -> Result<Self> {
        Ok(Self { config })
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
        later()
    }

    /// Starts a container and returns once it runs.
    ///
    /// # Errors
    /// `NotFound`, `Conflict` (it runs), and what the runtime says; see [`Error::exit_code`].
    pub fn start(&self, name: &str) -> Result<Container> {
        later()
    }

    /// Starts a container with this process's standard streams attached to it, and returns when it
    /// ends or the user detaches. With `remove` in its options it is gone afterwards.
    ///
    /// # Errors
    /// As [`Engine::start`].
    pub fn start_attached(&self, name: &str, attach: &Attach) -> Result<Ended> {
        later()
    }

    /// Creates and starts, attached; a container with `remove` is gone afterwards, also when the start fails.
    ///
    /// # Errors
    /// As [`Engine::create`] and [`Engine::start`].
    pub fn run_attached(&self, options: &ContainerOptions, attach: &Attach) -> Result<Ended> {
        later()
    }

    /// Creates and starts in the background.
    ///
    /// # Errors
    /// As [`Engine::create`] and [`Engine::start`].
    pub fn run_detached(&self, options: &ContainerOptions) -> Result<Container> {
        later()
    }

    /// Attaches to a running container.
    ///
    /// # Errors
    /// `NotFound`, `Conflict` when it does not run.
    pub fn attach(&self, name: &str, attach: &Attach) -> Result<Ended> {
        later()
    }

    /// Waits until a container has ended; returns at once when it has.
    ///
    /// # Errors
    /// `NotFound`, `Conflict` when it was never started.
    pub fn wait(&self, name: &str) -> Result<Exit> {
        later()
    }

    /// Asks a container to end by its stop signal, and kills it after `timeout` seconds (10 when absent).
    ///
    /// # Errors
    /// `NotFound`; stopping one that does not run is no error.
    pub fn stop(&self, name: &str, timeout: Option<u32>) -> Result<Container> {
        later()
    }

    /// Sends a signal, by name (`TERM`, `SIGTERM`) or number.
    ///
    /// # Errors
    /// `NotFound`, `Conflict` when it does not run, `InvalidInput`.
    pub fn kill(&self, name: &str, signal: &str) -> Result<Container> {
        later()
    }

    /// Removes a container; with `force` kills it first when it runs.
    ///
    /// # Errors
    /// `NotFound`, `Conflict` when it runs.
    pub fn remove(&self, name: &str, force: bool) -> Result<Container> {
        later()
    }

    /// Runs a program in a living container with this process's standard streams; returns its exit
    /// code (0 at once when detached).
    ///
    /// # Errors
    /// `NotFound`, `Conflict`, and what the runtime says.
    pub fn exec(&self, name: &str, options: &ExecOptions) -> Result<u8> {
        later()
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
        later()
    }

    /// The containers, youngest first; those that have ended and those not started only with `all`.
    ///
    /// # Errors
    /// `Kernel`.
    pub fn list(&self, all: bool) -> Result<Vec<Summary>> {
        later()
    }

    /// All about one container, by name, id, or a beginning of the id that no other has.
    ///
    /// # Errors
    /// `NotFound`, `InvalidInput` (ambiguous).
    pub fn inspect(&self, name: &str) -> Result<Details> {
        later()
    }

    /// What the runtime would do to make this container: `dhow-runtime plan` over its bundle.
    ///
    /// # Errors
    /// `NotFound`; `Unsupported` when the container's runtime has no such verb.
    pub fn plan(&self, name: &str) -> Result<Plan> {
        later()
    }

    /// As [`Engine::plan`] for a container that is made for this question only.
    ///
    /// # Errors
    /// As [`Engine::create`] and [`Engine::plan`].
    pub fn explain(&self, options: &ContainerOptions) -> Result<Plan> {
        later()
    }

    /// Removes what operations that were killed in the middle have left; returns how many things.
    ///
    /// # Errors
    /// `Kernel`.
    pub fn sweep(&self) -> Result<usize> {
        later()
    }

    /// Loads images from an OCI layout (directory or tar) or a docker archive.
    ///
    /// # Errors
    /// `NotFound`, `InvalidInput` (naming the entry), `Kernel`.
    pub fn load(&self, path: &Path) -> Result<Vec<ImageSummary>> {
        later()
    }

    /// As [`Engine::load`], from a stream such as standard input.
    ///
    /// # Errors
    /// As [`Engine::load`].
    pub fn load_stream(&self, stream: &mut dyn Read) -> Result<Vec<ImageSummary>> {
        later()
    }

    /// Makes an image called `name` of one static program, which it runs.
    ///
    /// # Errors
    /// `Kernel`.
    pub fn add_program_image(&self, name: &str, program: &Path) -> Result<ImageSummary> {
        later()
    }

    /// The images, by name.
    ///
    /// # Errors
    /// `Kernel`.
    pub fn images(&self) -> Result<Vec<ImageSummary>> {
        later()
    }

    /// One image, by name, id, or a beginning of the id.
    ///
    /// # Errors
    /// `NotFound`, `InvalidInput`.
    pub fn image(&self, name: &str) -> Result<ImageSummary> {
        later()
    }
}

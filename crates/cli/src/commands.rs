//! One file for each command: its flags and one function that carries it out.

mod attach;
mod completion;
mod create;
mod doctor;
mod exec;
mod images;
mod inspect;
mod kill;
mod load;
mod logs;
mod ps;
mod rm;
mod run;
mod start;
mod stop;
mod version;
mod wait;

use crate::arguments::{Cli, Global};
use crate::error::Error;
use clap::Subcommand;
use dhow_engine::{Config, Engine};

/// Every command, in the order of the help page.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create a container and run a command in it
    Run(Box<run::Arguments>),
    /// Run another command in a running container
    Exec(exec::Arguments),
    /// Create a container without starting it
    Create(Box<create::Arguments>),
    /// Start containers that were created or have ended
    Start(start::Arguments),
    /// Connect this terminal to a running container
    Attach(attach::Arguments),
    /// List containers
    Ps(ps::Arguments),
    /// Show what a container has written
    Logs(logs::Arguments),
    /// End containers: ask first, kill after a while
    Stop(stop::Arguments),
    /// Wait until containers have ended, and print their exit codes
    Wait(wait::Arguments),
    /// Send a signal to containers
    Kill(kill::Arguments),
    /// Remove containers
    Rm(rm::Arguments),
    /// Load images from an archive
    Load(load::Arguments),
    /// List images
    Images(images::Arguments),
    /// Show all about containers or images, as JSON
    Inspect(inspect::Arguments),
    /// Check what this host offers to containers
    Doctor(doctor::Arguments),
    /// Show versions
    Version(version::Arguments),
    /// Write a completion script for a shell
    Completion(completion::Arguments),
}

/// Carries a command out and returns the exit code.
///
/// # Errors
/// Whatever the command could not do.
pub(crate) fn run(cli: Cli) -> Result<u8, Error> {
    let global = &cli.global;
    match cli.command {
        Command::Run(arguments) => run::run(global, &arguments),
        Command::Exec(arguments) => exec::run(global, &arguments),
        Command::Create(arguments) => create::run(global, &arguments),
        Command::Start(arguments) => start::run(global, &arguments),
        Command::Attach(arguments) => attach::run(global, &arguments),
        Command::Wait(arguments) => wait::run(global, &arguments),
        Command::Ps(arguments) => ps::run(global, &arguments),
        Command::Logs(arguments) => logs::run(global, &arguments),
        Command::Stop(arguments) => stop::run(global, &arguments),
        Command::Kill(arguments) => kill::run(global, &arguments),
        Command::Rm(arguments) => rm::run(global, &arguments),
        Command::Load(arguments) => load::run(global, &arguments),
        Command::Images(arguments) => images::run(global, &arguments),
        Command::Inspect(arguments) => inspect::run(global, &arguments),
        Command::Doctor(arguments) => doctor::run(global, &arguments),
        Command::Version(arguments) => version::run(global, &arguments),
        Command::Completion(arguments) => completion::run(&arguments),
    }
}

/// The engine's configuration: the environment's, with what the command line says on top.
fn configuration(global: &Global) -> Config {
    let mut config = Config::of_this_process();
    if let Some(root) = &global.root {
        config.root.clone_from(root);
    }
    if let Some(run) = &global.runroot {
        config.run.clone_from(run);
    }
    if let Some(runtime) = &global.runtime {
        config.runtime.clone_from(runtime);
    }
    if global.storage_driver.is_some() {
        config.storage_driver.clone_from(&global.storage_driver);
    }
    config
}

/// The engine that the global options describe.
///
/// # Errors
/// What [`Engine::open`] refuses.
fn open(global: &Global) -> Result<Engine, Error> {
    Ok(Engine::open(configuration(global))?)
}

/// Does the same with each name, printing the line of each success that has one; all are tried.
///
/// # Errors
/// [`Error::Several`] with those that failed, or the one error when there was only one name.
fn each(
    names: &[String],
    act: impl Fn(&str) -> Result<Option<String>, Error>,
) -> Result<u8, Error> {
    let mut failed = Vec::new();
    for name in names {
        match act(name) {
            Ok(Some(line)) => crate::output::print(&format!("{line}\n"))?,
            Ok(None) => {}
            Err(error) => failed.push(error),
        }
    }
    match failed.len() {
        0 => Ok(0),
        1 => Err(failed.remove(0)),
        _ => Err(Error::Several(failed)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_tried_and_each_failure_is_kept() {
        let names = ["a", "b", "c"].map(str::to_owned);
        let result = each(&names, |name| {
            Err(Error::NotYet {
                what: name.into(),
                instead: "",
            })
        });
        match result {
            Err(Error::Several(errors)) => assert_eq!(errors.len(), 3),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_command_line_overrides_the_environment() {
        let global = Global {
            root: Some("/a".into()),
            runtime: Some("/usr/bin/crun".into()),
            ..Global::default()
        };
        let config = configuration(&global);
        assert_eq!(config.root, std::path::Path::new("/a"));
        assert_eq!(config.runtime, std::path::Path::new("/usr/bin/crun"));
    }
}

//! The command line's grammar: parsed by clap, refused in our words where docker's or podman's has more.

use crate::commands::Command;
use crate::later;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, Args, CommandFactory, FromArgMatches, Parser};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

/// Containers that explain themselves.
#[derive(Debug, Parser)]
#[command(
    name = "dhow",
    version,
    about = "Containers that explain themselves: no daemon, rootless by default",
    after_help = "Examples:\n  dhow run hello                    the first container: it shows what isolates it\n  \
                  dhow run -it --rootfs /:O sh      a shell on a throw-away view of this host\n  \
                  dhow doctor                       what this host offers, and how to get what it lacks",
    max_term_width = 100,
    disable_help_subcommand = true
)]
pub(crate) struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub(crate) global: Global,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Keep images and containers here [default: /var/lib/dhow, or ~/.local/share/dhow for users]
    #[arg(long, global = true, value_name = "DIR", hide_short_help = true)]
    pub(crate) root: Option<PathBuf>,
    /// Keep sockets and locks here [default: /run/dhow, or $XDG_RUNTIME_DIR/dhow for users]
    #[arg(long, global = true, value_name = "DIR", hide_short_help = true)]
    pub(crate) runroot: Option<PathBuf>,
    /// Use this OCI runtime instead of dhow-runtime
    #[arg(long, global = true, value_name = "PATH", hide_short_help = true)]
    pub(crate) runtime: Option<PathBuf>,
    /// Stack image layers by this driver: overlay or copy [default: what works]
    #[arg(long, global = true, value_name = "NAME", hide_short_help = true)]
    pub(crate) storage_driver: Option<String>,
}

/// A command line that is not carried out: help, version, or a mistake.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// In clap's words.
    Clap(Box<clap::Error>),
    /// In ours.
    Ours(crate::error::Error),
}

impl Refusal {
    /// Tells the user; help and version succeed, everything else fails with 125.
    pub(crate) fn print(&self) -> ExitCode {
        match self {
            Self::Ours(error) => {
                crate::error::print(error);
                ExitCode::from(error.exit_code())
            }
            Self::Clap(error) => {
                // Nothing is left to say when standard output or error is gone.
                let _ = error.print();
                let asked = matches!(
                    error.kind(),
                    ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
                );
                ExitCode::from(if asked { 0 } else { crate::FAILED })
            }
        }
    }
}

/// The grammar, for help pages, completions and tests.
///
/// Each command's help is the compact one, without the options of every command; `-h` asks for it
/// except where docker's meaning of `-h` is another.
pub(crate) fn command() -> clap::Command {
    Cli::command().mut_subcommands(|command| {
        let help = Arg::new("help")
            .long("help")
            .help("Print this help (dhow --help lists options of every command)")
            .help_heading(None)
            .action(ArgAction::HelpShort);
        let taken = command
            .get_arguments()
            .any(|argument| argument.get_short() == Some('h'));
        let help = if taken { help } else { help.short('h') };
        command.disable_help_flag(true).arg(help)
    })
}

/// Parses a command line, program name first.
///
/// # Errors
/// [`Refusal`]: also for help and version, which are printed the same way.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Cli, Refusal> {
    let matches = command().try_get_matches_from(arguments).map_err(refuse)?;
    Cli::from_arg_matches(&matches).map_err(refuse)
}

/// Says "not yet" for what docker and podman have, and leaves other mistakes to clap.
fn refuse(error: clap::Error) -> Refusal {
    let unknown = match error.kind() {
        ErrorKind::UnknownArgument => ContextKind::InvalidArg,
        ErrorKind::InvalidSubcommand => ContextKind::InvalidSubcommand,
        _ => return Refusal::Clap(Box::new(error)),
    };
    let Some(ContextValue::String(text)) = error.get(unknown) else {
        return Refusal::Clap(Box::new(error));
    };
    let found = match unknown {
        ContextKind::InvalidArg => later::option(text),
        _ => later::command(text),
    };
    match found {
        Some((what, instead)) => Refusal::Ours(crate::error::Error::NotYet { what, instead }),
        None => Refusal::Clap(Box::new(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_text(line: &str) -> Result<Cli, Refusal> {
        parse(line.split(' ').map(OsString::from))
    }

    #[test]
    fn the_grammar_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn every_command_has_an_example_of_itself_in_its_help() {
        for command in command().get_subcommands() {
            let help = command.clone().render_help().to_string();
            let example = format!("dhow {}", command.get_name());
            assert!(help.contains("Example"), "{}: {help}", command.get_name());
            let examples = help.split("Example").nth(1).unwrap_or_default();
            assert!(
                examples.contains(&example),
                "{}: {help}",
                command.get_name()
            );
            for argument in command.get_arguments() {
                let described = argument.get_help().is_some() || argument.is_hide_set();
                assert!(described, "{} {}", command.get_name(), argument.get_id());
            }
        }
    }

    #[test]
    fn the_examples_in_the_help_parse() {
        let own = std::iter::once(command());
        for command in own.chain(command().get_subcommands().cloned()) {
            let help = command.clone().render_help().to_string();
            let examples = help.split("Example").nth(1).unwrap_or_default();
            for line in examples
                .lines()
                .map(str::trim)
                .filter(|line| line.starts_with("dhow "))
            {
                // Two spaces begin the explanation; a pipe or a redirection is the shell's.
                let line = line.split("  ").next().unwrap_or(line);
                let line = line.replace("$(dhow ps --all --quiet)", "web");
                let line = line
                    .split([';', '|', '>', '<'])
                    .next()
                    .unwrap_or_default()
                    .trim();
                if let Err(refusal) = parse_text(line) {
                    panic!("{line}: {refusal:?}");
                }
            }
        }
    }

    #[test]
    fn what_docker_has_and_we_do_not_is_refused_with_a_way_out() {
        for line in [
            "dhow run -p 80:80 x",
            "dhow run --restart=always x",
            "dhow pull x",
            "dhow ps --filter a=b",
        ] {
            match parse_text(line) {
                Err(Refusal::Ours(crate::error::Error::NotYet { .. })) => {}
                other => panic!("{line}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_typing_error_gets_a_suggestion() {
        match parse_text("dhow run --memroy 1g x") {
            Err(Refusal::Clap(error)) => assert!(error.to_string().contains("--memory"), "{error}"),
            other => panic!("{other:?}"),
        }
    }
}

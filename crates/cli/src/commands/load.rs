//! `dhow load`: images from an archive.

use crate::arguments::Global;
use crate::error::Error;
use crate::output::print;
use std::io::IsTerminal;
use std::path::PathBuf;

/// Flags of `dhow load`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Load images from an archive or directory: what `docker save`, `podman save`, `skopeo copy` and \
                  `umoci` write (docker archive, OCI archive, OCI layout directory), compressed by gzip or not.\n\nExamples:\n  dhow load --input alpine.tar\n  docker save alpine | dhow load"
)]
pub(crate) struct Arguments {
    /// Read this file or directory instead of standard input
    #[arg(long, short, value_name = "PATH")]
    input: Option<PathBuf>,
    /// Print ids only
    #[arg(long, short)]
    quiet: bool,
}

/// Loads, and prints each image's names.
///
/// # Errors
/// What the archive or the store refuses.
pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<u8, Error> {
    let stdin = std::io::stdin();
    let loaded = match &arguments.input {
        Some(path) => super::open(global)?.load(path)?,
        None if stdin.is_terminal() => {
            return Err(Error::Usage {
                what: "load".into(),
                reason: "nothing comes in: name an archive with --input, or pipe one in".into(),
            });
        }
        None => super::open(global)?.load_stream(&mut stdin.lock())?,
    };
    for image in loaded {
        let names = match image.names.as_slice() {
            names if arguments.quiet || names.is_empty() => vec![image.id.clone()],
            names => names.to_vec(),
        };
        for name in names {
            let word = if arguments.quiet {
                ""
            } else {
                "Loaded image: "
            };
            print(&format!("{word}{name}\n"))?;
        }
    }
    Ok(0)
}

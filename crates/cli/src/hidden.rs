//! Modes in which dhow runs itself, and what only its makers need: named `__…`, in no help.

use std::path::Path;
use std::process::ExitCode;

/// Runs a hidden mode when the first argument names one.
pub(crate) fn run() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    match arguments.next()?.to_str()? {
        "__probe" => {
            let name = arguments.next()?;
            let directory = arguments.next()?;
            Some(crate::doctor::probe(name.to_str()?, Path::new(&directory)))
        }
        "__man" => Some(manual(Path::new(&arguments.next()?))),
        _ => None,
    }
}

/// Writes a manual page for each command into a directory.
fn manual(directory: &Path) -> ExitCode {
    match clap_mangen::generate_to(crate::arguments::command(), directory) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            crate::error::print(&crate::error::Error::WriteFile {
                path: directory.into(),
                source: error,
            });
            ExitCode::from(crate::FAILED)
        }
    }
}

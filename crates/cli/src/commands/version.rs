//! `dhow version`: which dhow, on what.

use crate::arguments::Global;
use crate::error::Error;
use crate::output::{Format, json, print};
use serde::Serialize;

/// Flags of `dhow version`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  dhow version --format=json")]
pub(crate) struct Arguments {
    /// Print as table or json
    #[arg(long, default_value = "table", value_name = "FORMAT")]
    format: Format,
}

#[derive(Serialize)]
struct Version {
    version: &'static str,
    os: &'static str,
    arch: &'static str,
    rootless: bool,
    root: String,
    runtime: String,
}

/// Prints the versions.
///
/// # Errors
/// When standard output cannot be written.
pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<u8, Error> {
    let config = super::configuration(global);
    let version = Version {
        version: env!("CARGO_PKG_VERSION"),
        os: std::env::consts::OS,
        arch: std::env::consts::ARCH,
        rootless: config.rootless,
        root: config.root.display().to_string(),
        runtime: config.runtime.display().to_string(),
    };
    print(&match arguments.format {
        Format::Json => json::document(&version)?,
        Format::Table => format!(
            "dhow       {}\nplatform   {}/{}\nmode       {}\nstore      {}\nruntime    {}\n",
            version.version,
            version.os,
            version.arch,
            if version.rootless {
                "rootless"
            } else {
                "rootful"
            },
            version.root,
            version.runtime,
        ),
    })?;
    Ok(0)
}

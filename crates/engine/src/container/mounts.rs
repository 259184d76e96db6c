//! Where the user's mounts get their content: volumes are made, paths of the host are checked.

use crate::bundle::Source;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::names;
use crate::options::{ContainerOptions, Mount};
use std::path::Path;

/// Resolves every mount; the names of volumes made for this container only are added to `anonymous`.
pub(crate) fn sources(
    engine: &Engine,
    options: &ContainerOptions,
    anonymous: &mut Vec<String>,
) -> Result<Vec<Source>> {
    options
        .mounts
        .iter()
        .map(|mount| match mount {
            Mount::Bind {
                source,
                create_source,
                ..
            } => bind(source, *create_source),
            Mount::Volume { name, .. } => {
                let name = match name {
                    Some(name) => name.clone(),
                    None => {
                        let name = names::id().map_err(|error| Error::BadState {
                            path: "/dev/urandom".into(),
                            reason: error.to_string(),
                        })?;
                        anonymous.push(name.clone());
                        name
                    }
                };
                engine.store().volume(&name).map(Source::Path)
            }
            Mount::Tmpfs { .. } => Ok(Source::Nothing),
        })
        .collect()
}

fn bind(source: &Path, create: bool) -> Result<Source> {
    let wrong = |reason: String| Error::invalid("--mount", source.display().to_string(), reason);
    match std::fs::metadata(source) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && create => {
            std::fs::create_dir_all(source)
                .map_err(|error| wrong(format!("does not exist and cannot be made: {error}")))?;
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(wrong(
                "does not exist; make it, or use -v, which does".into(),
            ));
        }
        Err(error) => return Err(wrong(format!("cannot be used: {error}"))),
    }
    Ok(Source::Path(source.to_path_buf()))
}

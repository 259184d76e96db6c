//! The image store's verbs, in the engine's words.

use crate::error::{Error, Kind, Result};
use crate::view::ImageSummary;
use dhow_image::{ErrorKind, Image, LoadOptions, Loaded, Reference, Store, Summary};
use std::io::Read;
use std::path::Path;

/// `load FILE`
pub(crate) fn load(store: &Store, path: &Path) -> Result<Vec<ImageSummary>> {
    let loaded = store.load(path, &options());
    let loaded = loaded.map_err(|error| image_error(format!("load {}", path.display()), error))?;
    Ok(loaded.iter().map(from_loaded).collect())
}

/// `load`
pub(crate) fn load_stream(store: &Store, stream: &mut dyn Read) -> Result<Vec<ImageSummary>> {
    let loaded = store.load_stream(stream, &options());
    let loaded = loaded.map_err(|error| image_error("load the archive".into(), error))?;
    Ok(loaded.iter().map(from_loaded).collect())
}

/// Whoever loads an archive wants its names to mean what it brings, as with docker and podman.
fn options() -> LoadOptions {
    LoadOptions {
        replace_names: true,
        ..LoadOptions::default()
    }
}

fn from_loaded(loaded: &Loaded) -> ImageSummary {
    from_image(&loaded.image)
}

/// Makes an image of one program.
pub(crate) fn add_program(store: &Store, name: &str, program: &Path) -> Result<ImageSummary> {
    let failed = |error| image_error(format!("make the image {name:?}"), error);
    let reference: Reference = name.parse().map_err(failed)?;
    let bytes = std::fs::read(program).map_err(|source| Error::Spawn {
        program: program.to_path_buf(),
        source,
    })?;
    let path = format!("/{name}");
    let added = store.add_image_from_file(&reference, &path, bytes, &[&path]);
    added.map(|loaded| from_loaded(&loaded)).map_err(failed)
}

/// `images`
pub(crate) fn all(store: &Store) -> Result<Vec<ImageSummary>> {
    let images = store.images();
    let images = images.map_err(|error| image_error("list the images".into(), error))?;
    Ok(images.iter().map(from_summary).collect())
}

/// One image.
pub(crate) fn one(store: &Store, name: &str) -> Result<ImageSummary> {
    let image = store.find(name);
    image
        .map(|image| from_image(&image))
        .map_err(|error| image_error(format!("find the image {name:?}"), error))
}

fn names(references: &[Reference]) -> Vec<String> {
    references.iter().map(Reference::familiar).collect()
}

fn from_image(image: &Image) -> ImageSummary {
    ImageSummary {
        id: image.id.to_string(),
        digest: image.digest.to_string(),
        names: names(&image.names),
        created: image.created.clone(),
        size: image.size,
    }
}

fn from_summary(image: &Summary) -> ImageSummary {
    ImageSummary {
        id: image.id.to_string(),
        digest: image.digest.to_string(),
        names: names(&image.names),
        created: image.created.clone(),
        size: image.size,
    }
}

/// Wraps a failure of the image store.
pub(crate) fn image_error(doing: String, source: dhow_image::Error) -> Error {
    let kind = match source.kind() {
        ErrorKind::NotFound => Kind::NotFound,
        ErrorKind::Conflict => Kind::Conflict,
        ErrorKind::InvalidInput => Kind::InvalidInput,
        ErrorKind::Permission => Kind::Permission,
        ErrorKind::Unsupported => Kind::Unsupported,
        ErrorKind::Kernel => Kind::Kernel,
        ErrorKind::Internal => Kind::Internal,
    };
    Error::Image {
        doing,
        kind,
        source: Box::new(source),
    }
}

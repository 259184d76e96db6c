//! The built-in image: made on first use from the program `dhow-hello`, with no network.

use crate::error::Error;
use dhow_engine::options::Root;
use dhow_engine::{Engine, Kind};

/// The image's name.
const NAME: &str = "hello";
/// The program that is all of it.
const PROGRAM: &str = "dhow-hello";

/// Makes the image when the root is to be it and the store has none of that name.
///
/// # Errors
/// When the program is not installed, or the store cannot take it.
pub(crate) fn provide(engine: &Engine, root: &Root) -> Result<(), Error> {
    if !matches!(root, Root::Image(name) if name == NAME) {
        return Ok(());
    }
    match engine.image(NAME) {
        Err(error) if error.kind() == Kind::NotFound => {}
        found => return Ok(found.map(drop)?),
    }
    let program = crate::siblings::find(PROGRAM).ok_or(Error::NoSibling { program: PROGRAM })?;
    Ok(engine.add_program_image(NAME, &program).map(drop)?)
}
